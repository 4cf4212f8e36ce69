"""Fragmentation over the replay: H/R - 1 for every allocator in one plot."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, operations_unit, thin
from .hover import Track, owned
from .palette import INK, MUTED, letters
from .results import Row, Tape
from .units import as_excess

READING = (
    "How much more the allocator holds from the system than the program has asked for: 0 % would be no waste at all, 100 % "
    "twice what is needed. Lower is better. The figure beside a name is that of the whole run: the sum of what was held over "
    "the sum of what was asked for, less one. Moments at which the program has less than a tenth of its peak live are not "
    "drawn, since everything is large against almost nothing."
)
MANY = 20.0  # from here on the axis counts multiples, not percent
LABEL = TEXT - 0.8  # points
LIVE_ENOUGH = 0.10  # share of peak R below which a ratio to R says nothing


def ratio(row: Row) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(operation, H/R - 1), or P/R - 1 where H cannot be told; nan where too little is live."""
    series = row.series
    upper = series.held if row.held_known else series.resident
    enough = series.requested >= LIVE_ENOUGH * numpy.nanmax(series.requested)
    enough &= series.requested > 0
    value = numpy.full(len(upper), numpy.nan)
    value[enough] = upper[enough] / series.requested[enough] - 1
    return series.operation, value


def ceiling(values: list[numpy.ndarray]) -> float:
    """Top of the axis: nearly everything fits; a few spikes may leave rather than flatten all the rest."""
    highest = max(float(numpy.nanmax(v)) for v in values)
    usual = max(float(numpy.nanpercentile(v, 92)) for v in values)
    return max(0.10, highest if highest <= 1.6 * usual else 1.25 * usual) * 1.05


def draw_lines(axes: Axes, context: Context, curves: list, factor: float, scale: float) -> None:
    """Curves in `scale` times the share; x in units of `factor` operations. Dashed where P stands in."""
    for row, operation, value in curves:
        dashes = "-" if row.held_known else (0, (4, 1.5))
        with owned(axes, context.owner(row.allocator)):
            axes.plot(
                *thin(operation / factor, scale * value),
                color=context.colour[row.allocator],
                lw=1.7,
                ls=dashes,
                zorder=5 if row.allocator == "libc" else 4,
            )


def tell(canvas: Canvas, axes: Axes, context: Context, rows: list[Row]) -> None:
    """What the curves say on hover."""
    for row in rows:
        upper = "H" if row.held_known else "P"
        least = LIVE_ENOUGH * float(numpy.nanmax(row.series.requested))
        name = row.allocator if row.held_known else f"{row.allocator} (P)"
        owner = context.owner(row.allocator)
        canvas.hover.tracks.append(Track(axes, owner, name, "share", column=upper, over="R", least=least))


def label_words(curves: list) -> list[str]:
    """A name with the figure of its whole run."""
    return [f"{shorten(r.allocator, 16)}{'' if r.held_known else ' (P)'} {as_excess(whole_run(r))}" for r, _, _ in curves]


def end_labels(axes: Axes, context: Context, curves: list, x_end: float, top: float, scale: float) -> None:
    """Names with the figure of the whole run in a column at the right, each at its curve's end.

    Where a curve leaps at its very end the name stands at the height at which it ran before, without a leader.
    """
    items = []
    for (row, _, value), words in zip(curves, label_words(curves)):
        drawn = value[~numpy.isnan(value)]
        late = float(numpy.median(drawn[-max(1, len(drawn) // 10) :]))
        place = late if late <= top else min(float(numpy.median(drawn)), top)
        led = abs(float(drawn[-1]) - place) < 0.05 * top
        items.append((scale * place, words, letters(context.colour[row.allocator]), led, context.owner(row.allocator)))
    labels.column(axes, x_end, items, LABEL)


def whole_run(row: Row) -> float:
    """Sum of H over sum of R, less one: the summary's where H is known, else the same of P from the curve."""
    known = row.fragmentation.area_ratio
    if known is not None and row.held_known:
        return known - 1
    series = row.series
    upper = series.held if row.held_known else series.resident
    return float(numpy.nansum(upper) / max(numpy.nansum(series.requested), 1.0)) - 1


def name_failures(axes: Axes, tape: Tape) -> None:
    """Those that have no curve because they did not get through."""
    failed = [f"✕ {shorten(r.allocator, 16)} {r.failure.partition(':')[0]}" for r in tape.rows if not r.ok]
    axes.annotate(
        "\n".join(failed), (0.01, 0.98), xycoords="axes fraction", va="top", size=TEXT - 1.4, color=INK
    )


def sheet(context: Context, tape: Tape, curves: list, top: float) -> tuple[Canvas, Axes]:
    """The canvas with what is divided by what in its subtitle."""
    known = [row.held_known for row, _, _ in curves]
    what = "H/R − 1" if any(known) else "P/R − 1"
    if any(known) and not all(known):
        what += "; P/R − 1 for those marked (P), whose H cannot be told"
    highest = [(row.allocator, float(numpy.nanmax(value))) for row, _, value in curves]
    over = ", ".join(f"{name} up to {as_excess(most)}" for name, most in highest if most > top)
    footer = context.footer(
        f"Drawn where R is at least {100 * LIVE_ENOUGH:g} % of its peak",
        f"Above the chart's top: {over}" if over else "",
    )
    title = f"Fragmentation over time: {shorten(tape.label, 48)}"
    height = max(3.1, 0.24 * len(curves) + 0.9)
    canvas = Canvas(WIDTH, height, title, f"{what}. Lower is better; the figure is that of the whole run.", footer)
    axes = canvas.axes(0.62, 0.5, WIDTH - 0.62 - labels.room(canvas, label_words(curves), LABEL), height - 0.6)
    unit = "multiples of it" if top > MANY else "%"
    axes.set_ylabel(f"{'held' if any(known) else 'resident'} above requested, {unit}")
    return canvas, axes


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no allocator left a curve to divide."""
    curves = [(r, *ratio(r)) for r in tape.rows if r.series is not None]
    curves = [c for c in curves if not numpy.all(numpy.isnan(c[2]))]
    if not curves:
        return None
    largest = max(float(operation[-1]) for _, operation, _ in curves)
    last = max(float(operation[~numpy.isnan(value)][-1]) for _, operation, value in curves)
    low = min(0.0, min(float(numpy.nanmin(value)) for _, _, value in curves))
    top = ceiling([value for _, _, value in curves])
    scale = 1.0 if top > MANY else 100.0
    _, factor = operations_unit(largest)
    canvas, axes = sheet(context, tape, curves, top)
    draw_lines(axes, context, curves, factor, scale)
    tell(canvas, axes, context, [row for row, _, _ in curves])
    canvas.hover.scale(axes, "operations", factor, 1 / scale)
    axes.set_xlim(0, largest / factor)
    axes.set_ylim(scale * low * 1.1, scale * top)
    label_operations(axes, largest, 5)
    axes.axhline(0, color=MUTED, lw=0.9, zorder=2)
    end_labels(axes, context, curves, last / factor, top, scale)
    name_failures(axes, tape)
    said = "; ".join(f"{r.allocator} {as_excess(whole_run(r))} over the whole run" for r, _, _ in curves)
    return Chart("fragmentation", "Fragmentation over time", READING, said + ".", canvas)
