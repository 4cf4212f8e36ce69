"""Everything that the charts draw as tidy tables: one row an observation, one column a variable, units in the names.

analysis/DATA.md explains each column. Unknown is None (an empty cell, null in JSON); what was measured is never rounded here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Iterable

import numpy

from .fields import Interval
from .latency import CALLS, SHARES
from .overview import overall
from .results import Results, Row, Tape
from .waste import PARTS, split

Value = str | float | int | bool | None
EXACT = 1 << 53  # up to here every whole number is one of a float's


@dataclass
class Table:
    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]] = field(default_factory=list)
    in_json: bool = True  # false for what is too long for data.json

    def records(self) -> list[dict[str, Value]]:
        return [dict(zip(self.columns, row)) for row in self.rows]


def plain(value) -> Value:
    """A number as CSV and JSON have it: whole ones without a point, nan as unknown."""
    if type(value) is int and -EXACT <= value <= EXACT:
        return value
    if value is None or isinstance(value, (str, bool)):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) <= EXACT else number


def made(name: str, columns: Iterable[str], rows: Iterable[Iterable]) -> Table:
    return Table(name, tuple(columns), [tuple(plain(v) for v in row) for row in rows])


def ends(value: Interval | None) -> list[Value]:
    return [None] * 3 if value is None else [value.median, value.low, value.high]


def three(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def called(allocator: str) -> str:
    """The floor under a name of its own: pandas takes the word null for a missing value."""
    return "floor" if allocator == "null" else allocator


def each(results: Results) -> Iterable[tuple[Tape, Row]]:
    return ((tape, row) for tape in results.tapes for row in tape.rows)


SUMMARY = (
    "tape", "allocator", "status", "detail", "rounds_ok", "rounds",
    *three("ns_per_operation"), *three("net_ns_per_operation"), "floor_ns_per_operation",
    *three("relative_time"), "relative_time_verdict",
    *three("peak_resident_bytes"), *three("relative_peak_resident"), "relative_peak_resident_verdict",
    "peak_requested_bytes", "peak_usable_bytes", "peak_held_bytes", "startup_resident_bytes",
    "fragmentation_mean_over_time", "fragmentation_at_peak_requested", "fragmentation_at_peak_held",
    "fragmentation_max_held_over_max_requested", "fragmentation_at_end", "area_ratio", "peak_utilization",
    "blow_up", "resident_blow_up",
    "mean_requested_bytes", "mean_held_bytes", "mean_resident_bytes", "mean_resident_by_time_bytes", "resident_byte_seconds",
    "reallocs_in_place", "reallocs_moved", "reallocs_moved_bytes",
    "metadata_bytes", "minor_faults", "major_faults", "system_calls", "huge_share_at_peak",
)  # fmt: skip


def summary_row(tape: Tape, row: Row) -> list[Value]:
    waste, mean, reallocs = row.fragmentation, row.over_time, row.reallocs
    return [
        tape.name, row.allocator, row.status, row.detail or None, row.rounds_ok, row.rounds,
        *ends(row.ns), *ends(row.net_ns), row.floor_ns,
        *ends(row.relative_time), row.relative_time.verdict if row.relative_time else None,
        *ends(row.peak_resident), *ends(row.relative_peak_resident),
        row.relative_peak_resident.verdict if row.relative_peak_resident else None,
        row.peak_requested, row.peak_usable, row.peak_held if row.held_known else None, row.startup_resident,
        waste.mean_over_time, waste.at_peak_requested, waste.at_peak_held, waste.max_held_over_max_requested,
        waste.at_end, waste.area_ratio, waste.peak_utilization, waste.blow_up, waste.resident_blow_up,
        mean.requested, mean.held, mean.resident, mean.resident_by_time, mean.resident_byte_seconds,
        reallocs.in_place, reallocs.moved, reallocs.moved_bytes,
        row.metadata, row.minor_faults, row.major_faults, None if row.calls is None else sum(c.calls for c in row.calls), row.huge_share,
    ]  # fmt: skip


def summary(results: Results) -> Table:
    return made("summary", SUMMARY, (summary_row(t, r) for t, r in each(results)))


def rounds(results: Results) -> Table:
    rows = ((t.name, r.allocator, i, ns) for t, r in each(results) for i, ns in enumerate(r.ns_rounds))
    return made("rounds", ("tape", "allocator", "round", "ns_per_operation"), rows)


def series(results: Results) -> Table:
    columns = (
        "tape", "allocator", "operation", "time_seconds", "requested_bytes", "usable_bytes", "held_bytes", "resident_bytes",
        "fragmentation", "faults", "system_calls",
    )  # fmt: skip
    return made("series", columns, (row for t, r in each(results) if r.series is not None for row in series_rows(t, r)))


def series_rows(tape: Tape, row: Row) -> Iterable[list]:
    found = row.series
    length = len(found.operation)
    unknown = numpy.full(length, numpy.nan)

    def counted(count) -> numpy.ndarray:
        return unknown if count is None or len(count.count) != length else count.count

    held = found.held if row.held_known else unknown
    with numpy.errstate(divide="ignore", invalid="ignore"):
        share = numpy.round(numpy.where(found.requested > 0, held / found.requested - 1, numpy.nan), 6)
    columns = (
        found.operation, found.time_seconds, found.requested, found.usable, held, found.resident, share,
        counted(row.faults_over_time), counted(row.calls_over_time),
    )  # fmt: skip
    return ([tape.name, row.allocator, *values] for values in zip(*(c.tolist() for c in columns)))


def waste(results: Results) -> Table:
    rows = []
    for tape, row in each(results):
        found = split(row)
        if found is not None:
            rows += [(tape.name, row.allocator, part, getattr(found, part)) for part in (*PARTS, "unreturned")]
    return made("waste", ("tape", "allocator", "part", "bytes"), rows)


def latency(results: Results) -> Table:
    rows = (
        (t.name, called(row.allocator), c.name, c.count, *c.percentiles, c.max_ns, c.mean_ns)
        for t in results.tapes for row in t.latencies for c in row.calls
    )  # fmt: skip
    return made("latency", ("tape", "allocator", "call", "count", *(f"ns_{s}" for s in SHARES), "ns_max", "ns_mean"), rows)


def latency_curves(results: Results) -> Table:
    rows = (
        (t.name, called(row.allocator), name, share, ns)
        for t in results.tapes for row in t.latencies for name in CALLS
        for call in [row.call(name)] if call is not None and call.curve is not None
        for share, ns in zip(*(values.tolist() for values in call.curve))
    )  # fmt: skip
    return made("latency_curves", ("tape", "allocator", "call", "share", "ns"), rows)


def latency_over_time(results: Results) -> Table:
    rows = (
        (t.name, called(row.allocator), *values)
        for t in results.tapes for row in t.latencies if row.over_time is not None
        for values in zip(*(getattr(row.over_time, f).tolist() for f in ("operation", "p50", "p99", "slowest")))
    )  # fmt: skip
    return made("latency_over_time", ("tape", "allocator", "operation", "ns_p50", "ns_p99", "ns_max"), rows)


def system_calls(results: Results) -> Table:
    rows = ((t.name, r.allocator, c.name, c.calls, c.bytes) for t, r in each(results) for c in r.calls or ())
    return made("system_calls", ("tape", "allocator", "system_call", "calls", "bytes"), rows)


def sizes(results: Results) -> Table:
    rows = (
        (t.name, *values)
        for t in results.tapes if t.sizes is not None
        for values in zip(*(getattr(t.sizes, f).tolist() for f in ("low", "high", "allocations", "allocated_bytes")))
    )  # fmt: skip
    return made("sizes", ("tape", "size_low_bytes", "size_high_bytes", "allocations", "allocated_bytes"), rows)


def lifetimes(results: Results) -> Table:
    columns = ("size_low", "size_high", "life_low", "life_high", "blocks")
    rows = (
        (t.name, *values)
        for t in results.tapes if t.lifetimes is not None
        for values in zip(*(getattr(t.lifetimes, f).tolist() for f in columns))
    )  # fmt: skip
    names = ("size_low_bytes", "size_high_bytes", "lifetime_low_bytes", "lifetime_high_bytes", "blocks")
    return made("lifetimes", ("tape", *names), rows)


def overview(results: Results) -> Table:
    columns = ("allocator", "tapes", "failed", *three("relative_time"), *three("relative_peak_resident"))
    rows = (
        (o.allocator, len(results.tapes), o.failed, o.time_mean, *(o.time_interval or (None, None)),
         o.memory_mean, *(o.memory_interval or (None, None)))
        for o in overall(results)
    )  # fmt: skip
    return made("overview", columns, rows)


def live(results: Results) -> Table:
    columns = (
        "allocator", "status", "median_seconds", "peak_resident_bytes", "predicted_peak_resident_bytes", "cpu_seconds",
        "predicted_cpu_seconds", "relative_time", "relative_peak_resident",
    )  # fmt: skip
    entries = results.live.entries if results.live else ()
    rows = (
        (e.allocator, e.status, (e.seconds or {}).get("median"), e.peak_resident, e.predicted, e.cpu, e.predicted_cpu,
         e.relative_time, e.relative_peak_resident)
        for e in entries
    )  # fmt: skip
    return made("live", columns, rows)


def live_runs(results: Results) -> Table:
    """Each run by itself. Its memory and its processor time are of one run, which hyperfine did not see."""
    entries = results.live.entries if results.live else ()
    rows = (
        (e.allocator, i, *(found[i] if i < len(found) else None for found in (e.peak_resident_runs, e.cpu_runs)))
        for e in entries
        for i in range(max(len(e.peak_resident_runs), len(e.cpu_runs)))
    )
    return made("live_runs", ("allocator", "run", "peak_resident_bytes", "cpu_seconds"), rows)


TABLES = (
    summary, rounds, series, waste, latency, latency_curves, latency_over_time, system_calls, sizes, lifetimes, overview, live,
    live_runs,
)  # fmt: skip


def tables(results: Results) -> list[Table]:
    """Those that have rows."""
    return [table for make in TABLES for table in [make(results)] if table.rows]
