"""What resident memory is made of in the course of the replay: live, pinned, and what could be given back. A panel an allocator."""

from __future__ import annotations

from matplotlib.axes import Axes

from .canvas import Canvas, shorten
from .charts_heapmap import AROUND, title_panel
from .context import Chart, Context
from .curves import label_operations, tick_plainly
from .heap_story import Story
from .hover import Track
from .key import Entry
from .palette import FREE, FULLNESS, MUTED, PAPER, PINNED
from .panels import Panels
from .results import Row, Tape
from .units import as_bytes, as_percent, byte_unit

READING = (
    "From below: bytes that the program uses; free bytes on pages that are well used; free bytes on nearly empty pages (less than a "
    "quarter full), which a few blocks pin: only other placement or an earlier death would get them back (heaptape blame says "
    "whose); and pages without any block, which could be given back to the system at once, but for the allocator's own tables."
)
# As bright as in the heap map: what is used is bright.
PARTS = (
    ("live", "live", FULLNESS[-1]),
    ("full_free", "free on well-used pages", FREE),
    ("sparse_free", "free on nearly empty pages: pinned", PINNED),
    ("empty", "empty pages: could go back", FULLNESS[0]),
)
KEY = tuple(Entry(words, "area", colour) for _, words, colour in PARTS)
PLOT = (2.4, 1.75)  # inches


def draw_panel(context: Context, canvas: Canvas, axes: Axes, row: Row, story: Story, x_max: float, y_max: float) -> None:
    _, factor = byte_unit(y_max)
    owner = context.owner(row.allocator)
    x_factor = label_operations(axes, x_max, 4)
    values = [getattr(story, name) for name, _, _ in PARTS]
    axes.stackplot(
        story.operation / x_factor, *(v / factor for v in values), colors=[c for _, _, c in PARTS], edgecolor=PAPER, lw=0.4, zorder=3
    )
    axes.plot(story.operation / x_factor, story.resident / factor, color=MUTED, lw=0.7, zorder=4)  # bright parts have an edge, too
    axes.set_xlim(0, x_max / x_factor)
    axes.set_ylim(0, y_max / factor * 1.04)
    tick_plainly(axes.xaxis, 4)
    tick_plainly(axes.yaxis, 4)
    at = story.peak_index
    whole = max(story.resident[at], 1.0)
    words = f"of {as_bytes(whole)} {as_percent(story.sparse_free[at] / whole)} pinned, {as_percent(story.empty[at] / whole)} empty"
    title_panel(context, axes, row, words)
    canvas.hover.scale(axes, "operations", x_factor, factor)
    for (_, name, _), value in zip(PARTS, values):
        canvas.hover.tracks.append(Track(axes, owner, name.partition(":")[0], "bytes", story.operation, value))


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> Chart:
    x_max = max(float(s.operation[-1]) for _, s in stories)
    y_max = max(float(s.resident.max()) for _, s in stories)
    unit, _ = byte_unit(y_max)
    footer = context.footer("Snapshots of the first memory run; pages of 4 KiB; nearly empty is less than 25 % live")
    title = f"What resident memory is made of: {shorten(tape.label, 44)}"
    sheet = Panels(len(stories), PLOT, AROUND, title, "", footer, KEY)
    for i, (row, story) in enumerate(stories):
        axes = sheet.axes(i, context.owner(row.allocator))
        draw_panel(context, sheet.canvas, axes, row, story, x_max, y_max)
        axes.set_ylabel(unit)
    said = "; ".join(
        f"{r.allocator}: of {as_bytes(s.resident.max())} at most {as_bytes(s.sparse_free.max())} pinned, {as_bytes(s.empty.max())} without a block"
        for r, s in stories
    )
    return Chart("resident_parts", "What resident memory is made of", READING, said + ".", sheet.canvas)
