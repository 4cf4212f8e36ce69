"""Sizes asked for: share of allocations by size, and how much of the calls and of the bytes lies below it."""

from __future__ import annotations

import numpy

from . import labels
from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .palette import INK, MUTED
from .results import Sizes, Tape
from .units import as_bytes, as_count, as_percent

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


def median_size(sizes: Sizes) -> float:
    """Upper end of the bin in which half of the calls are reached."""
    running = numpy.cumsum(sizes.allocations)
    return float(sizes.high[int(numpy.searchsorted(running, running[-1] / 2))])


def label_sizes(axes, low: float, high: float) -> None:
    """Ticks at powers of four with their units."""
    ticks = [float(4**p) for p in range(2, 32) if low <= 4**p <= high * 1.01]
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.set_xticks(ticks)
    axes.set_xticklabels([as_bytes(t) for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("size asked for (log scale)")


def draw(context: Context, tape: Tape) -> Chart | None:
    sizes = tape.sizes
    if sizes is None or sizes.allocations.sum() <= 0:
        return None
    edges = edges_for(sizes)
    calls, size = regroup(sizes, edges)
    used = numpy.nonzero(calls)[0]
    low, high = 8.0, max(float(edges[used[-1] + 1]), 64.0)
    drawn_edges = numpy.maximum(edges, low)
    share = 100 * calls / calls.sum()
    running_calls = 100 * numpy.cumsum(calls) / calls.sum()
    running_bytes = 100 * numpy.cumsum(size) / max(size.sum(), 1)
    footer = f"{as_count(sizes.allocations.sum())} allocations of {as_bytes(float(sizes.allocated_bytes.sum()))} in all. Zero bytes are drawn in the first bar."
    canvas = Canvas(9.6, 3.3, f"Sizes asked for: {shorten(tape.name, 48)}", "Bars: share of calls by size. Lines: share of calls and of bytes up to a size.", footer)
    axes = canvas.axes(0.62, 0.55, 7.4, 2.65)
    axes.bar(drawn_edges[:-1], share, width=numpy.diff(drawn_edges), align="edge", color=BLUE, alpha=0.45, lw=0, zorder=3)
    label_sizes(axes, low, high)
    upto = edges[1:]
    axes.plot([low, *upto], [0, *running_calls], color=BLUE, lw=1.9, zorder=4)
    axes.plot([low, *upto], [0, *running_bytes], color=RUST, lw=1.9, ls=(0, (5, 1.5)), zorder=4)
    axes.set_ylim(0, 104)
    tick_plainly(axes.yaxis, 5)
    axes.set_ylabel("share, %")
    half = float(numpy.interp(50, running_bytes, upto))
    labels.column(axes, high, [(100.0, "calls up to this size", BLUE), (99.0, "bytes up to this size", RUST)], TEXT - 0.5)
    axes.axhline(50, color=MUTED, lw=0.7, ls=(0, (2, 2)), zorder=2)
    axes.annotate("half", (1, 50), xycoords=("axes fraction", "data"), xytext=(7, 0), textcoords="offset points", va="center", size=TEXT - 1.5, color=INK)
    said = (f"Half of the calls ask for {as_bytes(median_size(sizes))} or less; half of the bytes lie in requests up to {as_bytes(half)}; "
            f"the commonest bar holds {as_percent(float(share.max()) / 100)} of the calls.")
    return Chart("sizes", "Sizes asked for", READING, said, canvas, True)
