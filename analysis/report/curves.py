"""Long series made drawable: fewer points with every extreme kept, and axes of operations."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator


def thin(x: numpy.ndarray, y: numpy.ndarray, columns: int = 300) -> tuple[numpy.ndarray, numpy.ndarray]:
    """At most 4 points a column: first, lowest, highest, last. Nothing that a reader could see is lost."""
    if len(x) <= 4 * columns:
        return x, y
    edges = numpy.linspace(0, len(x), columns + 1).astype(int)
    keep: list[int] = []
    for start, stop in zip(edges[:-1], edges[1:]):
        part = y[start:stop]
        if numpy.all(numpy.isnan(part)):
            keep.append(start)
            continue
        keep.extend(
            sorted({start, start + int(numpy.nanargmin(part)), start + int(numpy.nanargmax(part)), stop - 1})
        )
    return x[keep], y[keep]


def operations_unit(largest: float) -> tuple[str, float]:
    """How operations are counted on an axis."""
    if largest >= 2e6:
        return "million operations", 1e6
    return ("thousand operations", 1e3) if largest >= 2e3 else ("operations", 1.0)


def time_unit(largest: float) -> tuple[str, float]:
    """How seconds are counted on an axis."""
    for least, unit, factor in ((7200, "hours", 3600.0), (120, "minutes", 60.0), (2, "seconds", 1.0)):
        if largest >= least:
            return unit, factor
    return "milliseconds", 1e-3


def tick_plainly(axis, bins: int) -> None:
    """About `bins` round ticks without exponents or trailing zeros."""
    axis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".replace("-", "\N{MINUS SIGN}")))


def label_operations(axes: Axes, largest: float, bins: int = 5, of_time: bool = False) -> float:
    """Labels the x axis of operations, or of seconds; returns what to divide by."""
    unit, factor = time_unit(largest) if of_time else operations_unit(largest)
    axes.set_xlabel(f"{unit} of replay" if of_time else f"{unit} replayed")
    tick_plainly(axes.xaxis, bins)
    return factor
