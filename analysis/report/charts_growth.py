"""Heap growth: R, U, H and P over the replay, a panel for each allocator, all on one scale.

Over operations; over time where the replay was paced, since pauses are then a part of it."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes

from . import bounds
from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, thin, tick_plainly
from .hover import Track
from .key import Entry
from .palette import INK, MUTED, SHADE, letters
from .panels import Panels
from .results import Row, Tape
from .units import SPACE, as_bytes, byte_unit, figures

READING = (
    "Grey is R, what the program asked for and had not freed: the same in every panel. The dotted line is U, what the "
    "blocks can hold; the thin line H, what the allocator holds from the system; the thick line P, what is resident. "
    "The closer the thick line lies to the grey, the leaner the allocator. All panels have the same scale."
)
READING_PACKED = (
    " The dashed line is how low the heap could have been: a placement of all blocks exists that never gets higher, without "
    "headers, tables and caches."
)
PLOT, AROUND = (2.4, 1.75), (0.52, 0.14, 0.48, 0.5)  # inches, as Panels has them
KEY = (
    Entry("P resident", "line"), Entry("H held from the system", "thin"), Entry("U usable", "dotted"), Entry("R requested", "area", SHADE),
)  # fmt: skip


def across(context: Context, row: Row) -> numpy.ndarray:
    """What the curves are drawn over."""
    return row.series.time_seconds if context.pace else row.series.operation


def scale(context: Context, rows: list[Row], packed: float) -> tuple[float, float]:
    """The right end of the x axis and the largest byte count of any panel."""
    largest = max(float(across(context, r)[-1]) for r in rows)
    sizes = [
        numpy.nanmax(v)
        for r in rows
        for v in (r.series.requested, r.series.usable, r.series.held, r.series.resident)
        if not numpy.all(numpy.isnan(v))
    ]
    return largest, max([float(s) for s in sizes] + [packed, 1.0])


def draw_panel(
    axes: Axes, row: Row, x: numpy.ndarray, colour: str, y_factor: float, x_max: float, y_max: float, packed: float
) -> None:
    """One allocator's curves, over x in the unit of its axis; how low the heap could have been, unless 0."""
    series = row.series

    def curve(values: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        return thin(x, values / y_factor, 120)

    axes.fill_between(*curve(series.requested), color=SHADE, lw=0, zorder=1)
    axes.plot(*curve(series.requested), color=MUTED, lw=0.7, zorder=2)
    axes.plot(*curve(series.usable), color=INK, lw=1.0, ls=(0, (1, 1.6)), zorder=3)
    if row.held_known:
        axes.plot(*curve(series.held), color=colour, lw=0.9, zorder=4)
    axes.plot(*curve(series.resident), color=colour, lw=2.1, zorder=5)
    if packed:
        axes.axhline(packed / y_factor, color=INK, lw=1.0, ls=(0, (4, 2)), zorder=3)
    axes.set_xlim(0, x_max)
    axes.set_ylim(0, y_max / y_factor * 1.04)


def peaks(row: Row, unit: str, factor: float) -> str:
    """The four peaks of the curves, in the unit of the axis."""
    series = row.series
    held = f"H{SPACE}{figures(numpy.nanmax(series.held) / factor)}" if row.held_known else "H unknown"
    return " · ".join(
        (
            f"P{SPACE}{figures(numpy.nanmax(series.resident) / factor)}",
            held,
            f"U{SPACE}{figures(numpy.nanmax(series.usable) / factor)}",
            f"R{SPACE}{figures(numpy.nanmax(series.requested) / factor)} {unit}",
        )
    )


def title_panel(axes: Axes, row: Row, colour: str, unit: str, factor: float) -> None:
    axes.annotate(
        shorten(row.allocator, 26),
        (0, 1),
        xytext=(0, 17),
        xycoords="axes fraction",
        textcoords="offset points",
        size=TEXT + 0.5,
        weight="bold",
        color=letters(colour),
        va="bottom",
    )
    axes.annotate(
        peaks(row, unit, factor),
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        size=TEXT - 1.6,
        color=MUTED,
        va="bottom",
    )


def failed_panel(axes: Axes, row: Row, colour: str) -> None:
    """A panel that says why there is nothing to see."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linestyle((0, (3, 3)))
    axes.annotate(
        shorten(row.allocator, 26),
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        size=TEXT + 0.5,
        weight="bold",
        color=letters(colour),
        va="bottom",
    )
    words = row.failure or "no memory curve"
    head, _, rest = words.partition(": ")
    axes.text(
        0.5, 0.56, f"✕ {head}", transform=axes.transAxes, ha="center", va="center", color=INK, weight="bold"
    )
    axes.text(
        0.5,
        0.40,
        shorten(rest, 36),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        size=TEXT - 1.2,
    )


def tell(context: Context, canvas: Canvas, axes: Axes, row: Row, x_factor: float, y_factor: float) -> None:
    """The four sizes on hover."""
    canvas.hover.scale(axes, "seconds" if context.pace else "operations", x_factor, y_factor)
    for column, words in (("P", "P resident"), ("H", "H held"), ("U", "U usable"), ("R", "R requested")):
        if column != "H" or row.held_known:
            canvas.hover.tracks.append(Track(axes, context.owner(row.allocator), words, "bytes", column=column))


def decorate(context: Context, canvas: Canvas, axes: Axes, row: Row, ends: tuple[float, float, float]) -> None:
    """Draws a row into its panel. Ends: of x, of y, and of the placement."""
    x_max, y_max, packed = ends
    colour = context.colour[row.allocator]
    if row.series is None:
        failed_panel(axes, row, colour)
        return
    unit, y_factor = byte_unit(y_max)
    x_factor = label_operations(axes, x_max, 4, bool(context.pace))
    draw_panel(axes, row, across(context, row) / x_factor, colour, y_factor, x_max / x_factor, y_max, packed)
    title_panel(axes, row, colour, unit, y_factor)
    tell(context, canvas, axes, row, x_factor, y_factor)
    tick_plainly(axes.xaxis, 4)
    tick_plainly(axes.yaxis, 4)
    axes.set_ylabel(unit)


def placement_key(packed: float) -> tuple[Entry, ...]:
    return (Entry(f"a placement of all blocks, {as_bytes(packed)}", "dashed"),) if packed else ()


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no allocator left a curve."""
    drawn = [r for r in tape.rows if r.series is not None]
    if not drawn:
        return None
    limits = bounds.of_tape(tape)
    packed = (limits.packing or 0.0) if limits else 0.0
    x_max, y_max = scale(context, drawn, packed)
    footer = context.footer(
        "Memory run of the median round; the process before the first operation is taken out", hidden(tape)
    )
    title = f"Heap growth: {shorten(tape.label, 48)}"
    sheet = Panels(len(tape.rows), PLOT, AROUND, title, "Lower is better; one scale.", footer, (*KEY, *placement_key(packed)))
    for i, row in enumerate(tape.rows):
        decorate(context, sheet.canvas, sheet.axes(i, context.owner(row.allocator)), row, (x_max, y_max, packed))
    said = "; ".join(
        f"{r.allocator}: peak resident growth {as_bytes(float(numpy.nanmax(r.series.resident)))}, peak held "
        + (as_bytes(float(numpy.nanmax(r.series.held))) if r.held_known else "unknown")
        for r in drawn
    )
    if packed:
        return Chart(
            "growth", "Heap growth", READING + READING_PACKED, f"{said}. A placement of all blocks needs {as_bytes(packed)}.", sheet.canvas
        )
    return Chart("growth", "Heap growth", READING, said + ".", sheet.canvas)


def hidden(tape: Tape) -> str:
    """A note where H cannot be told for some allocators."""
    names = [r.allocator for r in tape.rows if r.series is not None and not r.held_known]
    return f"H cannot be told for {', '.join(names)}" if names else ""
