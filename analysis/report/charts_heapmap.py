"""Heap map: address against operations, coloured by how much of the resident memory there is live. One panel an allocator."""

from __future__ import annotations

import numpy
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from .canvas import TEXT, shorten
from .context import Chart, Context
from .curves import label_operations, tick_plainly
from .heap_story import HeapMap, Story
from .key import Entry
from .palette import ABSENT, MUTED, letters
from .panels import Panels
from .results import Row, Tape
from .units import as_percent, byte_unit

READING = (
    "Each column is a snapshot of the heap, lowest address at the bottom, memory that was never resident left out. The colour says "
    "how much of what is resident there belongs to live blocks: bright is full, dark is memory that is kept for nothing. "
    "What is white (on a dark page: grey) is not resident. Dark bands that stay are pages pinned by a few blocks, or freed and not given back; "
    "the allocator's own tables are dark, too. Drag over a part, or press + and -, to look closer; arrows move the cross, Escape "
    "shows all."
)
COLOURS = "cividis"
ACROSS, DOWN = 180, 260  # pixels at most; the page draws the map itself, to be looked at closely
PLOT, AROUND = (2.4, 2.1), (0.52, 0.14, 0.48, 0.5)  # inches, as Panels has them
KEY = (Entry("of what is resident is live:", "words"), *(Entry(f"{100 * v:g} %", "area", to_hex(colormaps[COLOURS](v))) for v in (0.0, 0.25, 0.5, 0.75, 1.0)))


def column_edges(operation: numpy.ndarray) -> numpy.ndarray:
    """A snapshot's column reaches half-way to its neighbours."""
    middle = (operation[:-1] + operation[1:]) / 2
    return numpy.concatenate(([0.0], middle, [operation[-1]]))


def pixels(drawn: HeapMap) -> numpy.ndarray:
    """The map as colours, a row a band or several: every snapshot has as many columns as it reaches far. Nothing resident: transparent."""
    at = (numpy.arange(ACROSS) + 0.5) / ACROSS * drawn.operation[-1]
    snapshot = numpy.clip(numpy.searchsorted(column_edges(drawn.operation), at, side="right") - 1, 0, len(drawn.operation) - 1)
    each = -(-len(drawn.resident) // DOWN)
    resident, live = (numpy.add.reduceat(v, numpy.arange(0, len(v), each), axis=0) for v in (drawn.resident, drawn.live))
    share = numpy.where(resident > 0, numpy.minimum(live / numpy.maximum(resident, 1), 1.0), numpy.nan)
    return colormaps[COLOURS].with_extremes(bad=(0, 0, 0, 0))(share[:, snapshot], bytes=True)


def live_share(story: Story) -> float:
    """Of the resident bytes, where there are most of them."""
    at = story.peak_index
    return float(story.live[at] / max(story.resident[at], 1.0))


def draw_panel(context: Context, axes: Axes, row: Row, story: Story, largest: float, factor: float) -> None:
    drawn = story.heap_map
    x_factor = label_operations(axes, largest, 4)
    rows = numpy.minimum(numpy.arange(len(drawn.edges)) * drawn.band, drawn.size) / factor
    axes.grid(False)
    axes.set_facecolor(ABSENT)
    extent = (0, float(drawn.operation[-1]) / x_factor, 0, float(rows[-1]))
    axes.imshow(pixels(drawn), extent=extent, origin="lower", aspect="auto", interpolation="none", zorder=2)
    axes.set_ylim(0, float(rows[-1]))
    axes.set_xlim(0, largest / x_factor)
    tick_plainly(axes.xaxis, 4)
    tick_plainly(axes.yaxis, 4)
    title_panel(context, axes, row, f"{as_percent(live_share(story))} live at the highest resident")


def title_panel(context: Context, axes: Axes, row: Row, words: str) -> None:
    """Above a panel of the heap's charts: whose it is, and a line about it."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(
        shorten(row.allocator, 26), (0, 1), xytext=(0, 17), size=TEXT + 0.5, weight="bold",
        color=letters(context.colour[row.allocator]), **place,
    )  # fmt: skip
    axes.annotate(words, (0, 1), xytext=(0, 5), size=TEXT - 1.6, color=MUTED, **place)


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> Chart:
    largest = max(float(s.operation[-1]) for _, s in stories)
    unit, factor = byte_unit(max(s.heap_map.size for _, s in stories))
    footer = context.footer("Addresses that were never resident are left out; panels have scales of their own")
    sheet = Panels(len(stories), PLOT, AROUND, f"Heap map: {shorten(tape.label, 48)}", "", footer, KEY)
    for i, (row, story) in enumerate(stories):
        owner = context.owner(row.allocator)
        axes = sheet.axes(i, owner)
        draw_panel(context, axes, row, story, largest, factor)
        axes.set_ylabel(f"address, {unit}")
    said = "; ".join(f"{r.allocator}: {as_percent(live_share(s))} live where resident memory is highest" for r, s in stories)
    return Chart("heap_map", "Heap map", READING, said + ".", sheet.canvas)
