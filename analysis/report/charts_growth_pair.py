"""Resident memory over the replay, before and now: a panel for each allocator on a tape, all of a tape on one scale."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes

from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, thin, tick_plainly
from .hover import Track
from .key import Entry
from .palette import MUTED, SHADE, letters
from .panels import Panels
from .results import Row, Tape
from .units import as_bytes, byte_unit

READING = (
    "The thick line is the resident memory now, the dashed grey one before; the pale area what the program asks for. Where the "
    "two lines lie on one another nothing changed at that moment. All panels of a tape have the same scale."
)
PLOT, AROUND = (2.4, 1.5), (0.52, 0.14, 0.48, 0.5)  # inches, as Panels has them
KEY = (Entry("resident now", "line"), Entry("resident before", "dashed", MUTED), Entry("what the program asks for", "area", SHADE))
Pair = tuple[Row, Row]


def pairs(old: Tape, new: Tape) -> list[Pair]:
    """Those with a curve in both, in the order of the new bench."""
    before = {r.allocator: r for r in old.rows if r.series is not None}
    return [(before[r.allocator], r) for r in new.rows if r.series is not None and r.allocator in before]


def highest(row: Row) -> float:
    return float(numpy.nanmax(row.series.resident))


def draw_panel(context: Context, canvas: Canvas, axes: Axes, pair: Pair, ends: tuple[float, float]) -> None:
    (old, new), owner = pair, context.owner(pair[1].allocator)
    colour = context.colour[new.allocator]
    unit, y_factor = byte_unit(ends[1])
    x_factor = label_operations(axes, ends[0], 4)
    axes.set_xlim(0, ends[0] / x_factor)
    axes.set_ylim(0, ends[1] / y_factor * 1.04)

    def curve(row: Row, values: numpy.ndarray):
        return thin(row.series.operation / x_factor, values / y_factor, 120)

    axes.fill_between(*curve(new, new.series.requested), color=SHADE, lw=0, zorder=1)
    axes.plot(*curve(old, old.series.resident), color=MUTED, lw=1.6, ls=(0, (4, 2)), zorder=4)
    axes.plot(*curve(new, new.series.resident), color=colour, lw=2.1, zorder=3)
    tick_plainly(axes.xaxis, 4)
    tick_plainly(axes.yaxis, 4)
    axes.set_ylabel(unit)
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    name = shorten(new.allocator, 26)
    axes.annotate(name, (0, 1), xytext=(0, 17), size=TEXT + 0.5, weight="bold", color=letters(colour), **place)
    words = f"highest {as_bytes(highest(old))} before, {as_bytes(highest(new))} now"
    axes.annotate(words, (0, 1), xytext=(0, 5), size=TEXT - 1.6, color=MUTED, **place)
    canvas.hover.scale(axes, "operations", x_factor, y_factor)
    for said, row, values in (
        ("P now", new, new.series.resident),
        ("P before", old, old.series.resident),
        ("R requested", new, new.series.requested),
    ):
        canvas.hover.tracks.append(Track(axes, owner, said, "bytes", row.series.operation, values))


def draw(context: Context, old: Tape, new: Tape) -> Chart | None:
    """None where no allocator has a curve in both."""
    found = pairs(old, new)
    if not found:
        return None
    ends = (
        max(float(r.series.operation[-1]) for pair in found for r in pair),
        max(max(highest(r), float(numpy.nanmax(r.series.requested))) for pair in found for r in pair) or 1.0,
    )
    title = f"Resident memory, before and now: {shorten(new.label, 40)}"
    footer = "Memory runs of the median rounds; the process before the first operation is taken out."
    sheet = Panels(len(found), PLOT, AROUND, title, "", footer, KEY)
    for i, pair in enumerate(found):
        draw_panel(context, sheet.canvas, sheet.axes(i, context.owner(pair[1].allocator)), pair, ends)
    said = "; ".join(f"{b.allocator}: highest {as_bytes(highest(a))} before, {as_bytes(highest(b))} now" for a, b in found)
    return Chart("growth_pair", title, READING, said + ".", sheet.canvas)
