"""What a chart says where a pointer or the keyboard stands on it, and which of its parts belong to which allocator.

A sheet collects Spots (single marks with their words) and Tracks (curves whose values are read at a moment) while it is
drawn; model() puts them into the coordinates of its SVG. The page's script (templates/hover.js.j2) does the rest. Parts of an
allocator carry data-a="INDEX", by which the legend switches them on and off.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Iterator, Sequence

import numpy
from matplotlib.axes import Axes

NOBODY = -1  # the owner of what belongs to no allocator
MARK = re.compile(r'\bid="owner-(\d+)"')
POINTS_MAX = 240  # values of a track that the page gets


@dataclass(frozen=True)
class Spot:
    """A mark at (x, y) of the data of `axes`. `words` are its lines; the first is its name."""

    axes: Axes
    x: float
    y: float
    owner: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """A curve. Values come along, or `column` (over another: column/over - 1) of the page's series of its allocator."""

    axes: Axes
    owner: int
    name: str
    kind: str  # of its values: bytes, ns, count, percent, share
    x: Sequence[float] = ()
    y: Sequence[float] = ()
    column: str = ""
    over: str = ""
    least: float = 0.0  # with `over`: said only where that is at least so much


@dataclass
class Hover:
    """Of one sheet."""

    by: str = ""  # "x" or "y": the spot in the column or row under the pointer counts, not the nearest
    spots: list[Spot] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    scales: dict[Axes, tuple[str, float, float]] = field(default_factory=dict)

    def spot(self, axes: Axes, x: float, y: float, owner: int, *words: str) -> None:
        self.spots.append(Spot(axes, float(x), float(y), owner, tuple(w for w in words if w)))

    def scale(self, axes: Axes, kind: str, x_factor: float = 1.0, y_factor: float = 1.0) -> None:
        """How x of a plot's tracks is said (operations, seconds, rarity, bytes), and what values were divided by to be drawn."""
        self.scales[axes] = (kind, x_factor, y_factor)


@contextlib.contextmanager
def owned(axes: Axes, owner: int) -> Iterator[None]:
    """Everything that is added to `axes` meanwhile is the owner's."""
    before = set(axes.get_children())
    yield
    for artist in axes.get_children():
        if artist not in before and artist.get_gid() is None:
            own(artist, owner)


def own(artist, owner: int) -> None:
    if owner == NOBODY:
        return
    artist.set_gid(f"owner-{owner}")
    arrow = getattr(artist, "arrow_patch", None)
    if arrow is not None:
        arrow.set_gid(f"owner-{owner}")


def with_owners(svg: str) -> str:
    """Marks made attributes, since an id may stand only once."""
    return MARK.sub(r'data-a="\1"', svg)


def short(value: float) -> float | int | None:
    """A number as JSON gets it: six figures, no nan."""
    if value is None or not numpy.isfinite(value):
        return None
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


def chosen(length: int, keep: Sequence[int], most: int = POINTS_MAX) -> numpy.ndarray:
    """Indices of at most about `most` points of `length`, evenly spread, with those that must not be lost."""
    if length <= most:
        return numpy.arange(length)
    return numpy.unique(numpy.concatenate((numpy.linspace(0, length - 1, most).astype(int), numpy.array(keep, dtype=int))))


def axis(axes: Axes, which: str) -> list:
    """[scale, low, high] of an axis, in its own data."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    return [axes.get_xscale() if which == "x" else axes.get_yscale(), short(low), short(high)]


def coded(track: Track, shared: list[list]) -> dict:
    entry = {"a": track.owner, "n": track.name, "k": track.kind}
    if track.column:
        entry |= {"c": track.column} | ({"o": track.over, "l": short(track.least)} if track.over else {})
        return entry
    x, y = numpy.asarray(track.x, dtype=float), numpy.asarray(track.y, dtype=float)
    known = numpy.flatnonzero(numpy.isfinite(y))
    extremes = [known[numpy.argmax(y[known])], known[numpy.argmin(y[known])]] if len(known) else []
    at = chosen(len(x), extremes, POINTS_MAX // 2)
    moments = [short(v) for v in x[at]]
    if moments not in shared:  # curves of a panel often have the same
        shared.append(moments)
    return entry | {"x": shared.index(moments), "y": [short(v) for v in y[at]]}


def in_cell(axes: Axes, cell: int) -> bool:
    """Canvas.axes() wrote down which it is."""
    return str(axes.get_gid()).startswith(f"cell-{cell}-")


def model(canvas, cell: int) -> dict:
    """Everything of a part of a sheet as the page's script reads it; {} where there is nothing to say."""
    hover: Hover = canvas.hover
    spots = [s for s in hover.spots if in_cell(s.axes, cell)]
    tracks = [t for t in hover.tracks if in_cell(t.axes, cell)]
    if not spots and not tracks:
        return {}
    scale = 72 / canvas.figure.dpi
    height = canvas.height * 72
    panels: dict[Axes, dict] = {}
    for axes in dict.fromkeys([s.axes for s in spots] + [t.axes for t in tracks]):
        box = axes.get_window_extent()
        kind, x_factor, y_factor = hover.scales.get(axes, ("", 1.0, 1.0))
        panels[axes] = {
            "box": [round(v, 1) for v in (box.x0 * scale, height - box.y1 * scale, box.x1 * scale, height - box.y0 * scale)],
            "x": [*axis(axes, "x"), kind, short(x_factor)],
            "y": [*axis(axes, "y"), short(y_factor)],
            "xs": (shared := []),
            "tracks": [coded(t, shared) for t in tracks if t.axes is axes],
            "spots": [],
        }
    for spot in spots:
        x, y = spot.axes.transData.transform((spot.x, spot.y)) * scale
        panels[spot.axes]["spots"].append([round(float(x), 1), round(float(height - y), 1), spot.owner, *spot.words])
    return {"by": hover.by, "panels": list(panels.values())}
