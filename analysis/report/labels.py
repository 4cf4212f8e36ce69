"""Where direct labels go so that none lies on another: a column of labels, and labels around points."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from .hover import own


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near `wanted`, at least `gap` apart and inside low..high where there is room, order kept.

    Neighbours that clash are merged into a block around their common mean (isotonic regression).
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    blocks: list[list[float]] = []  # [sum of offsets-corrected wishes, count]
    for rank, i in enumerate(order):
        blocks.append([wanted[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    placed = [total / count for total, count in blocks for _ in range(int(count))]
    room = high - gap * (len(wanted) - 1)
    result = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        result[i] = min(max(placed[rank], low), max(room, low)) + rank * gap
    return result


def room(canvas, words: list[str], size: float) -> float:
    """Inches that a column of such labels takes, with its leaders and a margin."""
    return 0.2 + max(canvas.text_width(w, size, "bold") for w in words)


def column(axes: Axes, x: float, items: list[tuple], size: float) -> None:
    """Labels right of data position `x`, each near its y: (y, text, colour, whether a thin leader goes there, owner)."""
    to_points = 72 / axes.figure.dpi
    low, high = (v * to_points for v in axes.transAxes.transform([(0, 0), (0, 1)])[:, 1])
    at = [axes.transData.transform((x, y))[1] * to_points for y, *_ in items]
    for (y, text, colour, led, owner), wish, place in zip(items, at, spread(at, size * 1.22, low, high)):
        leader = {
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.6,
            "shrinkA": 0,
            "shrinkB": 0,
            "relpos": (0, 0.5),
        }
        label = axes.annotate(
            text,
            (x, y),
            xytext=(7, place - wish),
            textcoords="offset points",
            va="center",
            ha="left",
            size=size,
            color=colour,
            weight="bold",
            annotation_clip=False,
            arrowprops=leader if led else None,
        )
        own(label, owner)


# Directions to try around a point, the pleasant first: (dx, dy, horizontal, vertical alignment).
AROUND = (
    (1, 0, "left", "center"),
    (0.75, 0.75, "left", "bottom"),
    (0.75, -0.75, "left", "top"),
    (-1, 0, "right", "center"),
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (-0.75, 0.75, "right", "bottom"),
    (-0.75, -0.75, "right", "top"),
)


def overlap(one: Bbox, other: Bbox) -> float:
    """Area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width * height if width > 0 and height > 0 else 0.0


def put(
    axes: Axes, item: tuple, distance: float, way: tuple, size: float, leader=None
):
    """Writes one label at a distance in points from its point; returns the annotation."""
    x, y, text, colour, _ = item
    dx, dy, ha, va = way
    offset = (dx * distance, dy * distance)
    return axes.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        ha=ha,
        va=va,
        size=size,
        color=colour,
        weight="bold",
        annotation_clip=False,
        arrowprops=leader,
    )


def best_place(axes: Axes, item: tuple, taken: list[Bbox], size: float) -> tuple[float, tuple, Bbox]:
    """(distance, way, box) that covers least of what is taken and of what is outside; the near one among equals."""
    renderer = axes.figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    best, least = None, float("inf")
    for distance in (7, 13, 22, 34, 48):
        for way in AROUND:
            label = put(axes, item, distance, way, size)
            box = label.get_window_extent(renderer).padded(1.5 * axes.figure.dpi / 72)
            label.remove()
            outside = box.width * box.height - overlap(box, frame)
            cost = sum(overlap(box, other) for other in taken) + 4 * outside + 0.5 * distance
            if cost < least - 1e-9:
                best, least = (distance, way, box), cost
        if least < 0.5 * distance + 1:
            break
    return best


def around(axes: Axes, items: list[tuple], keep_free: list[Bbox], size: float) -> None:
    """Labels beside points (x, y, text, colour, owner): each where it covers least of the others and of keep_free."""
    taken = list(keep_free)
    for item in items:
        distance, way, box = best_place(axes, item, taken, size)
        leader = {"arrowstyle": "-", "color": item[3], "lw": 0.6, "shrinkA": 1, "shrinkB": 3}
        own(put(axes, item, distance, way, size, leader if distance > 7 else None), item[4])
        taken.append(box)
