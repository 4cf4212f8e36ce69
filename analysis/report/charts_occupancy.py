"""How full pages are, of 4 KiB and of 2 MiB, at the highest resident and at the end."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .heap_story import Story
from .hover import own
from .palette import MUTED, PAPER, letters
from .results import Row, Tape
from .units import as_bytes, as_percent, byte_unit

READING = (
    "Each bar is an allocator's resident memory, cut by how full of live blocks its pages are: dark without a block, bright nearly full. "
    "Long dark parts could be given back (or are the allocator's own tables); the next ones are pinned by a few blocks. With 2 MiB "
    "pages the same blocks pin more: what is dark on the left and brighter on the right could be given back only in small pages."
)
NAMES = ("no block", "under 10 %", "10 to 25 %", "25 to 50 %", "50 to 75 %", "75 % and more")
SHADES = ("#1f3a6d", "#46506c", "#666970", "#8b8677", "#bdb06c", "#f2df52")
ROW = 0.27  # inches


def key(canvas: Canvas, x: float, y: float) -> None:
    canvas.text(x, y, "live on a page:", size=TEXT - 0.8, color=MUTED, va="center")
    x += canvas.text_width("live on a page:", TEXT - 0.8) + 0.15
    for words, colour in zip(NAMES, SHADES):
        canvas.figure.add_artist(
            Rectangle((x / canvas.width, (y - 0.05) / canvas.height), 0.2 / canvas.width, 0.1 / canvas.height, facecolor=colour, lw=0)
        )
        canvas.text(x + 0.26, y, words, size=TEXT - 0.8, color=MUTED, va="center")
        x += 0.26 + canvas.text_width(words, TEXT - 0.8) + 0.18


def draw_panel(
    context: Context, canvas: Canvas, axes: Axes, rows: list[tuple[Row, numpy.ndarray]], end: float, factor: float, title: str, named: bool
) -> None:
    for i, (row, classes) in enumerate(rows):
        owner, left = context.owner(row.allocator), 0.0
        for name, colour, value in zip(NAMES, SHADES, classes):
            for artist in axes.barh(i, value / factor, left=left / factor, height=0.66, color=colour, edgecolor=PAPER, lw=0.4, zorder=3):
                own(artist, owner)
            left += value
        parts = [f"{name}: {as_bytes(v)} ({as_percent(v / max(classes.sum(), 1))})" for name, v in zip(NAMES, classes)]
        canvas.hover.spot(axes, min(classes.sum() / 2, end) / factor, i, owner, f"{row.allocator}, {title}", *parts)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, end / factor * 1.02)
    tick_plainly(axes.xaxis, 5)
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(rows)), labels=[shorten(r.allocator, 16) if named else "" for r, _ in rows])
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
    canvas = Canvas(9.4, 2 * (height + 0.72) + 0.1, f"How full pages are: {shorten(tape.label, 48)}", "", footer)
    canvas.hover.by = "y"
    key(canvas, 0.14, canvas.height - 0.45)
    left = 0.2 + max(canvas.text_width(shorten(r.allocator, 16), TEXT - 0.8, "bold") for r, _ in stories)
    width = (9.4 - left - 0.55) / 2
    for line, (moment, when) in enumerate((("end", "at the end"), ("peak", "at the highest resident"))):
        for at, (size, words) in enumerate((("small", "pages of 4 KiB"), ("huge", "pages of 2 MiB"))):
            axes = canvas.axes(left + at * (width + 0.3), 0.5 + line * (height + 0.72), width, height)
            rows = [(r, getattr(getattr(s, moment), size)) for r, s in stories]
            draw_panel(context, canvas, axes, rows, end, factor, f"{words}, {when}", at == 0)
            axes.set_xlabel(f"resident, {unit}" if line == 0 else "")
    said = "; ".join(
        f"{r.allocator}: {as_percent(s.peak.small[:3].sum() / max(s.peak.small.sum(), 1))} on pages of 4 KiB under a quarter full at the highest "
        f"resident, {as_percent(s.end.small[:3].sum() / max(s.end.small.sum(), 1))} at the end" for r, s in stories
    )  # fmt: skip
    return Chart("page_occupancy", "How full pages are", READING, said + ".", canvas, True)
