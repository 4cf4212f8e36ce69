"""Peak resident memory of each allocator as a multiple of libc's."""

from __future__ import annotations

from . import bars
from .canvas import shorten
from .context import Chart, Context
from .curves import tick_plainly
from .fields import Interval
from .results import Row, Tape
from .units import as_bytes, as_change, byte_unit, figures

READING = (
    "The most memory that the allocator had resident at any moment of the replay, its own start-up included, as a multiple of "
    "libc's. Left of the dashed line is leaner than libc. Lower is better."
)
READING_ABSOLUTE = (
    "The most memory that the allocator had resident at any moment of the replay, its own start-up included. libc has no "
    "figure here to compare with, so the scale is absolute. Lower is better."
)


def relative_bar(context: Context, row: Row) -> bars.Bar:
    colour, value = context.colour[row.allocator], row.relative_peak_resident
    if value is None:
        return bars.Bar(row.allocator, colour, None, row.failure or "no figure", owner=context.owner(row.allocator))
    peak = as_bytes(row.peak_resident.median) if row.peak_resident else ""
    change = "libc = 1" if value.verdict == "baseline" else as_change(value.median)
    words = f"{change}, {peak}"
    return bars.Bar(row.allocator, colour, value, words, (), context.owner(row.allocator), said(row))


def said(row: Row) -> tuple[str, ...]:
    """On hover."""
    peak, ratio = row.peak_resident, row.relative_peak_resident
    return (
        f"{as_bytes(peak.median)} at its peak, {as_bytes(peak.low)} to {as_bytes(peak.high)}" if peak else "",
        f"{figures(ratio.median)}× libc's, {figures(ratio.low)} to {figures(ratio.high)}" if ratio else "",
        "no difference shown" if ratio and not ratio.shown and ratio.verdict != "baseline" else "",
        f"of it {as_bytes(row.startup_resident)} at start" if row.startup_resident else "",
    )


def absolute_bar(context: Context, row: Row, factor: float) -> bars.Bar:
    colour, value = context.colour[row.allocator], row.peak_resident
    if value is None:
        return bars.Bar(row.allocator, colour, None, row.failure or "no figure", owner=context.owner(row.allocator))
    scaled = Interval(value.median / factor, value.low / factor, value.high / factor)
    return bars.Bar(
        row.allocator,
        colour,
        scaled,
        f"{as_bytes(value.median)} [{figures(scaled.low)}, {figures(scaled.high)}]",
        (),
        context.owner(row.allocator),
        said(row),
    )


def order(row: Row) -> tuple[bool, float, str]:
    """Leanest first, those without a figure last."""
    peak = row.peak_resident
    return (peak is None, peak.median if peak else 0.0, row.allocator)


def draw(context: Context, tape: Tape) -> Chart | None:
    rows = sorted(tape.rows, key=order)
    peaks = [r.peak_resident.median for r in rows if r.peak_resident]
    if not peaks:
        return None
    relative = tape.baseline is not None and any(r.relative_peak_resident for r in rows)
    unit, factor = byte_unit(max(peaks))
    drawn = [relative_bar(context, r) if relative else absolute_bar(context, r, factor) for r in rows]
    title = "Peak resident relative to libc" if relative else "Peak resident"
    footer = context.footer("Start-up of the allocator included, the replaying engine's own memory taken out")
    canvas, axes = bars.sheet(f"{title}: {shorten(tape.label, 40)}", "Lower is better.", footer, drawn)
    bars.draw(axes, drawn, least=1.0 if relative else 0.0)
    bars.tell(canvas, axes, drawn)
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel("peak resident, multiple of libc's" if relative else f"peak resident, {unit}")
    if relative:
        bars.mark_line(axes, 1.0, "libc", len(drawn))
    said = "; ".join(f"{b.name}: {b.words}" for b in drawn)
    return Chart("peak_resident", title, READING if relative else READING_ABSOLUTE, said + ".", canvas)
