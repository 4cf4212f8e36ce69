"""Time per operation of each allocator, with intervals and the floor."""

from __future__ import annotations

from . import bars
from .canvas import shorten
from .context import Chart, Context
from .curves import tick_plainly
from .results import Row, Tape
from .units import as_ns, figures

READING = (
    "Time for one malloc, free or realloc, the mean over the replay. Bars are the median of the rounds, the thin line its "
    "interval, each small tick below a bar one round ('+2 to 90': two more beyond the axis, the farthest at 90). The dashed line is the floor: what replaying costs with an allocator that "
    "does nothing. It is part of every bar; what lies right of it is the allocator's own. Lower is better."
)


def by_time(row: Row) -> tuple[bool, float, str]:
    """Fastest first, those without a figure last."""
    return (row.ns is None, row.ns.median if row.ns else 0.0, row.allocator)


def to_bar(context: Context, row: Row) -> bars.Bar:
    colour = context.colour[row.allocator]
    owner = context.owner(row.allocator)
    if row.ns is None:
        return bars.Bar(row.allocator, colour, None, row.failure or "no figure", owner=owner)
    words = f"{as_ns(row.ns.median)} [{figures(row.ns.low)}, {figures(row.ns.high)}]"
    return bars.Bar(row.allocator, colour, row.ns, words, row.ns_rounds, owner, said(row))


def said(row: Row) -> tuple[str, ...]:
    """On hover."""
    rounds = f"{len(row.ns_rounds)} rounds" if row.ns_rounds else ""
    ends = f"interval {as_ns(row.ns.low)} to {as_ns(row.ns.high)}"
    range_of = f"{rounds}, {as_ns(min(row.ns_rounds))} to {as_ns(max(row.ns_rounds))}" if rounds else ""
    net = f"without the floor {as_ns(row.net_ns.median)}" if row.net_ns else ""
    return tuple(w for w in (f"{as_ns(row.ns.median)} an operation", ends, range_of, net) if w)


def draw(context: Context, tape: Tape) -> Chart | None:
    if all(r.ns is None for r in tape.rows):
        return None
    rows = sorted(tape.rows, key=by_time)
    drawn = [to_bar(context, r) for r in rows]
    footer = context.footer("Mean over the replay, floor included")
    canvas, axes = bars.sheet(
        f"Time per operation: {shorten(tape.label, 40)}",
        "Lower is better; ticks are single rounds.",
        footer,
        drawn,
    )
    bars.draw(axes, drawn)
    bars.tell(canvas, axes, drawn)
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel("ns per operation")
    if tape.floor_ns is not None:
        bars.mark_line(axes, tape.floor_ns, f"floor {as_ns(tape.floor_ns)}", len(drawn))
    said = "; ".join(f"{b.name}: {b.words}" for b in drawn)
    return Chart("time", "Time per operation", READING, said + ".", canvas)
