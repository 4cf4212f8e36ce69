"""Thread scaling: operations a second against recorded threads, where the bench has tapes of one program with different
numbers of threads."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .hover import owned
from .palette import letters
from .results import Row, Tape
from .scaling import families, lanes_of, rate, series_of
from .units import as_ns, figures

READING = (
    "Each line is an allocator: how many operations a second all threads together do on tapes of the same program that were recorded "
    "with so many threads; bars are the intervals. A line that rises with the threads scales; one that falls has threads that wait "
    "for each other. Beyond the machine's cores nothing can rise. Higher is better."
)
HEIGHT = 2.9


def draw_line(context: Context, axes: Axes, name: str, points: list[tuple[int, Row]], aside: float) -> None:
    """`aside`: by which factor the bars stand beside the points, so that none hides another."""
    colour = context.colour[name]
    with owned(axes, context.owner(name)):
        axes.plot([n for n, _ in points], [rate(r.ns.median) for _, r in points], color=colour, lw=1.8, marker="o", ms=5, zorder=4)
        for lanes, row in points:
            axes.plot([lanes * aside] * 2, [rate(row.ns.high), rate(max(row.ns.low, 1e-3))], color=colour, lw=1.0, zorder=3)


def tell(canvas: Canvas, axes: Axes, owner: int, name: str, points: list[tuple[int, Row]]) -> None:
    first = points[0]
    for lanes, row in points:
        ratio = first[1].ns.median / row.ns.median
        canvas.hover.spot(
            axes, lanes, rate(row.ns.median), owner, f"{name}, {lanes} thread{'' if lanes == 1 else 's'}",
            f"{figures(rate(row.ns.median))} million operations a second",
            f"{as_ns(row.ns.median)} an operation, {as_ns(row.ns.low)} to {as_ns(row.ns.high)}",
            f"{figures(ratio)}× those of {first[0]} thread{'' if first[0] == 1 else 's'}" if lanes != first[0] else "",
        )  # fmt: skip


def draw_family(context: Context, tapes: list[Tape], number: int) -> Chart | None:
    found = series_of(tapes)
    if not found:
        return None
    program = tapes[0].program.rsplit("/", 1)[-1]
    cores = context.results.machine.get("cores")
    footer = context.footer("Replay's own cost included", f"{cores} cores" if cores else "")
    subtitle = "Higher is better: all threads together; bars are intervals."
    canvas = Canvas(WIDTH, HEIGHT + 0.6, f"Thread scaling: {shorten(program, 48)}", subtitle, footer)
    named = [f"{shorten(name, 16)} {figures(rate(points[-1][1].ns.median))}" for name, points in found.items()]
    axes = canvas.axes(0.6, 0.5, WIDTH - 0.6 - labels.room(canvas, named, TEXT - 0.5), HEIGHT)
    lanes = [lanes_of(t) for t in tapes]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(lanes) / 1.12, max(lanes) * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(lanes))
    axes.xaxis.set_major_formatter(FixedFormatter([str(n) for n in lanes]))
    axes.minorticks_off()
    axes.set_ylim(0, max(rate(r.ns.median) for points in found.values() for _, r in points) * 1.12)
    axes.set_xlabel("recorded threads")
    axes.set_ylabel("million operations a second")
    tick_plainly(axes.yaxis, 5)
    items = []
    for i, ((name, points), words) in enumerate(zip(found.items(), named)):
        draw_line(context, axes, name, points, 1.012 ** (i - len(found) / 2))
        tell(canvas, axes, context.owner(name), name, points)
        last = rate(points[-1][1].ns.median)
        items.append((last, words, letters(context.colour[name]), True, context.owner(name)))
    labels.column(axes, max(lanes) * 1.05, items, TEXT - 0.5)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{figures(rate(r.ns.median))} million a second on {n}" for n, r in points) for name, points in found.items()
    )
    name = "scaling" if number == 0 else f"scaling_{number + 1}"
    return Chart(name, f"Thread scaling: {program}", READING, said + ".", canvas)


def draw(context: Context) -> list[Chart]:
    """One for each program that has tapes with several numbers of threads."""
    drawn = [draw_family(context, tapes, i) for i, tapes in enumerate(families(context.results))]
    return [chart for chart in drawn if chart is not None]
