"""Time per operation of each allocator as a multiple of libc's, paired by round."""

from __future__ import annotations

from . import bars
from .canvas import shorten
from .context import Chart, Context
from .curves import tick_plainly
from .results import Row, Tape
from .units import as_change, figures

READING = (
    "Time for one operation as a multiple of libc's in the same round, the median of the rounds with its interval: what the "
    "machine did in a round is in both and falls out, so this is what differences are judged by. Left of the dashed line is "
    "faster than libc. 'not shown' means that the rounds cannot tell the two apart. Lower is better."
)


def order(row: Row) -> tuple[bool, float, str]:
    """Fastest first, those without a figure last."""
    value = row.relative_time
    return (value is None, value.median if value else 0.0, row.allocator)


def said(row: Row) -> tuple[str, ...]:
    """On hover."""
    value = row.relative_time
    if value.verdict == "baseline":
        return ("the measure of the others",)
    shown = f"shown to be {value.verdict}" if value.shown else "no difference shown"
    return (f"{figures(value.median)}× libc's time", f"interval {figures(value.low)} to {figures(value.high)}×", shown)


def to_bar(context: Context, row: Row) -> bars.Bar:
    colour, value, owner = context.colour[row.allocator], row.relative_time, context.owner(row.allocator)
    if value is None:
        return bars.Bar(row.allocator, colour, None, row.failure or "no figure", owner=owner)
    if value.verdict == "baseline":
        words = "libc = 1"
    else:
        words = as_change(value.median) + ("" if value.shown else ", not shown")
    return bars.Bar(row.allocator, colour, value, words, (), owner, said(row))


def draw(context: Context, tape: Tape) -> Chart | None:
    """None without libc to compare with."""
    if tape.baseline is None or not any(r.relative_time and r.allocator != "libc" for r in tape.rows):
        return None
    drawn = [to_bar(context, r) for r in sorted(tape.rows, key=order)]
    footer = context.footer("Floor included in both; ratios are paired by round")
    canvas, axes = bars.sheet(f"Time relative to libc: {shorten(tape.label, 40)}", "Lower is better.", footer, drawn)
    bars.draw(axes, drawn, least=1.0)
    bars.tell(canvas, axes, drawn)
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel("time per operation, multiple of libc's")
    bars.mark_line(axes, 1.0, "libc", len(drawn))
    spoken = "; ".join(f"{b.name}: {b.words}" for b in drawn)
    return Chart("relative_time", "Time relative to libc", READING, spoken + ".", canvas)
