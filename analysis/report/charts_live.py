"""The real program beside its prediction: peak resident under each allocator, replayed and run."""

from __future__ import annotations

from .canvas import TEXT, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly
from .palette import INK, MUTED, letters
from .results import LiveEntry
from .units import as_bytes, as_percent, as_seconds, byte_unit

READING = (
    "The filled point is the peak resident of the program itself, really run under that allocator, each thin tick one run; the "
    "hollow diamond is what replay predicted. The closer together, the more replay can be believed for this program."
)
ROW_HEIGHT, WIDTH = 0.40, 9.6


def words_for(entry: LiveEntry) -> str:
    """The two peaks, the miss of the prediction and the time, in one line."""
    parts = [as_bytes(entry.peak_resident)]
    if entry.predicted is not None and entry.peak_resident:
        miss = as_percent(entry.predicted / entry.peak_resident - 1)
        parts.append(f"predicted {as_bytes(entry.predicted)} ({miss if miss.startswith(chr(0x2212)) else '+' + miss})")
    if entry.seconds and entry.seconds.get("median") is not None:
        parts.append(f"took {as_seconds(entry.seconds['median'])}")
    return ", ".join(parts)


def runs_of(entries: list[LiveEntry]) -> str:
    """'5' or '3 to 5'."""
    counts = sorted({len(e.peak_resident_runs) for e in entries})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def draw(context: Context) -> Chart | None:
    live = context.results.live
    entries = list(live.entries) if live else []
    known = [e for e in entries if e.peak_resident is not None]
    if not known:
        return None
    unit, factor = byte_unit(max(e.peak_resident for e in known))
    footer = f"Runs of the program itself, {runs_of(known)} under each allocator, timed by hyperfine. {context.machine()}."
    canvas = Canvas(WIDTH, ROW_HEIGHT * len(entries) + 0.65, f"The real program beside its prediction: {shorten(' '.join(live.program), 44)}",
                    "● really run    ◇ predicted by replay    Lower is better.", footer)
    left = 0.25 + max(canvas.text_width(shorten(e.allocator), weight="bold") for e in entries)
    right = 0.35 + max(canvas.text_width(words_for(e), TEXT - 0.8) for e in known)
    axes = canvas.axes(left, 0.52, WIDTH - left - right, ROW_HEIGHT * len(entries))
    end = max([e.peak_resident for e in known] + [e.predicted for e in known if e.predicted]) / factor * 1.06
    for i, entry in enumerate(entries):
        colour = context.colour[entry.allocator]
        if entry.peak_resident is None:
            axes.text(end * 0.012, i, f"✕ {entry.status}", va="center", size=TEXT - 0.6, color=INK)
            continue
        if entry.predicted is not None:
            axes.plot([entry.peak_resident / factor, entry.predicted / factor], [i, i], color=colour, lw=1.4, alpha=0.6, zorder=3)
            axes.plot([entry.predicted / factor], [i], marker="D", ms=6.5, mfc=axes.get_facecolor(), mec=colour, mew=1.4, zorder=5)
        axes.plot([r / factor for r in entry.peak_resident_runs], [i] * len(entry.peak_resident_runs), ls="", marker="|", ms=11, mew=0.8, color=MUTED, zorder=2)
        axes.plot([entry.peak_resident / factor], [i], marker="o", ms=7, mfc=colour, mec=colour, zorder=4)
        axes.annotate(words_for(entry), (1, i), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points", va="center", size=TEXT - 0.8, color=INK)
    axes.set_ylim(len(entries) - 0.45, -0.55)
    axes.set_xlim(0, end)
    axes.set_yticks(range(len(entries)))
    axes.set_yticklabels([shorten(e.allocator) for e in entries], weight="bold", size=TEXT)
    for label, entry in zip(axes.get_yticklabels(), entries):
        label.set_color(letters(context.colour[entry.allocator]))
    axes.tick_params(axis="y", length=0)
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel(f"peak resident of the whole program, {unit}")
    said = "; ".join(f"{e.allocator}: {words_for(e)}" for e in known)
    return Chart("live", "The real program beside its prediction", READING, said + ".", canvas, True)
