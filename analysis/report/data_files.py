"""The tables as files: data/*.csv, data/data.json, and a summary for scripts, data/summary.prom and data/summary.txt."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Iterable

from .data_tables import Table, Value
from .fields import SCHEMA_VERSION
from .results import Results

# Characters that no program wants in a name; half a pair of UTF-16 cannot even be written as UTF-8.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# Text that some program would not take for text: a spreadsheet for a formula, or any for a number, a date, a truth value or a
# missing value (the words are pandas' and R's).
MISREAD = re.compile(
    r"[=+@\t-]"
    r"|[0-9.][0-9a-f.,:/ pxil%+-]*$"
    r"|(?:#?n/?a|#n/a n/a|<na>|null|none|nan|inf|infinity|1\.#ind|1\.#qnan|true|false|[tf])$",
    re.IGNORECASE,
)
# Figures of the summary and what they are, for Prometheus.
GAUGES = {
    "ns_per_operation": "time of one operation in replay, floor included, median over rounds",
    "ns_per_operation_low": "lower end of its interval",
    "ns_per_operation_high": "upper end of its interval",
    "floor_ns_per_operation": "what of it replaying itself costs",
    "relative_time": "time relative to libc, paired by round",
    "relative_time_low": "lower end of its interval",
    "relative_time_high": "upper end of its interval",
    "peak_resident_bytes": "highest resident memory, start-up included",
    "relative_peak_resident": "peak resident relative to libc",
    "relative_peak_resident_low": "lower end of its interval",
    "relative_peak_resident_high": "upper end of its interval",
    "mean_resident_bytes": "resident memory, mean over the operations",
    "peak_held_bytes": "most memory held from the system",
    "peak_requested_bytes": "most memory asked for by the program",
    "area_ratio": "sum of held over sum of requested memory",
    "fragmentation_mean_over_time": "held over requested memory less one, mean over the operations",
    "fragmentation_max_held_over_max_requested": "most held over most requested memory, less one",
    "peak_utilization": "most requested over most held memory",
    "blow_up": "peak held relative to that of one thread",
    "minor_faults": "minor page faults of the memory run",
    "system_calls": "memory system calls of the memory run",
}


def printable(text: str) -> str:
    return UNPRINTABLE.sub("\ufffd", text)


def cell(value: Value) -> str:
    """Numbers with a point and as many digits as they have; truth in capitals, which R and spreadsheets know, too; text that
    would be misread with a ' in front."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{printable(value)}" if MISREAD.match(value) else printable(value)
    return str(value).upper() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def as_csv(table: Table) -> str:
    """RFC 4180 but for line feeds alone: header, commas, quotes where needed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([cell(v) for v in row] for row in table.rows)
    return out.getvalue()


def as_json(results: Results, tables: Iterable[Table]) -> str:
    head = {"schema_version": SCHEMA_VERSION, "heaptape": results.tool_version, "created_utc": results.created_utc}
    parts = [json.dumps(head, indent=1, ensure_ascii=False)[:-2]]
    for table in (t for t in tables if t.in_json):
        rows = ",\n".join(json.dumps([printable(v) if isinstance(v, str) else v for v in r], ensure_ascii=False, allow_nan=False, separators=(",", ":")) for r in table.rows)
        parts.append(f' {json.dumps(table.name)}: {{"columns": {json.dumps(table.columns)}, "data": [\n{rows}\n ]}}')
    return ",\n".join(parts) + "\n}\n"


def label(text: str) -> str:
    """A label's value as Prometheus wants it."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def figures(summary: Table) -> Iterable[tuple[str, str, str, Value]]:
    """(metric, tape, allocator, value) of what is known."""
    for name in GAUGES:
        for row in summary.records():
            if row[name] is not None:
                yield name, str(row["tape"]), str(row["allocator"]), row[name]


def in_base_units(name: str, value: Value) -> tuple[str, Value]:
    """Prometheus wants seconds."""
    return (name.replace("ns_per_", "seconds_per_"), float(f"{value * 1e-9:.12g}")) if "ns_per_" in name else (name, value)


def as_prometheus(summary: Table) -> str:
    """The text format, for node_exporter's textfile collector or a push gateway."""
    lines, before = [], ""
    for column, tape, allocator, found in figures(summary):
        name, value = in_base_units(column, found)
        if name != before:
            lines += [f"# HELP heaptape_{name} {GAUGES[column]}", f"# TYPE heaptape_{name} gauge"]
            before = name
        lines.append(f'heaptape_{name}{{tape="{label(tape)}",allocator="{label(allocator)}"}} {cell(value)}')
    failed = [(r["tape"], r["allocator"], r["status"]) for r in summary.records()]
    lines += ["# HELP heaptape_ok 1 where the allocator got through the tape", "# TYPE heaptape_ok gauge"]
    lines += [f'heaptape_ok{{tape="{label(str(t))}",allocator="{label(str(a))}"}} {int(s == "ok")}' for t, a, s in failed]
    return "\n".join(lines) + "\n"


def word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text) or "_"


def as_flat(summary: Table) -> str:
    """TAPE.ALLOCATOR.FIGURE=VALUE, for grep and sh; what is no letter, digit, _ or - in a name is _."""
    lines = [f"{word(tape)}.{word(allocator)}.{name}={cell(value)}" for name, tape, allocator, value in figures(summary)]
    lines += [f"{word(str(r['tape']))}.{word(str(r['allocator']))}.status={word(str(r['status']))}" for r in summary.records()]
    return "\n".join(sorted(lines)) + "\n"


def files(results: Results, tables: list[Table]) -> Iterable[tuple[str, str]]:
    """(name, content) of each file."""
    yield from ((f"{table.name}.csv", as_csv(table)) for table in tables)
    yield "data.json", as_json(results, tables)
    summary = next(t for t in tables if t.name == "summary")
    yield "summary.prom", as_prometheus(summary)
    yield "summary.txt", as_flat(summary)
