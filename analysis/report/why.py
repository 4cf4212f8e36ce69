"""Why the figures are as they are, as far as what was measured tells: where the memory goes, when, on which pages, and what the
calls did."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy

from . import blamed, bounds
from .results import Results, Row, Series, Tape
from .units import as_bytes, as_count, as_ns, as_percent, figures, shorten
from .waste import PARTS, Split, peak_point, split

PART_WORDS = {
    "requested": "in live blocks, its highest being at another moment",
    "rounding": "in sizes rounded up",
    "between": "in free and cached blocks and its own tables",
    "startup": "there before the first call",
}
NAME = 70  # characters of a call site
SHARE_TOLD = 0.1  # of the whole difference; smaller parts are not told
PART_TOLD = 0.002  # of all; smaller parts of libc's own are not told
GAP_TOLD = 0.1  # of the peak: a wider gap than at the peak, or more kept at the end, is told from there on
LIVE_ENOUGH, TORN_DOWN = 0.10, 0.02  # of the peak: with less live a gap says little; with so little left the program tidied up,
RESTING = 0.05  # unless it goes on like that for so much of the run: it rests after its peak, as a service does
STRETCHES, FALLS = 200, 0.0025  # of the run; of the peak of R in each, while all is freed
SAME_MOMENT = 0.8
PAGES_TOLD = 0.03  # of the resident pages: less without a block or nearly empty is not told


@dataclass(frozen=True)
class Reason:
    """What explains one allocator's figures; sentences, any of which may be empty."""

    allocator: str
    memory: str
    time: str
    when: str = ""
    pages: str = ""


def parts_of(own: Split, base: Split) -> list[tuple[str, float]]:
    """Differences from libc by part, the largest first."""
    found = [(name, getattr(own, name) - getattr(base, name)) for name in PARTS]
    return sorted(found, key=lambda part: -abs(part[1]))


def difference(own: Split, base: Split) -> str:
    """'7.6 MiB more than libc: 5.2 MiB there before the first call, 1.3 MiB in sizes rounded up, but 0.9 MiB less in ...'."""
    total = own.resident - base.resident
    told = [part for part in parts_of(own, base) if abs(part[1]) >= SHARE_TOLD * abs(total)]
    along = [f"{as_bytes(abs(size))} {PART_WORDS[name]}" for name, size in told if size * total > 0]
    against = [f"{as_bytes(abs(size))} {'more' if size > 0 else 'less'} {PART_WORDS[name]}" for name, size in told if size * total < 0]
    return (
        f"{as_bytes(abs(total))} {'more' if total > 0 else 'less'} than libc: {', '.join(along)}"
        + (f", but {', '.join(against)}" if against else "")
    )  # fmt: skip


def memory_words(own: Split, base: Split | None, peak: float | None = None) -> str:
    """'23.3 MiB at its highest, 7.6 MiB more than libc: ...'; of libc itself, and without it, what it is made of. `peak`: the
    peak resident, where it is known better than from the split."""
    highest = f"{as_bytes(own.resident if peak is None else peak)} at its highest"
    if base is not None and own is not base:
        even = abs(own.resident - base.resident) < 0.01 * base.resident
        return f"{highest}, as much as libc" if even else f"{highest}, {difference(own, base)}"
    told = [(name, getattr(own, name)) for name in PARTS if name != "requested" and getattr(own, name) >= PART_TOLD * own.resident]
    return f"{highest}: {as_bytes(own.requested)} asked for" + "".join(f", {as_bytes(size)} {PART_WORDS[name]}" for name, size in told)


def tidying(series: Series) -> float:
    """The operation from which R falls fast to nearly nothing: a program that frees all at its end. The last one where there
    is no such end."""
    last = float(series.operation[-1])
    places = numpy.linspace(0, last, STRETCHES + 1)
    requested = numpy.interp(places, series.operation, series.requested)
    most = requested.max()
    at = STRETCHES
    while at > 0 and requested[at] <= TORN_DOWN * most:
        at -= 1
    if at == STRETCHES:
        return last
    while at > 0 and requested[at - 1] - requested[at] >= FALLS * most:
        at -= 1
    return float(places[at])


def resting(series: Series) -> float:
    """The share of the run at its end with nearly nothing live."""
    busy = numpy.flatnonzero(series.requested > TORN_DOWN * series.requested.max())
    after = min(int(busy[-1]) + 1, len(series.operation) - 1) if len(busy) else 0
    return 1.0 - float(series.operation[after] / series.operation[-1])


def when_words(row: Row) -> str:
    """When more lies idle than at the highest, and what is kept to the end: '' where neither tells anything."""
    series, told = row.series, []
    if series is None or numpy.all(numpy.isnan(series.resident)) or series.operation[-1] <= 0:
        return ""
    most = float(numpy.nanmax(series.requested))
    idle = numpy.nan_to_num(series.resident - series.requested)
    counts = (series.requested >= LIVE_ENOUGH * most) & (series.operation <= tidying(series))
    top, gap = peak_point(series), int(numpy.argmax(numpy.where(counts, idle, -1.0)))
    highest = float(series.resident[top])
    if idle[gap] - idle[top] >= GAP_TOLD * highest:
        share = as_percent(float(series.operation[gap] / series.operation[-1]))
        told.append(
            f"most lies idle {share} through the run: {as_bytes(float(series.resident[gap]))} resident for "
            f"{as_bytes(float(series.requested[gap]))} asked for"
        )
    kept, live = float(series.resident[-1]), float(series.requested[-1])
    rest = resting(series)
    if (live > TORN_DOWN * most or rest >= RESTING) and live < 0.5 * most and kept - live >= GAP_TOLD * highest:
        words = f"next to nothing is live for the last {as_percent(rest)} of the run, and " if rest >= RESTING else ""
        told.append(f"{words}at the end {as_bytes(kept)} are resident for {as_bytes(live)} asked for")
    return "; ".join(told)


def pages_words(folder: pathlib.Path, row: Row) -> str:
    """What the pages without a block and the nearly empty ones take at the highest, and whose blocks pin those. Not told where
    the snapshot nearest to the highest was taken when far less was live."""
    found, own = blamed.pages_of(folder, row), split(row)
    if found is None or own is None or found.requested < SAME_MOMENT * own.requested:
        return ""
    told = []
    if found.empty >= PAGES_TOLD * found.resident:
        told.append(f"{as_bytes(found.empty)} of it on pages without a block (its tables among them)")
    if found.sparse >= PAGES_TOLD * found.resident:
        first = found.first
        by = f", {as_percent(first.share / found.sparse)} of them by {shorten(first.name, NAME)}" if first and found.sparse else ""
        told.append(f"{as_bytes(found.sparse)} on pages that are less than a quarter full{by}")
    return "; ".join(told)


def call_count(row: Row) -> int | None:
    return None if row.calls is None else sum(c.calls for c in row.calls)


def p99(tape: Tape, allocator: str) -> tuple[str, float] | None:
    """The kind of call that is made most, and its p99."""
    calls = [c for row in tape.latencies if row.allocator == allocator for c in row.calls]
    most = max(calls, key=lambda c: c.count, default=None)
    return None if most is None or most.percentiles[2] is None else (most.name, most.percentiles[2])


def beside(value: str, base: str | None) -> str:
    return value + (f" (libc {base})" if base is not None else "")


def time_words(tape: Tape, row: Row, base: Row | None) -> str:
    """'1 113 page faults (libc 1 020), 6 system calls (libc 311), 99 of 100 malloc calls take at most 98 ns (libc 157 ns)'."""
    told, own = [], base if base is not row else None

    def counted(value: float, what: str, other: float | None) -> str:
        return f"{as_count(value)} {what}{'' if value == 1 else 's'}" + (f" (libc {as_count(other)})" if own and other is not None else "")

    if row.minor_faults is not None:
        told.append(counted(row.minor_faults, "page fault", own.minor_faults if own else None))
    if call_count(row) is not None:
        told.append(counted(call_count(row), "system call", call_count(own) if own else None))
    tail, other = p99(tape, row.allocator), p99(tape, own.allocator) if own else None
    if tail:
        told.append(f"99 of 100 {tail[0]} calls take at most " + beside(as_ns(tail[1]), as_ns(other[1]) if other else None))
    return ", ".join(told)


def of_tape(tape: Tape, folder: pathlib.Path | None = None) -> list[Reason]:
    """Fastest first, libc last of those that have figures; failures have none. `folder`: where the tape's snapshots are."""
    base = tape.baseline
    base_split = split(base) if base else None
    rows = sorted((r for r in tape.rows if r.ok), key=lambda r: (r is base, r.ns.median if r.ns else 0.0, r.allocator))
    found = []
    for row in rows:
        own = base_split if row is base else split(row)
        pages = pages_words(folder, row) if folder else ""
        peak = row.peak_resident.median if row.peak_resident else None
        found.append(Reason(row.allocator, memory_words(own, base_split, peak) if own else "", time_words(tape, row, base), when_words(row), pages))
    return found


def nearest(tape: Tape) -> list[str]:
    """How near the leanest comes to what none can do without, as a sentence; none where it is unknown."""
    least = tape.facts.get("peak_live_bytes")
    rows = [r for r in tape.rows if r.ok and r.peak_resident]
    if not rows or not isinstance(least, (int, float)) or least <= 0:
        return []
    leanest = min(rows, key=lambda r: r.peak_resident.median)
    peak = leanest.peak_resident.median
    over = f", {as_percent(peak / least - 1)} more than was live" if 1 <= peak / least < 10 else ""
    return [f"The leanest here, {leanest.allocator}, takes {as_bytes(peak)}{over}."]


def moment(tape: Tape) -> str:
    """' 99 % through the run': when most is live."""
    series = next((r.series for r in tape.rows if r.series is not None), None)
    if series is None or series.operation[-1] <= 0:
        return ""
    return f", {as_percent(float(series.operation[int(numpy.nanargmax(series.requested))] / series.operation[-1]))} through the run"


def about(tape: Tape) -> str:
    """The program's own behaviour in two sentences, as far as it is known: what it does, and how low its heap could be."""
    facts, sizes = tape.facts, tape.sizes
    told = []
    if sizes is not None and sizes.allocations.sum() > 0:
        running = sizes.allocations.cumsum() / sizes.allocations.sum()
        half = float(sizes.high[int((running >= 0.5).argmax())])
        told.append(f"half of its allocations ask for {as_bytes(half)} or less")
    end, peak = facts.get("live_at_end_bytes"), facts.get("peak_live_bytes")
    if isinstance(peak, (int, float)) and peak > 0:
        told.append(f"at most {as_bytes(peak)} are live{moment(tape)}")
    if isinstance(end, (int, float)) and peak:
        told.append(f"{as_bytes(end)} at the end")
    lanes = facts.get("lanes")
    if isinstance(lanes, (int, float)) and lanes > 1:
        told.append(f"{as_count(lanes)} threads call the allocator")
    limits = bounds.of_tape(tape)
    sentences = ["The program: " + "; ".join(told) + "."] if told else []
    return " ".join(sentences + ([bounds.words(limits)] if limits else []) + nearest(tape))


def ratios(results: Results, allocator: str, value) -> list[float]:
    """value(row) over libc's, tape by tape, where both are known."""
    found = []
    for tape in results.tapes:
        row = next((r for r in tape.rows if r.allocator == allocator and r.ok), None)
        if row is None or tape.baseline is None:
            continue
        own, base = value(row), value(tape.baseline)
        if own is not None and base:
            found.append(own / base)
    return found


def span(word: str, found: list[float]) -> str:
    if not found:
        return ""
    low, high = (figures(v, 2 if v >= 0.095 else 3) for v in (min(found), max(found)))
    return f"{word} {low if low == high else f'{low} to {high}'} times libc's"


def largest_parts(results: Results, allocator: str) -> str:
    """'of what it has more than libc, most is free and cached blocks ... on 4 tapes, resident at start on 1'."""
    count: dict[str, int] = {}
    for tape in results.tapes:
        row = next((r for r in tape.rows if r.allocator == allocator and r.ok), None)
        own, base = split(row) if row else None, split(tape.baseline) if tape.baseline else None
        if own is None or base is None or own.resident <= 1.01 * base.resident:
            continue
        first = max(parts_of(own, base), key=lambda part: part[1])[0]
        count[first] = count.get(first, 0) + 1
    if not count:
        return "no more memory than libc on any tape"
    order = sorted(count, key=lambda name: -count[name])
    tapes = [f"{PART_WORDS[n]} on {count[n]} tape{'' if count[n] == 1 else 's'}" for n in order]
    return "what it has more than libc is mostly " + ", ".join(tapes)


def overall(results: Results, allocators: list[str]) -> list[Reason]:
    """Over all tapes, for the allocators given."""
    found = []
    for name in allocators:
        if name == "libc":
            continue
        faults = span("page faults", ratios(results, name, lambda r: r.minor_faults))
        calls = span("system calls", ratios(results, name, call_count))
        found.append(Reason(name, largest_parts(results, name), "; ".join(w for w in (faults, calls) if w)))
    return found
