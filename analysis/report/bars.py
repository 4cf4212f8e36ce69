"""Horizontal bars from zero, one for each allocator, with intervals, values at their ends and failed rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from .canvas import TEXT, WIDTH, Canvas, shorten
from .hover import NOBODY, own, owned
from .palette import INK, MUTED, PAPER, letters
from .fields import Interval

ROW_HEIGHT = 0.36  # inches
OUTLIER = 1.5  # an interval may stretch the axis to this multiple of the longest bar; beyond it has an arrow


@dataclass(frozen=True)
class Bar:
    """One row. Without an interval it is a failed row and `words` says why."""

    name: str
    colour: str
    value: Interval | None
    words: str
    dots: tuple[float, ...] = field(default=())  # single rounds
    owner: int = NOBODY
    said: tuple[str, ...] = field(default=())  # on hover, below the name; `words` where there is nothing better


def sheet(title: str, subtitle: str, footer: str, bars: list[Bar]) -> tuple[Canvas, Axes]:
    """A canvas with room for the names at the left and for the words behind the longest bar."""
    canvas = Canvas(WIDTH, ROW_HEIGHT * len(bars) + 0.75, title, subtitle, footer)
    left = 0.25 + max(canvas.text_width(shorten(b.name), weight="bold") for b in bars)
    right = 0.25 + max([canvas.text_width(b.words, TEXT - 0.6) for b in bars if b.value] or [0.0])
    axes = canvas.axes(left, 0.52, WIDTH - left - right, ROW_HEIGHT * len(bars))
    return canvas, axes


def draw(axes: Axes, bars: list[Bar], least: float = 0.0) -> float:
    """Draws from the top down; returns the axis' end: all intervals fit, and at least `least`."""
    ends = [max([b.value.high, *b.dots]) for b in bars if b.value]
    longest = max([b.value.median for b in bars if b.value] + [least])
    end = min(max([*ends, least]), longest * OUTLIER) * 1.03 or 1.0
    for i, bar in enumerate(bars):
        with owned(axes, bar.owner):
            draw_bar(axes, i, bar, end)
    axes.set_xlim(0, end)
    name_rows(axes, [(b.name, b.colour) for b in bars])
    for label, bar in zip(axes.get_yticklabels(), bars):
        own(label, bar.owner)
    axes.grid(False, axis="y")
    axes.spines["left"].set_color(MUTED)
    return end


def tell(canvas: Canvas, axes: Axes, bars: list[Bar]) -> None:
    """What each row says on hover; after the axes have their limits."""
    canvas.hover.by = "y"
    for i, bar in enumerate(bars):
        x = min(bar.value.median, axes.get_xlim()[1]) if bar.value else 0.0
        canvas.hover.spot(axes, x, i, bar.owner, bar.name, *(bar.said or (bar.words,)))


def boxes(axes: Axes, left, bottom, right, top, **style) -> PathPatch:
    """Boxes of one look as one path, which is far shorter and quicker than one each. The axes' limits are the caller's."""
    corners = numpy.stack(numpy.broadcast_arrays(*[numpy.asarray(v, dtype=float) for v in (left, bottom, right, top)]), axis=-1)
    corners = corners.reshape(-1, 4)[:, [0, 1, 2, 1, 2, 3, 0, 3, 0, 1]].reshape(-1, 2)  # round it, and where it began
    codes = numpy.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(corners) // 5)
    patch = PathPatch(Path(corners, codes), **({"lw": 0, "zorder": 3} | style))
    return axes.add_artist(patch)


def draw_bar(axes: Axes, i: int, bar: Bar, end: float) -> None:
    """One row."""
    if bar.value is None:
        words_instead(axes, i, bar.words)
        return
    axes.barh(i, bar.value.median, height=0.62, color=bar.colour, lw=0, zorder=3, alpha=0.88)
    dots = [d for d in bar.dots if d <= end]
    axes.plot(dots, [i + 0.42] * len(dots), ls="", marker="|", ms=3.2, mew=0.7, color=MUTED, zorder=4)
    if len(dots) < len(bar.dots):  # none is hidden: those beyond the axis are counted at its end
        beyond = f"+{len(bar.dots) - len(dots)} to {max(bar.dots):.3g}"
        axes.annotate(beyond, (end, i + 0.42), ha="right", va="center", size=TEXT - 2.4, color=MUTED)
    draw_interval(axes, bar.value, i, end)
    axes.annotate(
        bar.words,
        (min(bar.value.high, end), i),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        size=TEXT - 0.6,
        color=INK,
        annotation_clip=False,
    )


def draw_interval(axes: Axes, value: Interval, row: int, end: float) -> None:
    """The interval with its two ends, on a halo of paper so that it shows on a dark bar as well.

    One that goes on beyond the axis has an arrow there instead of an end.
    """
    for colour, width in ((PAPER, 2.6), (INK, 1.1)):
        axes.plot([value.low, min(value.high, end)], [row, row], color=colour, lw=width, zorder=5)
        for x in (value.low, value.high):
            if x <= end:
                axes.plot([x, x], [row - 0.14, row + 0.14], color=colour, lw=width, zorder=5)
    if value.high > end:
        axes.plot([end], [row], marker=">", ms=4.5, color=INK, zorder=6, clip_on=False)


def name_rows(axes: Axes, rows: list[tuple[str, str]], limit: int = 20) -> None:
    """One row each, from the top down, for (name, colour): the names stand at the left."""
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([shorten(name, limit) for name, _ in rows], weight="bold")
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    for label, (_, colour) in zip(axes.get_yticklabels(), rows):
        label.set_color(letters(colour))


def words_at_edge(axes: Axes, row: int, words: str) -> None:
    """Words right of the plot, in a row."""
    axes.annotate(
        words,
        (1, row),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        size=TEXT - 0.8,
        color=INK,
    )


def words_instead(axes: Axes, row: int, words: str) -> None:
    """What stands in a row without a figure."""
    place = axes.get_yaxis_transform()
    axes.text(0.012, row, f"✕ {shorten(words, 52)}", va="center", size=TEXT - 0.6, color=INK, transform=place)


def mark_line(axes: Axes, x: float, words: str, rows: int) -> None:
    """A dashed upright line with its words just above the plot."""
    axes.plot([x, x], [-0.55, rows - 0.45], color=INK, lw=1.0, ls=(0, (3, 2)), zorder=6)
    axes.annotate(
        words,
        (x, -0.55),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        size=TEXT - 1.6,
        color=INK,
        annotation_clip=False,
    )
