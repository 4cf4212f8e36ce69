"""What the tapes are, and how operations a second go with the number of threads, as tidy tables (analysis/DATA.md)."""

from __future__ import annotations

from typing import Iterable

from .data_tables import Table, made, three
from .fields import Fields
from .results import Results, Tape
from .scaling import families, rate, series_of

# Columns of the table and the keys of results.json that they come from.
COUNTS = (
    ("events", "events"),
    ("allocations", "allocations"),
    ("frees", "frees"),
    ("reallocs", "reallocs"),
    ("failed_calls", "failed"),
    ("threads", "lanes"),
    ("peak_live_bytes", "peak_live_bytes"),
    ("peak_live_blocks", "peak_live_blocks"),
    ("live_at_end_bytes", "live_at_end_bytes"),
    ("lower_bound_bytes", "lower_bound_bytes"),
    ("aligned_lower_bound_bytes", "aligned_lower_bound_bytes"),
    ("packing_bytes", "packing_bytes"),
    ("recorded_seconds", "duration_seconds"),
    ("recorded_peak_resident_bytes", "recorded_peak_resident_bytes"),
    ("tape_bytes", "file_bytes"),
)
TEXTS = ("program", "arguments", "recorded_allocator")


def facts_of(tape: Tape) -> list:
    facts = Fields(tape.facts, f"results.json: tape {tape.name}")
    complete = facts.value.get("complete")
    texts = [facts.text(key) or None for key in TEXTS]
    return [tape.name, *texts, complete if isinstance(complete, bool) else None, *(facts.number(key) for _, key in COUNTS)]


def tapes(results: Results) -> Table:
    return made("tapes", ("tape", *TEXTS, "complete", *(column for column, _ in COUNTS)), (facts_of(t) for t in results.tapes))


def scaling_rows(found: list[Tape]) -> Iterable[list]:
    for name, points in series_of(found).items():
        first = points[0][1].ns.median
        for lanes, row in points:
            ns = row.ns
            ends = [rate(v) * 1e6 if v > 0 else None for v in (ns.median, ns.high, ns.low)]
            yield [found[0].program, name, lanes, row.tape, *ends, first / ns.median]


def scaling(results: Results) -> Table:
    columns = ("program", "allocator", "threads", "tape", *three("operations_per_second"), "relative_to_fewest_threads")
    return made("scaling", columns, (row for found in families(results) for row in scaling_rows(found)))


def tables(results: Results) -> list[Table]:
    """Those that have rows."""
    return [table for make in (tapes, scaling) for table in [make(results)] if table.rows]
