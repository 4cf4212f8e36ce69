"""System calls over the replay: how often each allocator had asked the kernel by then."""

from __future__ import annotations

from . import counts
from .context import Chart, Context
from .results import Tape

WHAT = counts.Counted(
    name="system_calls",
    title="System calls over the replay",
    subtitle="Calls so far, logarithmic above 1; the figure is that of the whole run.",
    axis="system calls so far",
    reading=(
        "Each line counts the memory system calls (mmap, munmap, mremap, mprotect, madvise, brk) that the allocator had made by "
        "then. A steep line is an allocator that goes to the kernel again and again; steps are bursts, at thread starts or when "
        "memory is given back. The scale is logarithmic above 1. Fewer is not better by itself: see the bytes in the table."
    ),
    note="Memory run of the median round; what an allocator did before the first operation is not in it",
    column="calls",
    symlog=True,
    of=lambda row: row.calls_over_time,
)


def draw(context: Context, tape: Tape) -> Chart | None:
    return counts.draw(context, tape, WHAT)
