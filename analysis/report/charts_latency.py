"""Latency of single calls: which share of them takes how long at most, a panel for each kind of call."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .hover import Track, owned
from .latency import Call, Latency
from .palette import FIXED, letters
from .panels import Panels
from .results import Tape
from .units import as_ns, as_percent

READING = (
    "How long a single call takes. A point says that this share of the calls takes at most so long: left the typical call, "
    "each step to the right ten times as rare, the dot at the end the slowest of all. Both axes are logarithmic. Lower is "
    "better. The grey line is an allocator that does nothing: where another comes near it, what is seen is this machine "
    "(interrupts, other programs), not the allocator."
)
CALLS_ENOUGH = 100  # of a kind, so that its p99 is known; else it has no panel
LEAST_NS = 1.0  # below it nothing is told apart
PLOT_HEIGHT = 2.35  # inches


def shown(latencies: tuple[Latency, ...]) -> list[str]:
    """Kinds of call that have a curve worth drawing, those most called first."""
    most: dict[str, int] = {}
    for call in (c for row in latencies for c in row.calls):
        if call.curve is not None and len(call.curve[0]) > 2 and call.count >= CALLS_ENOUGH:
            most[call.name] = max(most.get(call.name, 0), call.count)
    return sorted(most, key=lambda name: -most[name])


def points(call: Call) -> tuple[list[float], list[float]]:
    """(1 / (1 - share), ns) of a call's curve; the slowest of all stands at the number of calls."""
    shares, ns = call.curve
    x = [1 / (1 - s) if s < 1 else float(call.count) for s in shares]
    return x, [max(float(v), LEAST_NS) for v in ns]


def share_label(x: float, _=None) -> str:
    """1 -> 0 %, 10 -> 90 %, 1000 -> 99.9 %."""
    nines = round(math.log10(x)) if x > 0 else 0
    text = ("0", "90", "99")[nines] if nines < 3 else "99." + "9" * (nines - 2)
    return f"{text}\N{NO-BREAK SPACE}%"


def draw_panel(
    canvas: Canvas, axes: Axes, context: Context, latencies: tuple[Latency, ...], name: str
) -> None:
    items = []
    canvas.hover.scale(axes, "rarity")
    for row in latencies:
        call = row.call(name)
        if call is None or call.curve is None:
            continue
        colour = context.colour.get(row.allocator, FIXED["null"])
        is_floor = row.allocator not in context.colour
        x, y = points(call)
        owner = context.owner(row.allocator)
        with owned(axes, owner):
            axes.plot(x, y, color=colour, lw=1.2 if is_floor else 1.7, zorder=3 if is_floor else 4)
            axes.plot(x[-1:], y[-1:], marker="o", ms=3.6, color=colour, zorder=5, clip_on=False)
        items.append((x[-1], y[-1], shorten(row.allocator, 13), letters(colour), owner))
        canvas.hover.tracks.append(Track(axes, owner, row.allocator, "ns", x, call.curve[1]))
    if items:
        end = max(x for x, *_ in items)
        axes.set_xlim(1, end)
        labels.column(axes, end, [(y, text, ink, True, owner) for _, y, text, ink, owner in items], TEXT - 0.8)


def decorate(axes: Axes, count: int, name: str, highest: float) -> None:
    """Scales and words; every panel has the same scale of time. Called before labels are placed."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(LEAST_NS, highest * 1.6)
    nines = int(math.log10(count))
    axes.xaxis.set_major_locator(FixedLocator([10.0**i for i in range(0, nines + 1, 1 if nines < 5 else 2)]))
    axes.xaxis.set_major_formatter(FuncFormatter(share_label))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: time_label(v)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelleft=True)
    axes.set_xlabel("share of the calls, log scale of 1 / (1 − share)")
    axes.set_ylabel("at most, log scale")
    axes.annotate(
        name,
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        size=TEXT + 0.5,
        weight="bold",
        va="bottom",
    )


def time_label(ns: float) -> str:
    """Powers of ten: 1 ns, 10 ns, 1 µs, 1 ms."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= factor:
            return f"{ns / factor:g}\N{NO-BREAK SPACE}{unit}"
    return f"{ns:g}\N{NO-BREAK SPACE}ns"


def notes(tape: Tape) -> list[str]:
    """For the footer: what the figures are good for."""
    latencies = tape.latencies
    first, lanes = latencies[0], tape.facts.get("lanes")
    yields = " (threads that yielded to one another count too)" if lanes != 1 else ""
    error = as_percent(max(r.error_share for r in latencies))
    step = as_ns(max(r.resolution_ns for r in latencies))
    rounds = f"{first.rounds} latency round" + ("" if first.rounds == 1 else "s, added up")
    return [
        f"Clock taken out; error at most {error} or half the clock's step of {step}, whichever is more; {rounds}",
        f"The scheduler interrupted at most {max(r.preemptions for r in latencies)} calls of an allocator{yields}",
        f"Faster than {LEAST_NS:g} ns drawn at {LEAST_NS:g} ns",
    ]


def in_words(latencies: tuple[Latency, ...], name: str) -> str:
    said = []
    for row in latencies:
        call = row.call(name)
        if call and call.percentiles[2] is not None:
            said.append(f"{row.allocator} p50 {as_ns(call.percentiles[0])}, p99 {as_ns(call.percentiles[2])}")
    return f"{name}: " + "; ".join(said)


def draw(context: Context, tape: Tape) -> Chart | None:
    """None where no latency run was made."""
    latencies, names = tape.latencies, shown(tape.latencies)
    if not names:
        return None
    names_width = labels.room(Canvas(WIDTH, 1.0, "", "", ""), [shorten(r.allocator, 13) for r in latencies], TEXT - 0.8)
    sheet = Panels(
        len(names), (WIDTH - 0.7 - names_width, PLOT_HEIGHT), (0.7, names_width, 0.3, 0.52),
        f"Latency of single calls: {shorten(tape.label, 48)}",
        "Share of the calls that take at most so long. Lower is better; the dot is the slowest call.",
        context.footer(*notes(tape)), columns=2,
    )  # fmt: skip
    drawn = [c for row in latencies for c in row.calls if c.name in names and c.curve is not None]
    highest = max(float(c.curve[1][-1]) for c in drawn)
    for i, name in enumerate(names):
        axes = sheet.axes(i)
        decorate(axes, max(c.count for c in drawn if c.name == name), name, max(highest, 10.0))
        draw_panel(sheet.canvas, axes, context, latencies, name)
    said = ". ".join(in_words(latencies, name) for name in names)
    return Chart("latency", "Latency of single calls", READING, said + ".", sheet.canvas)
