"""Several tapes at a glance: each tape a small point, the geometric mean a large one, relative to libc."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten, widest
from .context import Chart, Context
from .hover import own, owned
from .overview import Overall, overall
from .palette import INK, MUTED
from .panels import Panels
from .units import figures

READING = (
    "One row an allocator, relative to libc on the same tape: each small point is one tape, the large one the geometric mean of "
    "all, with its value. Left of the dashed line is better than libc. Both axes are logarithmic, so that half and double lie "
    "equally far from 1."
)
ROW_HEIGHT = 0.38


def tell(canvas: Canvas, axes: Axes, row: int, owner: int, entry: Overall, which: str) -> None:
    """What a row says on hover."""
    ratios, mean = getattr(entry, which), getattr(entry, f"{which}_mean")
    if mean is None:
        canvas.hover.spot(axes, axes.get_xlim()[0], row, owner, entry.allocator, "no figures")
        return
    words = [f"geometric mean {figures(mean)}×", f"{figures(min(ratios))} to {figures(max(ratios))}× on {len(ratios)} tapes"]
    if entry.failed:
        words.append(f"failed on {entry.failed}")
    canvas.hover.spot(axes, mean, row, owner, entry.allocator, *words)


def draw_row(axes: Axes, row: int, entry: Overall, which: str, colour: str) -> None:
    """One allocator's tapes and its mean."""
    ratios, mean = getattr(entry, which), getattr(entry, f"{which}_mean")
    if mean is None:
        bars.words_instead(axes, row, "no figures")
        return
    axes.plot([min(ratios), max(ratios)], [row, row], color=colour, lw=1.0, alpha=0.55, zorder=3)
    axes.plot(ratios, [row] * len(ratios), ls="", marker="o", ms=3.6, color=colour, alpha=0.75, zorder=4)
    axes.plot([mean], [row], marker="D", ms=8, mfc=colour, mec=axes.get_facecolor(), mew=1.0, zorder=5)
    bars.words_at_edge(axes, row, f"{figures(mean)}×" + (f" ✕{entry.failed}" if entry.failed else ""))


def ticks_around_one(low: float, high: float) -> list[float]:
    """1 and powers of two (or of four, ...) around it; with few of them 0.75 and 1.5 as well."""
    for step in (1, 2, 3, 4, 6, 8):
        ticks = [2.0 ** (step * p) for p in range(-20, 21) if low <= 2.0 ** (step * p) <= high]
        if len(ticks) <= 7:
            break
    if len(ticks) <= 3:
        ticks += [t for t in (0.75, 1.5) if low <= t <= high]
    return sorted(ticks)


def draw_half(canvas: Canvas, axes: Axes, context: Context, rows: list[Overall], which: str, title: str) -> None:
    """One of the two plots: `which` is time or memory."""
    values = [v for r in rows for v in getattr(r, which)]
    low, high = min([*values, 0.9]) / 1.08, max([*values, 1.1]) * 1.08
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    for i, entry in enumerate(rows):
        owner = context.owner(entry.allocator)
        with owned(axes, owner):
            draw_row(axes, i, entry, which, context.colour[entry.allocator])
        tell(canvas, axes, i, owner, entry, which)
    axes.plot([1, 1], [-0.55, len(rows) - 0.45], color=INK, lw=1.0, ls=(0, (3, 2)), zorder=2)
    axes.set_xticks(ticks_around_one(low, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_xlabel("multiple of libc (log scale)")
    axes.set_title(title, loc="left", size=TEXT, color=MUTED, pad=5)


def draw(context: Context) -> Chart | None:
    """None for a single tape, or without libc to compare with."""
    rows = overall(context.results)
    if len(context.results.tapes) < 2 or not any(r.time_mean for r in rows):
        return None
    failed = any(r.failed for r in rows)
    footer = context.footer(
        f"Geometric means over {len(context.results.tapes)} tapes",
        "✕n: failed on n tapes, which its mean leaves out" if failed else "",
    )
    left = 0.25 + widest([shorten(r.allocator) for r in rows])
    sheet = Panels(
        2, (WIDTH - left - 0.85, ROW_HEIGHT * len(rows)), (left, 0.85, 0.4, 0.52),
        "All tapes: time and peak resident relative to libc", "Lower is better; small points are single tapes.", footer,
    )  # fmt: skip
    canvas = sheet.canvas
    canvas.hover.by = "y"
    for k, (which, title) in enumerate(
        (("time", "time per operation, floor included"), ("memory", "peak resident"))
    ):
        axes = sheet.axes(k)
        draw_half(canvas, axes, context, rows, which, title)
        bars.name_rows(axes, [(r.allocator, context.colour[r.allocator]) for r in rows])
        for label, entry in zip(axes.get_yticklabels(), rows):
            own(label, context.owner(entry.allocator))
    said = "; ".join(
        f"{r.allocator}: time {figures(r.time_mean)}×, peak resident {figures(r.memory_mean)}×"
        for r in rows
        if r.time_mean and r.memory_mean
    )
    return Chart("overview", "All tapes", READING, said + ".", canvas)
