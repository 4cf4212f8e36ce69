"""How full pages are, of 4 KiB and of 2 MiB, at the highest resident and at the end."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten, widest
from .context import Chart, Context
from .curves import tick_plainly
from .heap_story import Story
from .hover import own
from .key import Entry
from .palette import FULLNESS, MUTED, letters
from .panels import Panels
from .results import Row, Tape
from .units import as_bytes, as_percent, byte_unit

READING = (
    "Each bar is an allocator's resident memory, cut by how full of live blocks its pages are: dark without a block, bright nearly full. "
    "Long dark parts could be given back (or are the allocator's own tables); the next ones are pinned by a few blocks. With 2 MiB "
    "pages the same blocks pin more: what is dark on the left and brighter on the right could be given back only in small pages."
)
NAMES = ("no block", "under 10 %", "10 to 25 %", "25 to 50 %", "50 to 75 %", "75 % and more")
KEY = (Entry("live on a page:", "words"), *(Entry(words, "area", colour) for words, colour in zip(NAMES, FULLNESS)))
ROW = 0.27  # inches


def draw_panel(
    context: Context, canvas: Canvas, axes: Axes, rows: list[tuple[Row, numpy.ndarray]], end: float, factor: float, title: str
) -> None:
    for i, (row, classes) in enumerate(rows):
        owner, left = context.owner(row.allocator), 0.0
        for name, colour, value in zip(NAMES, FULLNESS, classes):
            if value > 0:
                own(bars.boxes(axes, left / factor, i - 0.33, (left + value) / factor, i + 0.33, facecolor=colour, edgecolor=MUTED, lw=0.5), owner)
            left += value
        parts = [f"{name}: {as_bytes(v)} ({as_percent(v / max(classes.sum(), 1))})" for name, v in zip(NAMES, classes)]
        canvas.hover.spot(axes, min(classes.sum() / 2, end) / factor, i, owner, f"{row.allocator}, {title}", *parts)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, end / factor * 1.02)
    tick_plainly(axes.xaxis, 5)
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(rows)), labels=[shorten(r.allocator, 16) for r, _ in rows])
    for label, (row, _) in zip(axes.get_yticklabels(), rows):
        label.set_color(letters(context.colour[row.allocator]))
        label.set_fontweight("bold")
        own(label, context.owner(row.allocator))
    axes.tick_params(axis="y", length=0)
    axes.annotate(title, (0, 1), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points", size=TEXT - 0.4, color=MUTED)


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> Chart:
    height = ROW * len(stories)
    end = max(float(m.small.sum()) for _, s in stories for m in (s.peak, s.end))
    unit, factor = byte_unit(end)
    footer = context.footer("Snapshots of the first memory run; of a 2 MiB page what is resident counts")
    left = 0.2 + widest([shorten(r.allocator, 16) for r, _ in stories], TEXT - 0.8)
    plot, around = (WIDTH - left - 0.2, height), (left, 0.2, 0.3, 0.5)
    title = f"How full pages are: {shorten(tape.label, 48)}"
    sheet = Panels(4, plot, around, title, "Brighter is better.", footer, KEY, columns=2)
    sheet.canvas.hover.by = "y"
    for line, (moment, when) in enumerate((("peak", "at the highest resident"), ("end", "at the end"))):
        for at, (size, words) in enumerate((("small", "pages of 4 KiB"), ("huge", "pages of 2 MiB"))):
            axes = sheet.axes(2 * line + at)
            rows = [(r, getattr(getattr(s, moment), size)) for r, s in stories]
            draw_panel(context, sheet.canvas, axes, rows, end, factor, f"{words}, {when}")
            axes.set_xlabel(f"resident, {unit}")
    said = "; ".join(
        f"{r.allocator}: {as_percent(s.peak.small[:3].sum() / max(s.peak.small.sum(), 1))} on pages of 4 KiB under a quarter full at the highest "
        f"resident, {as_percent(s.end.small[:3].sum() / max(s.end.small.sum(), 1))} at the end" for r, s in stories
    )  # fmt: skip
    return Chart("page_occupancy", "How full pages are", READING, said + ".", sheet.canvas)
