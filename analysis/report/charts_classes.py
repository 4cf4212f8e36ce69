"""Sizes asked for above the size classes that allocators give for them, and what is lost inside blocks by size."""

from __future__ import annotations

import math

import numpy
from matplotlib.axes import Axes

from . import bars, charts_sizes
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .heap_story import Story
from .hover import NOBODY, own, owned
from .palette import MUTED, letters
from .panels import Panels
from .results import Row, Tape
from .size_classes import Classes, by_rules
from .units import as_bytes, as_count, as_percent, byte_unit

READING = (
    "Above, which share of the calls asks for which size. Below, a row for each allocator: each stroke is a size that its blocks "
    "have. Whatever is asked for between two strokes gets a block of the stroke to its right, and the rest is lost: where "
    "many calls lie just right of a stroke, that allocator wastes much. Seen are the classes that this tape uses."
)
READING_WASTE = (
    "What is lost inside live blocks when most is asked for (usable less requested bytes), by the size of the block; four bars "
    "a doubling, all panels on one scale. A high bar is a size class that fits this program's sizes badly. Lower is better."
)
ROW_HEIGHT = 0.30  # inches
PLOT, AROUND = (2.35, 1.4), (0.58, 0.14, 0.48, 0.5)  # inches, as Panels has them
SPOTS_MAX = 36  # of an allocator; larger classes are left to the waste's bars
STROKES = 24  # to a doubling, at most
LEAST = 8.0  # bytes, left end of the axes
Found = list[tuple[Row, Classes]]


def end_of(found: Found) -> float:
    return max(64.0, *(float(c.usable[-1]) for _, c in found)) * 1.1


def draw_sizes(canvas: Canvas, axes: Axes, tape: Tape) -> None:
    """The histogram of what is asked for."""
    edges = charts_sizes.edges_for(tape.sizes)
    calls, size = charts_sizes.regroup(tape.sizes, edges)
    share = 100 * calls / max(calls.sum(), 1)
    drawn = numpy.maximum(edges, LEAST)
    bars.boxes(axes, drawn[:-1], 0, drawn[1:], share, color=MUTED, alpha=0.5)
    axes.set_ylabel("calls, %")
    axes.set_ylim(0, float(share.max()) * 1.08)
    tick_plainly(axes.yaxis, 3)
    axes.tick_params(labelbottom=False)
    for i in numpy.nonzero(calls)[0]:
        place = math.sqrt(max(edges[i], LEAST) * edges[i + 1])
        words = f"{as_bytes(edges[i])} to {as_bytes(edges[i + 1] - 1)} asked for"
        canvas.hover.spot(axes, place, share[i], NOBODY, words, f"{as_count(calls[i])} calls, {as_percent(share[i] / 100)}")


def tell(canvas: Canvas, axes: Axes, at: int, owner: int, name: str, classes: Classes) -> None:
    """The classes of a row on hover: those with the most blocks."""
    for i in sorted(numpy.argsort(-classes.blocks, kind="stable")[:SPOTS_MAX]):
        blocks, usable = int(classes.blocks[i]), float(classes.usable[i])
        canvas.hover.spot(
            axes, max(usable, LEAST), at, owner, f"{name}: blocks of {as_bytes(usable)}",
            f"for {as_bytes(float(classes.least[i]))} and more",
            f"{as_count(blocks)} live when most is asked for" if blocks else "none live when most is asked for",
            f"{as_bytes(float(classes.wasted[i]))} lost in them" if blocks else "",
        )  # fmt: skip


def draw_strokes(axes: Axes, places: numpy.ndarray, row: int, colour: str) -> None:
    """All strokes of a row as one path, which is far shorter than one each; of those that would lie on one another, one."""
    places = places[numpy.unique(numpy.floor(STROKES * numpy.log2(places)), return_index=True)[1]]
    heights = numpy.tile([row - 0.34, row + 0.34, numpy.nan], len(places))
    axes.plot(numpy.repeat(places, 3), heights, color=colour, lw=1.0, solid_capstyle="butt")


def draw_classes(context: Context, canvas: Canvas, axes: Axes, found: Found) -> None:
    for i, (row, classes) in enumerate(found):
        owner = context.owner(row.allocator)
        with owned(axes, owner):
            draw_strokes(axes, numpy.maximum(classes.usable, LEAST), i, context.colour[row.allocator])
            bars.words_at_edge(axes, i, f"{as_percent(classes.wasted.sum() / max(classes.requested.sum(), 1.0))} lost")
        tell(canvas, axes, i, owner, row.allocator, classes)
    bars.name_rows(axes, [(r.allocator, context.colour[r.allocator]) for r, _ in found])
    for label, (row, _) in zip(axes.get_yticklabels(), found):
        own(label, context.owner(row.allocator))
    axes.grid(False, axis="y")


def source(seen: int, found: Found) -> str:
    """Where the classes come from: the first so many from snapshots."""
    ruled = ", ".join(shorten(row.allocator) for row, _ in found[seen:])
    words = ["Sizes of blocks that were live at the snapshots"] if seen else []
    return "; ".join(words + ([f"Size classes of {ruled} as known of their usual versions"] if ruled else []))


def classes_chart(context: Context, tape: Tape, found: Found, seen: int) -> Chart | None:
    if tape.sizes is None or tape.sizes.allocations.sum() <= 0:
        return None
    height = ROW_HEIGHT * len(found)
    footer = context.footer(f"{source(seen, found)}; share lost inside blocks when most is asked for")
    title = f"Sizes and size classes: {shorten(tape.label, 44)}"
    canvas = Canvas(WIDTH, height + 1.7, title, "Above: sizes asked for. Below: sizes of the blocks that allocators give.", footer)
    left = max(0.62, 0.25 + max(canvas.text_width(shorten(r.allocator), weight="bold") for r, _ in found))
    width = WIDTH - left - 0.85
    below = canvas.axes(left, 0.52, width, height)
    above = canvas.axes(left, 0.52 + height + 0.1, width, 1.05)
    draw_classes(context, canvas, below, found)
    for axes in (below, above):
        charts_sizes.label_sizes(axes, LEAST, end_of(found))
    above.set_xlabel("")
    draw_sizes(canvas, above, tape)
    said = "; ".join(
        f"{r.allocator}: {as_percent(c.wasted.sum() / max(c.requested.sum(), 1.0))} lost inside blocks, {len(c.usable)} sizes of blocks"
        for r, c in found
    )
    return Chart("classes", "Sizes and size classes", READING, said + ".", canvas)


def by_size(classes: Classes, edges: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Bytes lost, blocks and bytes asked for in each drawn bin of block sizes."""
    at = numpy.clip(numpy.searchsorted(edges, classes.usable, side="right") - 1, 0, len(edges) - 2)
    return tuple(
        numpy.bincount(at, weights=w, minlength=len(edges) - 1) for w in (classes.wasted, classes.blocks, classes.requested)
    )


def edges_to(end: float) -> numpy.ndarray:
    """As charts_sizes.edges_for(): 16 bytes a bin to 128, then four a doubling."""
    edges = [float(e) for e in range(0, 129, 16)]
    while edges[-1] < end:
        edges.extend(edges[-1] * (1 + (i + 1) / charts_sizes.PER_DOUBLING) for i in range(charts_sizes.PER_DOUBLING))
    return numpy.array(edges)


def draw_waste(context: Context, canvas: Canvas, axes: Axes, pair: tuple[Row, Classes], edges: numpy.ndarray, most: float) -> None:
    (row, classes), owner = pair, context.owner(pair[0].allocator)
    colour = context.colour[row.allocator]
    unit, factor = byte_unit(most)
    lost, blocks, asked = by_size(classes, edges)
    drawn = numpy.maximum(edges, LEAST)
    with owned(axes, owner):
        bars.boxes(axes, drawn[:-1], 0, drawn[1:], lost / factor, color=colour, alpha=0.88)
    charts_sizes.label_sizes(axes, LEAST, float(edges[-1]))
    axes.set_xticks(axes.get_xticks()[::2], labels=[t.get_text() for t in axes.get_xticklabels()][::2])
    axes.set_xlabel("size of the block")
    axes.set_ylim(0, 1.06 * most / factor)
    tick_plainly(axes.yaxis, 4)
    axes.set_ylabel(f"lost, {unit}")
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    name = shorten(row.allocator, 26)
    axes.annotate(name, (0, 1), xytext=(0, 17), size=TEXT + 0.5, weight="bold", color=letters(colour), **place)
    total = classes.wasted.sum()
    words = f"{as_bytes(float(total))} lost in all, {as_percent(total / max(classes.requested.sum(), 1.0))} of what is asked for"
    axes.annotate(words, (0, 1), xytext=(0, 5), size=TEXT - 1.6, color=MUTED, **place)
    canvas.hover.by = "x"
    for i in numpy.nonzero(blocks)[0]:
        middle = math.sqrt(max(edges[i], LEAST) * edges[i + 1])
        canvas.hover.spot(
            axes, middle, lost[i] / factor, owner, f"blocks of {as_bytes(edges[i])} to {as_bytes(edges[i + 1] - 1)}",
            f"{as_count(blocks[i])} live, {as_bytes(float(asked[i]))} asked for",
            f"{as_bytes(float(lost[i]))} lost, {as_percent(lost[i] / max(asked[i], 1.0))} of it",
        )  # fmt: skip


def waste_chart(context: Context, tape: Tape, found: Found, seen: int) -> Chart | None:
    edges = edges_to(end_of(found))
    most = max(float(by_size(c, edges)[0].max()) for _, c in found)
    if most <= 0:
        return None
    footer = context.footer(f"{source(seen, found)}; live blocks when most is asked for, usable less requested bytes")
    title = f"Lost inside blocks, by size: {shorten(tape.label, 44)}"
    sheet = Panels(len(found), PLOT, AROUND, title, "Lower is better; one scale.", footer)
    for i, pair in enumerate(found):
        draw_waste(context, sheet.canvas, sheet.axes(i, context.owner(pair[0].allocator)), pair, edges, most)
    said = "; ".join(f"{r.allocator}: {as_bytes(float(c.wasted.sum()))} lost inside blocks" for r, c in found)
    return Chart("class_waste", "Lost inside blocks, by size", READING_WASTE, said + ".", sheet.canvas)


def found_in(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> tuple[Found, Found]:
    seen = [(row, story.classes) for row, story in stories if story.classes is not None]
    names, rules = {row.allocator for row, _ in seen}, by_rules(context.results.folder, tape)
    return seen, [(row, rules[row.allocator]) for row in tape.rows if row.ok and row.allocator not in names and row.allocator in rules]


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> list[Chart]:
    """Both charts, of what was seen and, for those without snapshots, of what is known by rule; none where neither is."""
    seen, ruled = found_in(context, tape, stories)
    found = seen + ruled
    charts = [classes_chart(context, tape, found, len(seen)), waste_chart(context, tape, found, len(seen))] if found else []
    return [chart for chart in charts if chart is not None]
