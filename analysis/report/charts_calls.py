"""System calls over the replay: how often each allocator had asked the kernel by then."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter

from . import labels
from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, operations_unit, thin
from .hover import Track, owned
from .palette import letters
from .results import Row, Tape
from .units import as_count

READING = (
    "Each line counts the memory system calls (mmap, munmap, mremap, mprotect, madvise, brk) that the allocator had made by "
    "then. A steep line is an allocator that goes to the kernel again and again; steps are bursts, at thread starts or when "
    "memory is given back. The scale is logarithmic above 1. Fewer is not better by itself: see the bytes in the table."
)


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no run counted them."""
    rows = [r for r in tape.rows if r.ok and r.calls_over_time is not None]
    if not rows:
        return None
    largest = max(float(r.calls_over_time.operation[-1]) for r in rows)
    top = max(float(r.calls_over_time.count[-1]) for r in rows)
    _, factor = operations_unit(largest)
    height = max(3.1, 0.24 * len(rows) + 0.9)
    footer = context.footer("Memory run of the median round; what an allocator did before the first operation is not in it")
    title = f"System calls over the replay: {shorten(tape.label, 44)}"
    canvas = Canvas(9.6, height, title, "Calls so far, logarithmic above 1; the figure is that of the whole run.", footer)
    axes = canvas.axes(0.72, 0.55, 6.75, height - 0.65)
    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(0, max(10.0, top) * 1.6)
    axes.set_xlim(0, largest / factor)
    canvas.hover.scale(axes, "operations", factor)
    items = []
    for row in rows:
        calls, colour = row.calls_over_time, context.colour[row.allocator]
        x, y = thin(calls.operation / factor, calls.count)
        with owned(axes, context.owner(row.allocator)):
            axes.step(x, y, where="post", color=colour, lw=1.7)
        canvas.hover.tracks.append(Track(axes, context.owner(row.allocator), row.allocator, "count", column="calls"))
        words = f"{shorten(row.allocator, 16)} {as_count(int(calls.count[-1]))}"
        items.append((float(calls.count[-1]), words, letters(colour), True, context.owner(row.allocator)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: as_count(int(v))))
    axes.set_ylabel("system calls so far")
    label_operations(axes, largest, 8)
    labels.column(axes, largest / factor, items, TEXT - 0.5)
    said = "; ".join(f"{r.allocator} {as_count(int(r.calls_over_time.count[-1]))}" for r in rows)
    return Chart("system_calls", "System calls over the replay", READING, said + ".", canvas, True)
