"""Heap map: address against operations, coloured by how much of the resident memory there is live. One panel an allocator."""

from __future__ import annotations

import math

import numpy
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, tick_plainly
from .heap_story import Story
from .hover import owned
from .palette import MUTED, letters
from .results import Row, Tape
from .units import as_percent, byte_unit

READING = (
    "Each column is a snapshot of the heap, lowest address at the bottom, memory that was never resident left out. The colour says "
    "how much of what is resident there belongs to live blocks: bright is full, dark is memory that is kept for nothing. "
    "What has the paper's colour is not resident. Dark bands that stay are pages pinned by a few blocks, or freed and not given back; "
    "the allocator's own tables are dark, too. Drag over a part, or press + and -, to look closer; arrows move the cross, Escape "
    "shows all."
)
COLOURS = "cividis"
PANEL_WIDTH, PANEL_HEIGHT = 3.05, 2.1  # inches of a whole panel, and of its plot area


def column_edges(operation: numpy.ndarray) -> numpy.ndarray:
    """A snapshot's column reaches half-way to its neighbours."""
    middle = (operation[:-1] + operation[1:]) / 2
    return numpy.concatenate(([0.0], middle, [operation[-1]]))


def live_share(story: Story) -> float:
    """Of the resident bytes, where there are most of them."""
    at = story.peak_index
    return float(story.live[at] / max(story.resident[at], 1.0))


def draw_panel(context: Context, axes: Axes, row: Row, story: Story, largest: float, factor: float) -> None:
    drawn = story.heap_map
    x_factor = label_operations(axes, largest, 4)
    rows = numpy.minimum(numpy.arange(len(drawn.edges)) * drawn.band, drawn.size) / factor
    axes.grid(False)
    axes.pcolormesh(
        column_edges(drawn.operation) / x_factor, rows, drawn.occupancy, cmap=COLOURS, vmin=0, vmax=1, rasterized=True
    )
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


def colour_bar(canvas: Canvas, x: float, y: float) -> None:
    axes = canvas.figure.add_axes((x / canvas.width, y / canvas.height, 1.6 / canvas.width, 0.11 / canvas.height))
    bar = canvas.figure.colorbar(ScalarMappable(Normalize(0, 100), COLOURS), cax=axes, orientation="horizontal")
    bar.set_ticks([0, 50, 100], labels=["0 %", "50 %", "100 % live"])
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=TEXT - 1.8, length=2)


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> Chart:
    largest = max(float(s.operation[-1]) for _, s in stories)
    unit, factor = byte_unit(max(s.heap_map.size for _, s in stories))
    columns = min(3, len(stories))
    lines = math.ceil(len(stories) / columns)
    cell = PANEL_HEIGHT + 0.88
    width = max(columns * PANEL_WIDTH + 0.35, 6.4)
    title = f"Heap map: {shorten(tape.label, 48)}"
    footer = context.footer("Addresses that were never resident are left out; panels have scales of their own")
    canvas = Canvas(width, lines * cell + 0.3, title, "", footer)
    colour_bar(canvas, 0.28, canvas.height - 0.52)
    for i, (row, story) in enumerate(stories):
        line, at = divmod(i, columns)
        axes = canvas.axes(0.62 + at * PANEL_WIDTH, (lines - 1 - line) * cell + 0.5, PANEL_WIDTH - 0.62, PANEL_HEIGHT)
        with owned(axes, context.owner(row.allocator)):
            draw_panel(context, axes, row, story, largest, factor)
        axes.set_ylabel(f"address, {unit}" if at == 0 else "")
        if i + columns < len(stories):
            axes.set_xlabel("")
    said = "; ".join(f"{r.allocator}: {as_percent(live_share(s))} live where resident memory is highest" for r, s in stories)
    return Chart("heap_map", "Heap map", READING, said + ".", canvas, True)
