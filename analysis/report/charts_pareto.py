"""Time against memory: a point for each allocator, and the front of those that nobody beats in both."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .fields import Interval
from .hover import owned
from .palette import GRID, INK, MUTED, letters
from .results import Row, Tape
from .units import as_bytes, as_ns, byte_unit

READING = (
    "Left is faster, down is leaner, so the best corner is the lower left. The stepped line joins the allocators that no other "
    "beats in both time and memory (the Pareto front); hollow points lie behind it. Bars through the points are the "
    "intervals. The axes do not begin at zero."
)


def front(points: list[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other is at most equal to in both and below in one, by rising x."""
    chosen: list[int] = []
    lowest = float("inf")
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        if points[i][1] < lowest:
            chosen.append(i)
            lowest = points[i][1]
    return chosen


def limits(values: list[Interval], factor: float = 1.0) -> tuple[float, float]:
    """An axis around the intervals with room for labels; zero only where it is near.

    A very long interval does not press all points into a corner: it leaves the chart.
    """
    medians = [v.median / factor for v in values]
    reach = (max(medians) - min(medians)) or 0.5 * max(medians)
    low = max(min(v.low / factor for v in values), min(medians) - reach)
    high = min(max(v.high / factor for v in values), max(medians) + 0.5 * reach)
    room = 0.16 * (high - low) or 0.1 * high or 1.0
    return (max(0.0, low - room), high + room)


def draw_point(axes: Axes, row: Row, factor: float, colour: str, on_front: bool) -> None:
    x, y = row.ns, row.peak_resident
    axes.plot([x.low, x.high], [y.median / factor] * 2, color=colour, lw=1.1, zorder=4)
    axes.plot([x.median] * 2, [y.low / factor, y.high / factor], color=colour, lw=1.1, zorder=4)
    filling = colour if on_front else axes.get_facecolor()
    axes.plot([x.median], [y.median / factor], marker="o", ms=8, mew=1.6, mec=colour, zorder=5, mfc=filling)


def in_words(row: Row, on_front: bool) -> tuple[str, ...]:
    """On hover."""
    time, peak = row.ns, row.peak_resident
    return (
        f"{as_ns(time.median)} an operation, {as_ns(time.low)} to {as_ns(time.high)}",
        f"{as_bytes(peak.median)} peak resident, {as_bytes(peak.low)} to {as_bytes(peak.high)}",
        "on the Pareto front" if on_front else "",
    )


def draw_points(
    axes: Axes, context: Context, rows: list[Row], factor: float, on_front: set[int]
) -> list[Bbox]:
    """Crosses and points; returns the pixels that labels should keep free."""
    boxes = []
    for i, row in enumerate(rows):
        colour = context.colour[row.allocator]
        with owned(axes, context.owner(row.allocator)):
            draw_point(axes, row, factor, colour, i in on_front)
    to_pixels = axes.transData.transform
    for row in rows:
        px, py = to_pixels((row.ns.median, row.peak_resident.median / factor))
        boxes.append(Bbox.from_extents(px - 8, py - 8, px + 8, py + 8))
        (x0, y0), (x1, y1) = to_pixels(
            [(row.ns.low, row.peak_resident.low / factor), (row.ns.high, row.peak_resident.high / factor)]
        )
        boxes.append(Bbox.from_extents(x0, py - 2, x1, py + 2))
        boxes.append(Bbox.from_extents(px - 2, y0, px + 2, y1))
    return boxes


def draw_front(axes: Axes, points: list[tuple[float, float]], chosen: list[int]) -> list[Bbox]:
    """The stepped line to the plot's edges; returns the boxes of its pieces."""
    x_end, y_end = axes.get_xlim()[1], axes.get_ylim()[1]
    xs, ys = [points[chosen[0]][0]], [y_end]
    for i in chosen:
        xs += [points[i][0], points[i][0]]
        ys += [ys[-1], points[i][1]]
    xs.append(x_end)
    ys.append(ys[-1])
    axes.plot(xs, ys, color=MUTED, lw=1.2, ls=(0, (5, 2)), zorder=2)
    corners = axes.transData.transform(list(zip(xs, ys)))
    return [
        Bbox.from_extents(min(a[0], b[0]) - 1, min(a[1], b[1]) - 1, max(a[0], b[0]) + 1, max(a[1], b[1]) + 1)
        for a, b in zip(corners[:-1], corners[1:])
    ]


def mark_baseline(axes: Axes, base: Row | None, factor: float) -> None:
    """A pale cross through libc: what lies left below it is better in both."""
    if base and base.ns and base.peak_resident:
        axes.axvline(base.ns.median, color=GRID, lw=1.6, zorder=1)
        axes.axhline(base.peak_resident.median / factor, color=GRID, lw=1.6, zorder=1)


def label_axes(axes: Axes, unit: str) -> None:
    tick_plainly(axes.xaxis, 6)
    tick_plainly(axes.yaxis, 5)
    axes.set_xlabel("ns per operation, floor included")
    axes.set_ylabel(f"peak resident, {unit}")
    axes.annotate(
        "better",
        (0.012, 0.02),
        xytext=(0.07, 0.10),
        xycoords="axes fraction",
        textcoords="axes fraction",
        size=TEXT - 1,
        color=INK,
        ha="left",
        va="bottom",
        arrowprops={"arrowstyle": "->", "color": INK, "lw": 0.9},
    )


def sheet(context: Context, tape: Tape, rows: list[Row]) -> tuple[Canvas, Axes]:
    failed = [f"{r.allocator} ({r.failure})" for r in tape.rows if r not in rows]
    without = "Without figures: " + ", ".join(failed) if failed else ""
    footer = context.footer("Axes do not begin at zero", without)
    subtitle = "Lower left is better; filled points are on the Pareto front."
    canvas = Canvas(WIDTH, 3.7, f"Time against memory: {shorten(tape.label, 40)}", subtitle, footer)
    return canvas, canvas.axes(0.56, 0.5, WIDTH - 0.7, 3.1)


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no allocator has both figures."""
    rows = [r for r in tape.rows if r.ns and r.peak_resident]
    if not rows:
        return None
    unit, factor = byte_unit(max(r.peak_resident.median for r in rows))
    points = [(r.ns.median, r.peak_resident.median / factor) for r in rows]
    chosen = front(points)
    canvas, axes = sheet(context, tape, rows)
    axes.set_xlim(*limits([r.ns for r in rows]))
    axes.set_ylim(*limits([r.peak_resident for r in rows], factor))
    mark_baseline(axes, tape.baseline, factor)
    label_axes(axes, unit)
    free = draw_front(axes, points, chosen) + draw_points(axes, context, rows, factor, set(chosen))
    named = [(shorten(r.allocator, 18), letters(context.colour[r.allocator]), context.owner(r.allocator)) for r in rows]
    labels.around(axes, [(*point, *name) for point, name in zip(points, named)], free, TEXT)
    for i, row in enumerate(rows):
        canvas.hover.spot(axes, *points[i], context.owner(row.allocator), row.allocator, *in_words(row, i in chosen))
    said = "On the front: " + ", ".join(rows[i].allocator for i in chosen) + ". "
    pairs = [f"{r.allocator}: {as_ns(r.ns.median)}, {as_bytes(r.peak_resident.median)}" for r in rows]
    return Chart("time_memory", "Time against memory", READING, said + "; ".join(pairs) + ".", canvas)
