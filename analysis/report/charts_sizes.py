"""Sizes asked for: share of allocations by size, and how much of the calls and of the bytes lies below it."""

from __future__ import annotations

import numpy

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .hover import NOBODY
from .palette import letters
from .results import Sizes, Tape
from .units import as_bytes, as_count, as_percent, byte_unit

READING = (
    "Bars: which share of all allocations (and of realloc's new sizes) asked for that size; four bars a doubling from 64 B on. "
    "Lines: the share of calls and of bytes in requests up to that size. Where the two lines lie far apart, a few large blocks "
    "make up the bytes and many small ones the calls. The axis of sizes is logarithmic."
)
BLUE, RUST = "#0072b2", "#d55e00"
PER_DOUBLING = 4


def edges_for(sizes: Sizes) -> numpy.ndarray:
    """Edges of the drawn bins: 16-byte steps to 128 B, then four a doubling; the bins of the file never split."""
    top = float(sizes.high.max()) + 1
    edges = [float(e) for e in range(0, 129, 16)]
    while edges[-1] < top:
        start = edges[-1]
        edges.extend(start * (1 + (i + 1) / PER_DOUBLING) for i in range(PER_DOUBLING))
    return numpy.array(edges)


def regroup(sizes: Sizes, edges: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Allocations and bytes by drawn bin."""
    at = numpy.clip(numpy.searchsorted(edges, sizes.low, side="right") - 1, 0, len(edges) - 2)
    calls = numpy.bincount(at, weights=sizes.allocations, minlength=len(edges) - 1)
    size = numpy.bincount(at, weights=sizes.allocated_bytes, minlength=len(edges) - 1)
    return calls, size


def reached(sizes: Sizes, weights: numpy.ndarray) -> float:
    """Upper end of the bin in which half of the weights is reached."""
    running = numpy.cumsum(weights)
    return float(sizes.high[int(numpy.searchsorted(running, running[-1] / 2))])


def label_sizes(axes, low: float, high: float) -> None:
    """Ticks at powers of four with their units."""
    ticks = [float(4**p) for p in range(2, 32) if low <= 4**p <= high * 1.01]
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.set_xticks(ticks)
    axes.set_xticklabels([f"{t / factor:g} {unit}" for t in ticks for unit, factor in [byte_unit(t)]])
    axes.minorticks_off()
    axes.set_xlabel("size asked for (log scale)")


def mark_halves(axes, calls: float, size: float) -> None:
    """A dot where each curve passes one half, and its name beside: calls always lie left of bytes."""
    for x, name, dot, colour, side in (
        (calls, "calls", BLUE, BLUE, -1),
        (size, "bytes", RUST, letters(RUST), 1),
    ):
        axes.plot([x], [50], marker="o", ms=5.5, color=dot, zorder=6)
        axes.annotate(
            name,
            (x, 50),
            xytext=(8 * side, -3 * side),
            textcoords="offset points",
            va="center",
            ha="right" if side < 0 else "left",
            size=TEXT,
            color=colour,
            weight="bold",
            zorder=7,
        )


def tell(canvas: Canvas, axes, bins: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]) -> None:
    """A bar's share on hover, and what lies up to its end."""
    edges, calls, size = bins
    canvas.hover.by = "x"
    upto = numpy.cumsum(calls) / calls.sum(), numpy.cumsum(size) / max(size.sum(), 1)
    for i in numpy.nonzero(calls)[0]:
        low, high = max(edges[i], 8.0), edges[i + 1]
        canvas.hover.spot(
            axes, (low * high) ** 0.5, 100 * calls[i] / calls.sum(), NOBODY,
            f"{as_bytes(edges[i])} to {as_bytes(high - 1)}",
            f"{as_count(calls[i])} calls, {as_percent(calls[i] / calls.sum())}",
            f"{as_bytes(float(size[i]))}, {as_percent(size[i] / max(size.sum(), 1))}",
            f"up to here {as_percent(upto[0][i])} of the calls, {as_percent(upto[1][i])} of the bytes",
        )  # fmt: skip


def draw(context: Context, tape: Tape) -> Chart | None:
    sizes = tape.sizes
    if sizes is None or sizes.allocations.sum() <= 0:
        return None
    edges = edges_for(sizes)
    calls, size = regroup(sizes, edges)
    used = numpy.nonzero(calls)[0]
    low, high = 8.0, max(float(edges[used[-1] + 1]), 64.0)
    end = high * (high / low) ** 0.10  # room for a name right of the curves
    drawn_edges = numpy.maximum(edges, low)
    share = 100 * calls / calls.sum()
    running_calls = 100 * numpy.cumsum(calls) / calls.sum()
    running_bytes = 100 * numpy.cumsum(size) / max(size.sum(), 1)
    footer = f"Bars: share of calls by size. Lines: share of calls and of bytes up to a size. {as_count(sizes.allocations.sum())} allocations of {as_bytes(float(sizes.allocated_bytes.sum()))} in all. Zero bytes are drawn in the first bar."
    half_calls, half = (
        float(numpy.interp(50, running, edges[1:])) for running in (running_calls, running_bytes)
    )
    at_most = [as_bytes(reached(sizes, w)) for w in (sizes.allocations, sizes.allocated_bytes)]
    subtitle = f"Half of the calls ask for ≤ {at_most[0]}; half of the bytes lie in sizes ≤ {at_most[1]}."
    canvas = Canvas(WIDTH, 3.7, f"Sizes asked for: {shorten(tape.label, 40)}", subtitle, footer)
    axes = canvas.axes(0.56, 0.5, WIDTH - 0.7, 3.1)
    bars.boxes(axes, drawn_edges[:-1][used], 0, drawn_edges[1:][used], share[used], color=BLUE, alpha=0.45)
    label_sizes(axes, low, end)
    upto = edges[1:]
    axes.plot([low, *upto, end], [0, *running_calls, 100], color=BLUE, lw=1.9, zorder=4)
    axes.plot([low, *upto, end], [0, *running_bytes, 100], color=RUST, lw=1.9, ls=(0, (5, 1.5)), zorder=4)
    axes.set_ylim(0, 104)
    tick_plainly(axes.yaxis, 5)
    axes.set_ylabel("share, %")
    mark_halves(axes, half_calls, half)
    tell(canvas, axes, (edges, calls, size))
    said = (
        f"Half of the calls ask for {at_most[0]} or less; half of the bytes lie in requests up to {at_most[1]}; "
        f"the commonest bar holds {as_percent(float(share.max()) / 100)} of the calls."
    )
    return Chart("sizes", "Sizes asked for", READING, said, canvas)
