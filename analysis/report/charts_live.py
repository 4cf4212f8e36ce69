"""The real program beside its prediction: peak resident and processor time under each allocator, replayed and run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from matplotlib.axes import Axes

from . import bars
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import tick_plainly, time_unit
from .hover import own, owned
from .palette import MUTED
from .live import Live, LiveEntry
from .units import MINUS, as_bytes, as_percent, as_seconds, byte_unit

READING = (
    "The filled point is the {what} of the program itself, really run under that allocator, each thin tick one run; the hollow "
    "diamond is what replay predicted: the real figure on libc, plus what the replayed one differs from libc's. The closer "
    "together, the more replay can be believed for this program."
)
ROW_HEIGHT = 0.50


@dataclass(frozen=True)
class Figures:
    """One measure of one allocator."""

    real: float | None
    runs: tuple[float, ...]
    predicted: float | None


@dataclass(frozen=True)
class Measure:
    """What is drawn, in words and numbers."""

    name: str  # of the chart
    what: str
    axis: str
    of: Callable[[LiveEntry], Figures]
    text: Callable[[float | None], str]
    unit: Callable[[float], tuple[str, float]]


MEMORY = Measure(
    "live", "peak resident memory", "peak resident of the whole program",
    lambda e: Figures(e.peak_resident, e.peak_resident_runs, e.predicted), as_bytes, byte_unit,
)  # fmt: skip
TIME = Measure(
    "live_time", "processor time", "user and system time of the whole program",
    lambda e: Figures(e.cpu, e.cpu_runs, e.predicted_cpu), as_seconds, time_unit,
)  # fmt: skip


def words_for(measure: Measure, entry: LiveEntry) -> str:
    """The figure, the miss of the prediction and how long it took, in one line."""
    found = measure.of(entry)
    parts = [measure.text(found.real)]
    if entry.allocator == "libc" and found.predicted == found.real:
        parts.append("which predictions start from")
    elif found.predicted is not None and found.real:
        miss = as_percent(found.predicted / found.real - 1)
        parts.append(f"predicted {measure.text(found.predicted)} ({miss if miss.startswith(MINUS) else '+' + miss})")
    if entry.seconds and entry.seconds.get("median") is not None:
        parts.append(f"took {as_seconds(entry.seconds['median'])}")
    return ", ".join(parts)


def runs_of(measure: Measure, entries: list[LiveEntry]) -> str:
    """'5' or '3 to 5'."""
    counts = sorted({len(measure.of(e).runs) for e in entries})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def draw_entry(axes: Axes, found: Figures, row: int, colour: str, factor: float, words: str) -> None:
    """Runs, their median, the prediction and the line between the two."""
    real = found.real / factor
    runs = [r / factor for r in found.runs]
    axes.plot(runs, [row] * len(runs), ls="", marker="|", ms=11, mew=0.8, color=MUTED, zorder=2)
    axes.plot([real], [row], marker="o", ms=7, mfc=colour, mec=colour, zorder=4)
    if found.predicted is not None and found.predicted != found.real:
        predicted, paper = found.predicted / factor, axes.get_facecolor()
        axes.plot([real, predicted], [row, row], color=colour, lw=1.4, alpha=0.6, zorder=3)
        axes.plot([predicted], [row], marker="D", ms=6.5, mfc=paper, mec=colour, mew=1.4, zorder=5)
    place = axes.get_yaxis_transform()
    axes.text(0.0, row + 0.34, words, va="center", size=TEXT - 1.0, color=MUTED, transform=place)


def sheet(context: Context, measure: Measure, live: Live, known: list[LiveEntry]) -> tuple[Canvas, Axes]:
    """A canvas with room for the names at the left and the words at the right."""
    runs = runs_of(measure, known)
    footer = f"Runs of the program itself, {runs} under each allocator, timed by hyperfine. {context.machine()}."
    title = f"The real program beside its prediction, {measure.what}: {shorten(' '.join(live.program), 32)}"
    subtitle = "● really run, ◇ predicted by replay. Lower is better."
    canvas = Canvas(WIDTH, ROW_HEIGHT * len(live.entries) + 0.7, title, subtitle, footer)
    left = 0.25 + max(canvas.text_width(shorten(e.allocator), weight="bold") for e in live.entries)
    return canvas, canvas.axes(left, 0.52, WIDTH - left - 0.2, ROW_HEIGHT * len(live.entries))


def draw_rows(context: Context, measure: Measure, canvas: Canvas, axes: Axes, live: Live, factor: float) -> None:
    """All entries, with what they say on hover."""
    canvas.hover.by = "y"
    for i, entry in enumerate(live.entries):
        found, owner = measure.of(entry), context.owner(entry.allocator)
        words = entry.status if found.real is None else words_for(measure, entry)
        with owned(axes, owner):
            if found.real is None:
                bars.words_instead(axes, i, entry.status)
            else:
                draw_entry(axes, found, i, context.colour[entry.allocator], factor, words)
        canvas.hover.spot(axes, (found.real or 0.0) / factor, i, owner, entry.allocator, *words.split(", "))
    bars.name_rows(axes, [(e.allocator, context.colour[e.allocator]) for e in live.entries])
    for label, entry in zip(axes.get_yticklabels(), live.entries):
        own(label, context.owner(entry.allocator))


def draw_measure(context: Context, measure: Measure) -> Chart | None:
    """None where no run told it."""
    live = context.results.live
    known = [e for e in live.entries if measure.of(e).real is not None] if live else []
    if not known:
        return None
    every = [v for e in known for f in [measure.of(e)] for v in (f.real, f.predicted or 0.0, *f.runs)]
    unit, factor = measure.unit(max(every))
    canvas, axes = sheet(context, measure, live, known)
    axes.set_xlim(0, max(every) / factor * 1.06 or 1.0)
    draw_rows(context, measure, canvas, axes, live, factor)
    tick_plainly(axes.xaxis, 6)
    axes.set_xlabel(f"{measure.axis}, {unit}")
    said = "; ".join(f"{e.allocator}: {words_for(measure, e)}" for e in known)
    title = f"The real program beside its prediction, {measure.what}"
    return Chart(measure.name, title, READING.format(what=measure.what), said + ".", canvas)


def draw(context: Context) -> list[Chart]:
    """Memory and processor time; none where the program was not run, or no run ended well."""
    return [chart for chart in (draw_measure(context, m) for m in (MEMORY, TIME)) if chart is not None]
