"""Where the resident memory of each allocator goes at its peak: stacked, largest last."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .hover import own, owned
from .key import Entry
from .palette import INK, MUTED, SHADE
from .results import Row, Tape
from .units import as_bytes, as_percent, byte_unit
from .waste import PARTS, Split, split

READING = (
    "The memory that is resident when it is at its highest, by what it is used for. Grey is what the program asked for; what "
    "lies right of it is the allocator's price: sizes rounded up (full colour), free and cached blocks and its own tables "
    "(paler), what it had before the first operation (palest). The dashed box is memory that it holds and that is not resident. "
    "Percentages are of the memory asked for. Shorter is better."
)
WORDS = {
    "requested": "asked for",
    "rounding": "rounded up",
    "between": "free, cached, tables",
    "startup": "at start",
    "unreturned": "held, not resident",
}
ALPHA = {"rounding": 1.0, "between": 0.55, "startup": 0.25}
KEY = (  # in neutral ink
    Entry(WORDS["requested"], "area", SHADE),
    *(Entry(WORDS[part], "area", INK, alpha) for part, alpha in ALPHA.items()),
    Entry(WORDS["unreturned"], "box"),
)
ROW_HEIGHT = 0.38


def style_of(part: str, colour: str) -> dict:
    if part == "requested":
        return {"facecolor": SHADE, "edgecolor": MUTED, "lw": 0.7}
    if part == "unreturned":
        return {"facecolor": "none", "edgecolor": MUTED, "lw": 0.8, "ls": (0, (3, 2))}
    return {"facecolor": colour, "alpha": ALPHA[part], "lw": 0}


def pieces(found: Split) -> list[tuple[str, float]]:
    """(part, bytes) from the left to the right; those of nothing left out."""
    sizes = [(part, getattr(found, part)) for part in PARTS] + [("unreturned", found.unreturned or 0.0)]
    return [(part, size) for part, size in sizes if size > 0]


def draw_row(axes: Axes, at: int, found: Split, colour: str, factor: float, end: float) -> None:
    left = 0.0
    for part, size in pieces(found):
        width = min(left + size / factor, end) - left
        if width > 0:
            axes.add_patch(Rectangle((left, at - 0.31), width, 0.62, zorder=3, **style_of(part, colour)))
        left += size / factor


def tell(canvas: Canvas, axes: Axes, at: int, owner: int, row: Row, found: Split, factor: float) -> None:
    """The parts of a row on hover."""
    lines = [f"{as_bytes(found.resident)} resident"]
    for part, size in pieces(found):
        share = f", {as_percent(size / found.requested)} of it" if part not in ("requested",) and found.requested else ""
        lines.append(f"{as_bytes(size)} {WORDS[part]}{share}")
    if found.metadata is not None:
        lines.append(f"at most {as_bytes(found.metadata)} of the last two are its own tables")
    if found.unreturned is None:
        lines.append("held and not resident: unknown")
    canvas.hover.spot(axes, min(found.resident / factor, axes.get_xlim()[1]), at, owner, row.allocator, *lines)


def words_for(found: Split) -> str:
    over = as_percent(found.resident / found.requested - 1) if found.requested else "unknown"
    return f"{as_bytes(found.resident)}, {over} over"


def reach(drawn: list[tuple[Row, Split]], factor: float) -> float:
    """The end of the axis: all that is resident, and what is held unless it is far beyond."""
    resident = max(s.resident for _, s in drawn)
    held = max(s.resident + (s.unreturned or 0.0) for _, s in drawn)
    return min(held, 1.8 * resident) / factor * 1.02


def sheet(context: Context, tape: Tape, drawn: list[tuple[Row, Split]]) -> tuple[Canvas, Axes]:
    unknown = [r.allocator for r, s in drawn if s.unreturned is None]
    failed = [f"{r.allocator} ({r.failure})" for r in tape.rows if r.series is None]
    footer = context.footer(
        "At the first point within 1 % of the highest resident, in the memory run of the median round",
        f"What is held and not resident cannot be told for {', '.join(unknown)}" if unknown else "",
        f"Without figures: {', '.join(failed)}" if failed else "",
    )
    rows = len(drawn)
    canvas = Canvas(WIDTH, ROW_HEIGHT * rows + 0.65, f"Where the memory goes: {shorten(tape.label, 48)}", "Shorter is better.", footer, KEY)
    left = 0.25 + max(canvas.text_width(shorten(r.allocator), weight="bold") for r, _ in drawn)
    right = 0.2 + max(canvas.text_width(words_for(s), TEXT - 0.6) for _, s in drawn)
    return canvas, canvas.axes(left, 0.52, WIDTH - left - right, ROW_HEIGHT * rows)


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no allocator left a curve."""
    drawn = [(r, s) for r in tape.rows for s in [split(r)] if s is not None and s.resident > 0]
    if not drawn:
        return None
    drawn.sort(key=lambda pair: (pair[1].resident, pair[0].allocator))
    unit, factor = byte_unit(max(s.resident for _, s in drawn))
    canvas, axes = sheet(context, tape, drawn)
    end = reach(drawn, factor)
    axes.set_xlim(0, end)
    canvas.hover.by = "y"
    for i, (row, found) in enumerate(drawn):
        with owned(axes, context.owner(row.allocator)):
            draw_row(axes, i, found, context.colour[row.allocator], factor, end)
            bars.words_at_edge(axes, i, words_for(found))
    bars.name_rows(axes, [(r.allocator, context.colour[r.allocator]) for r, _ in drawn])
    for i, (label, (row, found)) in enumerate(zip(axes.get_yticklabels(), drawn)):
        own(label, context.owner(row.allocator))
        tell(canvas, axes, i, context.owner(row.allocator), row, found, factor)
    axes.grid(False, axis="y")
    tick_plainly(axes.xaxis, 5)
    axes.set_xlabel(f"memory at its highest, {unit}")
    said = "; ".join(f"{r.allocator}: {words_for(s)}" for r, s in drawn)
    return Chart("waste", "Where the memory goes", READING, said + ".", canvas)
