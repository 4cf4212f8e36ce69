"""Heap map: address against operations, coloured by how much of the resident memory there is live. One panel an allocator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from . import snapshots
from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, operations_unit, tick_plainly
from .palette import MUTED, letters
from .results import Row, Tape
from .units import as_percent, byte_unit

READING = (
    "Each column is a snapshot of the heap, lowest address at the bottom, memory that was never resident left out. The colour says "
    "how much of what is resident there belongs to live blocks: bright is full, dark is memory that is kept for nothing. "
    "White is not resident. Dark bands that stay are pages pinned by a few blocks, or freed and not given back; the allocator's own "
    "code and tables are dark, too."
)
COLOURS = "cividis"
BANDS = 160  # of addresses, in a panel
PANEL_WIDTH, PANEL_HEIGHT = 3.05, 2.1  # inches of a whole panel, and of its plot area


@dataclass(frozen=True)
class HeapMap:
    """occupancy[band, snapshot], 0 to 1, nan where nothing is resident."""

    operation: numpy.ndarray
    size: int  # bytes that were resident at any snapshot: the height of the map
    occupancy: numpy.ndarray
    live_share: float  # of the resident bytes, at the snapshot with the most of them


def merged(runs: numpy.ndarray) -> numpy.ndarray:
    """Rows of start and end: the union of the ranges."""
    if not len(runs):
        return numpy.zeros((0, 2))
    runs = runs[numpy.argsort(runs[:, 0])].astype(float)
    ends = numpy.maximum.accumulate(runs[:, 1])
    first = numpy.concatenate(([True], runs[1:, 0] > ends[:-1]))
    starts = runs[first, 0]
    return numpy.stack([starts, ends[numpy.concatenate((first[1:], [True]))]], axis=1)


def below(edges: numpy.ndarray, start: numpy.ndarray, size: numpy.ndarray) -> numpy.ndarray:
    """How many bytes of the ranges (lowest first, apart from each other) lie below each of the addresses."""
    if not len(start):
        return numpy.zeros(len(edges))
    total = numpy.concatenate(([0.0], numpy.cumsum(size)))
    at = numpy.searchsorted(start, edges, side="right") - 1
    inside = numpy.clip(edges - start[at], 0, size[at])
    return numpy.where(at < 0, 0.0, total[at] + inside)


def band_edges(union: numpy.ndarray, bands: int) -> numpy.ndarray:
    """Addresses that cut the union into bands of equal size."""
    lengths = union[:, 1] - union[:, 0]
    so_far = numpy.concatenate(([0.0], numpy.cumsum(lengths)))
    wanted = numpy.linspace(0, so_far[-1], bands + 1)
    at = numpy.clip(numpy.searchsorted(so_far, wanted, side="right") - 1, 0, len(union) - 1)
    return union[at, 0] + wanted - so_far[at]


def read_map(path) -> HeapMap | None:
    """None where nothing was ever resident. ValueError or OSError where the file cannot be read."""
    union = numpy.zeros((0, 2))
    for one in snapshots.read(path):
        union = merged(numpy.concatenate((union, one.runs[:, :2].astype(float))))
    if not len(union):
        return None
    size = int((union[:, 1] - union[:, 0]).sum())
    edges = band_edges(union, min(BANDS, max(1, size // snapshots.PAGE)))
    operations, columns, best, share = [], [], -1.0, 0.0
    for one in snapshots.read(path):
        runs = one.runs[:, :2].astype(float)
        resident = numpy.diff(below(edges, runs[:, 0], runs[:, 1] - runs[:, 0]))
        live = numpy.diff(below(edges, one.address.astype(float), one.requested.astype(float)))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            columns.append(numpy.where(resident > 0, numpy.minimum(live / resident, 1.0), numpy.nan))
        operations.append(one.operation)
        if resident.sum() > best:
            best, share = resident.sum(), float(min(live.sum() / max(resident.sum(), 1.0), 1.0))
    return HeapMap(numpy.array(operations, dtype=float), size, numpy.array(columns).T, share)


def column_edges(operation: numpy.ndarray) -> numpy.ndarray:
    """A snapshot's column reaches half-way to its neighbours."""
    middle = (operation[:-1] + operation[1:]) / 2
    return numpy.concatenate(([0.0], middle, [operation[-1]]))


def draw_panel(context: Context, axes: Axes, row: Row, drawn: HeapMap, largest: float, unit: str, factor: float) -> None:
    x_factor = label_operations(axes, largest, 4)
    rows = numpy.linspace(0, drawn.size / factor, len(drawn.occupancy) + 1)
    axes.grid(False)
    axes.pcolormesh(
        column_edges(drawn.operation) / x_factor, rows, drawn.occupancy, cmap=COLOURS, vmin=0, vmax=1, rasterized=True
    )
    axes.set_xlim(0, largest / x_factor)
    tick_plainly(axes.xaxis, 4)
    tick_plainly(axes.yaxis, 4)
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(
        shorten(row.allocator, 26), (0, 1), xytext=(0, 17), size=TEXT + 0.5, weight="bold",
        color=letters(context.colour[row.allocator]), **place,
    )  # fmt: skip
    words = f"{as_percent(drawn.live_share)} of what is resident live, at the most"
    axes.annotate(words, (0, 1), xytext=(0, 5), size=TEXT - 1.6, color=MUTED, **place)


def colour_bar(canvas: Canvas, x: float, y: float) -> None:
    axes = canvas.figure.add_axes((x / canvas.width, y / canvas.height, 1.6 / canvas.width, 0.11 / canvas.height))
    bar = canvas.figure.colorbar(ScalarMappable(Normalize(0, 100), COLOURS), cax=axes, orientation="horizontal")
    bar.set_ticks([0, 50, 100], labels=["0 %", "50 %", "100 % live"])
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=TEXT - 1.8, length=2)


def draw(context: Context, tape: Tape) -> Chart | None:
    """None without snapshots."""
    maps = []
    for row in tape.rows:
        try:
            found = read_map(context.results.folder / row.snapshots) if row.ok and row.snapshots else None
        except (ValueError, OSError):
            found = None
        if found is not None:
            maps.append((row, found))
    if not maps:
        return None
    largest = max(float(m.operation[-1]) for _, m in maps)
    unit, factor = byte_unit(max(m.size for _, m in maps))
    columns = min(3, len(maps))
    lines = math.ceil(len(maps) / columns)
    cell = PANEL_HEIGHT + 0.88
    width = max(columns * PANEL_WIDTH + 0.35, 6.4)
    title = f"Heap map: {shorten(tape.label, 48)}"
    footer = context.footer("Addresses that were never resident are left out; panels have scales of their own")
    canvas = Canvas(width, lines * cell + 0.3, title, "", footer)
    colour_bar(canvas, 0.28, canvas.height - 0.52)
    for i, (row, drawn) in enumerate(maps):
        line, at = divmod(i, columns)
        axes = canvas.axes(0.62 + at * PANEL_WIDTH, (lines - 1 - line) * cell + 0.5, PANEL_WIDTH - 0.62, PANEL_HEIGHT)
        draw_panel(context, axes, row, drawn, largest, unit, factor)
        axes.set_ylabel(f"address, {unit}" if at == 0 else "")
        if i + columns < len(maps):
            axes.set_xlabel("")
    said = "; ".join(f"{r.allocator}: {as_percent(m.live_share)} of the most resident memory live" for r, m in maps)
    return Chart("heap_map", "Heap map", READING, said + ".", canvas, True)
