"""What changed from one bench to another: a row for each allocator on each tape, with its interval around no change."""

from __future__ import annotations

from matplotlib.axes import Axes

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten
from .changes import METRICS, Change, Changes, span
from .context import Chart, Context
from .curves import tick_plainly
from .hover import own, owned
from .palette import INK, MUTED
from .units import as_change, as_percent

READING = (
    "Each row is an allocator on a tape: how much the new results differ from the old, with the 95 % interval. Filled points are "
    "changes that are shown, hollow ones may be noise: their interval reaches across no change. Left of the dashed line is "
    "better than before. Intervals that leave the chart have arrows."
)
ROW_HEIGHT, NAME = 0.30, 26  # inches, characters


def limit(changes: list[Change]) -> float:
    """Half the width of the axis in percent: all medians, and intervals unless they are far beyond."""
    medians = max(abs(c.change.median) for c in changes)
    ends = max(max(abs(c.change.low), abs(c.change.high)) for c in changes)
    return 108 * max(0.02, min(ends, 2.5 * max(medians, 0.02)))


def draw_row(axes: Axes, at: int, change: Change, colour: str, end: float) -> None:
    low, high = 100 * change.change.low, 100 * change.change.high
    low_end = -min(end, 108.0)
    axes.plot([max(low, low_end), min(high, end)], [at, at], color=colour, lw=1.4, zorder=3)
    for beyond, x, marker in ((low < low_end, low_end, "<"), (high > end, end, ">")):
        if beyond:
            axes.plot([x], [at], marker=marker, ms=4.5, color=colour, zorder=4, clip_on=False)
    filling = colour if change.shown else axes.get_facecolor()
    place = max(min(100 * change.change.median, end), -100.0)
    axes.plot([place], [at], marker="o", ms=6.5, mew=1.4, mec=colour, mfc=filling, zorder=5)
    words = as_change(change.ratio.median) + (f" {change.verdict}" if change.shown else "")
    bars.words_at_edge(axes, at, words)


def words_of(change: Change) -> tuple[str, ...]:
    """On hover."""
    return (
        f"{change.said(change.old)} before, {change.said(change.new)} now",
        f"{as_change(change.ratio.median)}, {span(change)}",
        change.outcome,
    )


def several(changes: list[Change]) -> bool:
    return len({c.tape for c in changes}) > 1


def sheet(metric: str, drawn: list[Change], title: str) -> tuple[Canvas, Axes]:
    height = ROW_HEIGHT * len(drawn)
    subtitle = "Left is better than before; filled where the change is shown."
    canvas = Canvas(WIDTH, height + 0.65, title, subtitle, "Medians and 95 % intervals as heaptape diff tells them.")
    left = 0.25 + max(canvas.text_width(shorten(name_of(c, several(drawn)), NAME), TEXT - 0.6, "bold") for c in drawn)
    return canvas, canvas.axes(left, 0.52, WIDTH - left - 1.05, height)


def name_of(change: Change, several: bool) -> str:
    """With its tape, where there are several."""
    return f"{change.tape}  {change.allocator}" if several else change.allocator


def draw(context: Context, found: Changes, metric: str) -> Chart | None:
    """None where no change of the metric is known."""
    drawn = sorted((c for c in found.of(metric) if c.change), key=lambda c: (c.tape, context.owner(c.allocator)))
    if not drawn:
        return None
    title = f"Change of {METRICS[metric][0]}"
    canvas, axes = sheet(metric, drawn, title)
    end = limit(drawn)
    axes.set_xlim(-min(end, 108.0), end)  # nothing falls by more than all of it
    canvas.hover.by = "y"
    for i, change in enumerate(drawn):
        with owned(axes, context.owner(change.allocator)):
            draw_row(axes, i, change, context.colour[change.allocator], end)
        place = max(min(100 * change.change.median, end), -100.0)
        canvas.hover.spot(axes, place, i, context.owner(change.allocator), name_of(change, several(drawn)), *words_of(change))
    bars.name_rows(axes, [(shorten(name_of(c, several(drawn)), NAME), context.colour[c.allocator]) for c in drawn], NAME)
    for label, change in zip(axes.get_yticklabels(), drawn):
        own(label, context.owner(change.allocator))
    for i in range(1, len(drawn)):
        if drawn[i].tape != drawn[i - 1].tape:
            axes.axhline(i - 0.5, color=MUTED, lw=0.5, zorder=1)
    axes.plot([0, 0], [-0.55, len(drawn) - 0.45], color=INK, lw=1.0, ls=(0, (3, 2)), zorder=2)
    axes.grid(False, axis="y")
    tick_plainly(axes.xaxis, 5)
    axes.tick_params(axis="y", labelsize=TEXT - 0.6)
    axes.set_xlabel(f"change of {METRICS[metric][0]}, %")
    shown = [c for c in drawn if c.shown]
    said = "; ".join(f"{name_of(c, several(drawn))} {as_percent(c.change.median)} {c.verdict}" for c in shown) or "no change is shown"
    return Chart(f"change_{metric}", title, READING, said + ".", canvas)
