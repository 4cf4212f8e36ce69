"""Latency of single calls over the run: a panel for each allocator, all on one scale."""

from __future__ import annotations

import numpy
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .canvas import TEXT, Canvas, shorten
from .charts_latency import LEAST_NS, time_label
from .context import Chart, Context
from .curves import label_operations, tick_plainly
from .hover import NOBODY, Track
from .key import Entry
from .latency import Latency
from .palette import FIXED, letters
from .panels import Panels
from .results import Tape
from .units import as_ns

READING = (
    "The run cut into stretches of operations. The thick line is the time that 99 of 100 calls of a stretch stay below, the thin "
    "one half of them, each dot the slowest call of its stretch. Dots far above the line are single calls that had to wait: for "
    "the kernel, for a lock, or for this machine (compare with null, which does nothing). All panels have the same "
    "logarithmic scale. Lower is better."
)
PLOT, AROUND = (2.3, 1.6), (0.6, 0.14, 0.3, 0.48)  # inches, as Panels has them
KEY = (Entry("99 of 100 calls at most", "line"), Entry("half of them at most", "thin"), Entry("the slowest of its stretch", "dot"))
STYLES = (("99 of 100", "p99", {"lw": 2.0}), ("half", "p50", {"lw": 0.9}))


def clipped(values: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(values, LEAST_NS)


def draw_dots(axes: Axes, x: numpy.ndarray, y: numpy.ndarray, colour: str) -> None:
    """One path of very short strokes: hundreds of markers would be as many elements of an SVG."""
    short = 0.002 * (x[-1] - x[0] or 1.0)
    xs = numpy.stack([x, x + short, numpy.full(len(x), numpy.nan)], axis=1).ravel()
    ys = numpy.repeat(y, 3)
    axes.plot(xs, ys, color=colour, lw=1.6, alpha=0.6, zorder=3)


def draw_panel(context: Context, canvas: Canvas, axes: Axes, row: Latency, ends: tuple[float, float]) -> None:
    colour, owner, run = context.colour.get(row.allocator, FIXED["null"]), context.owner(row.allocator), row.over_time
    x_factor = label_operations(axes, ends[0], 4)
    axes.set_yscale("log")
    axes.set_xlim(0, ends[0] / x_factor)
    axes.set_ylim(LEAST_NS, ends[1] * 1.6)
    x = run.operation / x_factor
    draw_dots(axes, x, clipped(run.slowest), colour)
    for _, which, style in STYLES:
        axes.plot(x, clipped(getattr(run, which)), color=colour, zorder=4, **style)
    tick_plainly(axes.xaxis, 4)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: time_label(v)))
    axes.yaxis.set_minor_locator(NullLocator())
    name = shorten(row.allocator, 26)
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(name, (0, 1), xytext=(0, 5), size=TEXT + 0.5, weight="bold", color=letters(colour), **place)
    canvas.hover.scale(axes, "operations", x_factor)
    for words, values in (("slowest", run.slowest), ("99 of 100", run.p99), ("half", run.p50)):
        canvas.hover.tracks.append(Track(axes, owner, words, "ns", run.operation, values))


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no latency run left its course."""
    rows = sorted((r for r in tape.latencies if r.over_time is not None), key=lambda r: context.owner(r.allocator) == NOBODY)
    if not any(context.owner(r.allocator) != NOBODY for r in rows):
        return None
    ends = (
        max(float(r.over_time.operation[-1]) for r in rows) or 1.0,
        max(10.0, *(float(numpy.nanmax(r.over_time.slowest)) for r in rows)),
    )
    footer = context.footer("Latest latency round, all kinds of calls together", "Faster than 1 ns drawn at 1 ns")
    title = f"Latency over the run: {shorten(tape.label, 48)}"
    sheet = Panels(len(rows), PLOT, AROUND, title, "Lower is better; one logarithmic scale.", footer, KEY)
    for i, row in enumerate(rows):
        draw_panel(context, sheet.canvas, sheet.axes(i, context.owner(row.allocator)), row, ends)
    said = "; ".join(f"{r.allocator}: slowest {as_ns(float(numpy.nanmax(r.over_time.slowest)))}" for r in rows)
    return Chart("latency_time", "Latency over the run", READING, said + ".", sheet.canvas)
