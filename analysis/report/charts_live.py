"""The real program beside its prediction: peak resident under each allocator, replayed and run."""

from __future__ import annotations

from matplotlib.axes import Axes

from . import bars
from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .hover import own, owned
from .palette import MUTED
from .results import Live, LiveEntry
from .units import as_bytes, as_percent, as_seconds, byte_unit

READING = (
    "The filled point is the peak resident of the program itself, really run under that allocator, each thin tick one run; the "
    "hollow diamond is what replay predicted: the real peak on libc, plus what the peak in replay differs from libc's. The closer together, the more replay can be believed for this program."
)
ROW_HEIGHT, WIDTH = 0.40, 9.6


def words_for(entry: LiveEntry) -> str:
    """The two peaks, the miss of the prediction and the time, in one line."""
    parts = [as_bytes(entry.peak_resident)]
    if entry.allocator == "libc" and entry.predicted == entry.peak_resident:
        parts.append("which predictions start from")
    elif entry.predicted is not None and entry.peak_resident:
        miss = as_percent(entry.predicted / entry.peak_resident - 1)
        parts.append(
            f"predicted {as_bytes(entry.predicted)} ({miss if miss.startswith(chr(0x2212)) else '+' + miss})"
        )
    if entry.seconds and entry.seconds.get("median") is not None:
        parts.append(f"took {as_seconds(entry.seconds['median'])}")
    return ", ".join(parts)


def runs_of(entries: list[LiveEntry]) -> str:
    """'5' or '3 to 5'."""
    counts = sorted({len(e.peak_resident_runs) for e in entries})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def draw_entry(axes: Axes, entry: LiveEntry, row: int, colour: str, factor: float) -> None:
    """Runs, their median, the prediction and the line between the two."""
    real = entry.peak_resident / factor
    runs = [r / factor for r in entry.peak_resident_runs]
    axes.plot(runs, [row] * len(runs), ls="", marker="|", ms=11, mew=0.8, color=MUTED, zorder=2)
    axes.plot([real], [row], marker="o", ms=7, mfc=colour, mec=colour, zorder=4)
    if entry.predicted is not None and entry.predicted != entry.peak_resident:
        predicted, paper = entry.predicted / factor, axes.get_facecolor()
        axes.plot([real, predicted], [row, row], color=colour, lw=1.4, alpha=0.6, zorder=3)
        axes.plot([predicted], [row], marker="D", ms=6.5, mfc=paper, mec=colour, mew=1.4, zorder=5)
    bars.words_at_edge(axes, row, words_for(entry))


def sheet(context: Context, live: Live, known: list[LiveEntry]) -> tuple[Canvas, Axes]:
    """A canvas with room for the names at the left and the words at the right."""
    runs = runs_of(known)
    footer = (
        f"Runs of the program itself, {runs} under each allocator, timed by hyperfine. {context.machine()}."
    )
    title = f"The real program beside its prediction: {shorten(' '.join(live.program), 44)}"
    subtitle = "● really run, ◇ predicted by replay. Lower is better."
    canvas = Canvas(WIDTH, ROW_HEIGHT * len(live.entries) + 0.65, title, subtitle, footer)
    left = 0.25 + max(canvas.text_width(shorten(e.allocator), weight="bold") for e in live.entries)
    right = 0.35 + max(canvas.text_width(words_for(e), TEXT - 0.8) for e in known)
    return canvas, canvas.axes(left, 0.52, WIDTH - left - right, ROW_HEIGHT * len(live.entries))


def draw(context: Context) -> Chart | None:
    """None where the program was not run, or no run ended well."""
    live = context.results.live
    known = [e for e in live.entries if e.peak_resident is not None] if live else []
    if not known:
        return None
    unit, factor = byte_unit(max(e.peak_resident for e in known))
    canvas, axes = sheet(context, live, known)
    axes.set_xlim(0, max(v for e in known for v in (e.peak_resident, e.predicted or 0.0)) / factor * 1.06)
    canvas.hover.by = "y"
    for i, entry in enumerate(live.entries):
        if entry.peak_resident is None:
            bars.words_instead(axes, i, entry.status)
        else:
            with owned(axes, context.owner(entry.allocator)):
                draw_entry(axes, entry, i, context.colour[entry.allocator], factor)
        said = entry.status if entry.peak_resident is None else words_for(entry)
        place = (entry.peak_resident or 0.0) / factor
        canvas.hover.spot(axes, place, i, context.owner(entry.allocator), entry.allocator, *said.split(", "))
    bars.name_rows(axes, [(e.allocator, context.colour[e.allocator]) for e in live.entries])
    for label, entry in zip(axes.get_yticklabels(), live.entries):
        own(label, context.owner(entry.allocator))
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel(f"peak resident of the whole program, {unit}")
    said = "; ".join(f"{e.allocator}: {words_for(e)}" for e in known)
    return Chart("live", "The real program beside its prediction", READING, said + ".", canvas, True)
