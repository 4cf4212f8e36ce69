"""Which tapes are of one program with different numbers of threads, and what each allocator does on them."""

from __future__ import annotations

from .results import Results, Row, Tape

Series = dict[str, list[tuple[int, Row]]]


def lanes_of(tape: Tape) -> int | None:
    lanes = tape.facts.get("lanes")
    return int(lanes) if isinstance(lanes, (int, float)) and not isinstance(lanes, bool) and lanes >= 1 else None


def families(results: Results) -> list[list[Tape]]:
    """Tapes of one program with at least two different numbers of threads, one tape a number."""
    found: dict[str, dict[int, Tape]] = {}
    for tape in results.tapes:
        if lanes_of(tape) is not None and tape.facts.get("program"):
            found.setdefault(tape.program, {}).setdefault(lanes_of(tape), tape)
    return [[tape for _, tape in sorted(by.items())] for by in found.values() if len(by) > 1]


def series_of(tapes: list[Tape]) -> Series:
    found: Series = {}
    for tape in tapes:
        for row in tape.rows:
            if row.ns is not None and row.ns.median > 0:
                found.setdefault(row.allocator, []).append((lanes_of(tape), row))
    return {name: points for name, points in found.items() if len(points) > 1}


def rate(ns: float) -> float:
    """Million operations a second."""
    return 1e3 / ns
