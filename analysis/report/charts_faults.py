"""Page faults over the replay: how often the kernel had to give a page by then."""

from __future__ import annotations

from . import counts
from .context import Chart, Context
from .results import Tape

WHAT = counts.Counted(
    name="faults",
    title="Page faults over the replay",
    subtitle="Faults so far, minor and major; the figure is that of the whole run.",
    axis="page faults so far",
    reading=(
        "Each line counts the page faults of the replay: the first touch of a page that the allocator had from the system, and "
        "the next touch of one that it had given back. A line that rises while the heap does not grow belongs to an allocator "
        "that gives memory back and takes it again. Each fault costs time. Lower is better."
    ),
    note="Memory run of the median round, all threads",
    column="faults",
    symlog=False,
    of=lambda row: row.faults_over_time,
)


def draw(context: Context, tape: Tape) -> Chart | None:
    return counts.draw(context, tape, WHAT)
