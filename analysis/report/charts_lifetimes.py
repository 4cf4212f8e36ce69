"""How long blocks of which size live: the joint density, a box for each pair of doublings."""

from __future__ import annotations

import math

import numpy
from matplotlib.axes import Axes

from . import bars
from .canvas import WIDTH, Canvas, shorten
from .charts_sizes import BLUE, label_sizes
from .context import Chart, Context
from .hover import NOBODY
from .results import Lifetimes, Tape
from .units import as_bytes, as_count, as_percent, byte_unit

READING = (
    "Each box stands for the blocks of a size (to the right, a doubling a column) that lived for so long (upwards, counted in "
    "bytes that the program allocated meanwhile, a doubling a row); its area is their share of all blocks that were freed. Low "
    "boxes are blocks that die at once: cheap for every allocator. Small blocks high up are what pins pages. Blocks that "
    "were never freed are not in it."
)


def middle(low: numpy.ndarray, high: numpy.ndarray) -> numpy.ndarray:
    """Of a doubling, on a logarithmic scale; 0 and 1 stand at 1."""
    return numpy.sqrt(numpy.maximum(low, 1.0) * numpy.maximum(high + 1.0, 1.0))


def draw_squares(axes: Axes, found: Lifetimes) -> None:
    """Areas by share; the commonest pair fills its cell."""
    x, y = numpy.log2(middle(found.size_low, found.size_high)), numpy.log2(middle(found.life_low, found.life_high))
    side = 0.92 * numpy.sqrt(found.blocks / found.blocks.max())
    half_side = numpy.maximum(side, 0.07) / 2
    bars.boxes(axes, 2 ** (x - half_side), 2 ** (y - half_side), 2 ** (x + half_side), 2 ** (y + half_side), color=BLUE, alpha=0.75)


def tell(canvas: Canvas, axes: Axes, found: Lifetimes) -> None:
    total = found.blocks.sum()
    places = zip(middle(found.size_low, found.size_high), middle(found.life_low, found.life_high))
    for i, (x, y) in enumerate(places):
        canvas.hover.spot(
            axes, x, y, NOBODY, f"{as_bytes(found.size_low[i])} to {as_bytes(found.size_high[i])}",
            f"freed {as_bytes(found.life_low[i])} to {as_bytes(found.life_high[i])} of allocation later",
            f"{as_count(found.blocks[i])} blocks, {as_percent(found.blocks[i] / total)}",
        )  # fmt: skip


def label_lifetimes(axes: Axes, high: float) -> None:
    ticks = [float(4**p) for p in range(0, 32, 2) if 4**p <= high]
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.7, high)
    axes.set_yticks(ticks)
    axes.set_yticklabels([f"{t / factor:g} {unit}" for t in ticks for unit, factor in [byte_unit(t)]])
    axes.minorticks_off()
    axes.set_ylabel("lifetime: allocated meanwhile")


def half(found: Lifetimes) -> float:
    """The lifetime that half of the blocks do not reach, the upper end of its doubling."""
    order = numpy.argsort(found.life_high, kind="stable")
    running = numpy.cumsum(found.blocks[order])
    return float(found.life_high[order][int(numpy.searchsorted(running, running[-1] / 2))])


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where the bench did not leave them, or nothing was freed."""
    found = tape.lifetimes
    if found is None or found.blocks.sum() <= 0:
        return None
    freed = f"{as_count(found.blocks.sum())} blocks that were freed; lifetimes in bytes that were allocated meanwhile, their own included."
    at_most = as_bytes(half(found))
    subtitle = f"Half of the freed blocks live for ≤ {at_most} of allocation; areas are shares."
    canvas = Canvas(WIDTH, 3.7, f"Lifetime by size: {shorten(tape.label, 40)}", subtitle, context.footer(freed))
    axes = canvas.axes(0.8, 0.5, WIDTH - 0.94, 3.1)
    label_sizes(axes, 0.7, max(float(found.size_high.max()) * 1.3, 64.0))
    axes.set_xlabel("size (log scale)")
    label_lifetimes(axes, 2 ** (math.ceil(math.log2(float(found.life_high.max()) + 1)) + 0.4))
    draw_squares(axes, found)
    tell(canvas, axes, found)
    most = int(numpy.argmax(found.blocks))
    said = (
        f"Half of the freed blocks live for {at_most} of allocation or less. Commonest: blocks of {as_bytes(found.size_low[most])} to "
        f"{as_bytes(found.size_high[most])} that live for {as_bytes(found.life_low[most])} to {as_bytes(found.life_high[most])}, "
        f"{as_percent(found.blocks[most] / found.blocks.sum())} of all."
    )
    return Chart("lifetimes", "Lifetime by size", READING, said, canvas)
