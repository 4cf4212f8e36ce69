"""Why the figures are as they are, as far as what was measured tells: where the memory goes and what the calls did."""

from __future__ import annotations

from dataclasses import dataclass

from . import bounds
from .results import Results, Row, Tape
from .units import as_bytes, as_count, as_ns, as_percent, figures
from .waste import PARTS, Split, split

PART_WORDS = {
    "requested": "live at its peak, which is at another moment",
    "rounding": "sizes rounded up",
    "between": "free and cached blocks and the allocator's own tables",
    "startup": "resident at start",
}
SHARE_TOLD = 0.1  # of the whole difference; smaller parts are not told


@dataclass(frozen=True)
class Reason:
    """What explains one allocator's figures; either may be empty."""

    allocator: str
    memory: str
    time: str


def parts_of(own: Split, base: Split) -> list[tuple[str, float]]:
    """Differences from libc by part, the largest first."""
    found = [(name, getattr(own, name) - getattr(base, name)) for name in PARTS]
    return sorted(found, key=lambda part: -abs(part[1]))


def memory_words(own: Split, base: Split | None) -> str:
    """'0.8 MiB more than libc at the peak: 0.7 MiB free and cached blocks ..., 0.1 MiB resident at start'."""
    if base is None or own is base:
        wasted = [f"{as_bytes(getattr(own, name))} {PART_WORDS[name]}" for name in PARTS[1:] if getattr(own, name)]
        return f"{as_bytes(own.resident)} at the peak: {as_bytes(own.requested)} asked for" + "".join(f", {w}" for w in wasted)
    total = own.resident - base.resident
    if abs(total) < 0.01 * base.resident:
        return "as much as libc at the peak"
    told = [
        f"{as_bytes(abs(size))} {'more' if size > 0 else 'less'} {PART_WORDS[name]}"
        for name, size in parts_of(own, base)
        if abs(size) >= SHARE_TOLD * abs(total)
    ]
    return f"{as_bytes(abs(total))} {'more' if total > 0 else 'less'} than libc at the peak: {', '.join(told)}"


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
    """'page faults 1 113 (libc 1 020), system calls 6 (libc 311), 99 of 100 mallocs below 98 ns (libc 157 ns)'."""
    told, own = [], base if base is not row else None
    if row.minor_faults is not None:
        told.append("page faults " + beside(as_count(row.minor_faults), as_count(own.minor_faults) if own else None))
    if call_count(row) is not None:
        told.append("system calls " + beside(as_count(call_count(row)), as_count(call_count(own)) if own else None))
    tail, other = p99(tape, row.allocator), p99(tape, own.allocator) if own else None
    if tail:
        told.append(f"99 of 100 {tail[0]} calls below " + beside(as_ns(tail[1]), as_ns(other[1]) if other else None))
    return ", ".join(told)


def of_tape(tape: Tape) -> list[Reason]:
    """Fastest first, libc last of those that have figures; failures have none."""
    base = tape.baseline
    base_split = split(base) if base else None
    rows = sorted((r for r in tape.rows if r.ok), key=lambda r: (r is base, r.ns.median if r.ns else 0.0, r.allocator))
    found = []
    for row in rows:
        own = base_split if row is base else split(row)
        found.append(Reason(row.allocator, memory_words(own, base_split) if own else "", time_words(tape, row, base)))
    return found


def about(tape: Tape) -> str:
    """The program's own behaviour in two sentences, as far as it is known: what it does, and how low its heap could be."""
    facts, sizes = tape.facts, tape.sizes
    told = []
    if sizes is not None and sizes.allocations.sum() > 0:
        running = sizes.allocations.cumsum() / sizes.allocations.sum()
        half = float(sizes.high[int((running >= 0.5).argmax())])
        told.append(f"half of its allocations ask for {as_bytes(half)} or less")
    if isinstance(facts.get("peak_live_bytes"), (int, float)):
        told.append(f"at most {as_bytes(facts['peak_live_bytes'])} are live")
    end, peak = facts.get("live_at_end_bytes"), facts.get("peak_live_bytes")
    if isinstance(end, (int, float)) and peak:
        told.append(f"{as_percent(end / peak)} of that at the end")
    lanes = facts.get("lanes")
    if isinstance(lanes, (int, float)) and lanes > 1:
        told.append(f"{as_count(lanes)} threads call the allocator")
    limits = bounds.of_tape(tape)
    sentences = ["Of the program: " + "; ".join(told) + "."] if told else []
    return " ".join(sentences + ([bounds.words(limits)] if limits else []))


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
