"""report.html: the page's data gathered, and its template filled. Everything that is a name gets escaped there."""

from __future__ import annotations

import pathlib
import shlex
from dataclasses import dataclass

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from . import blamed, groups, page_series, palette, units, verdict, why
from .cells import UNKNOWN, Cell, bytes_cell, range_cell, relative_cell, share_cell
from .context import Context
from .figure import Figure, anchor_of, lighter
from .latency import CALLS, Call, Latency
from .memory_cells import MORE_COLUMNS, OVER_TIME_COLUMNS, more_cells, over_time_cells
from .overview import overall
from .results import Results, Row, Tape

TEMPLATES = pathlib.Path(__file__).absolute().parent / "templates"


@dataclass(frozen=True)
class Measured:
    """Whose latencies a row of that table has; those that failed have no such row."""

    allocator: str
    ok: bool = True


@dataclass(frozen=True)
class Section:
    """Everything about one tape."""

    anchor: str
    tape: Tape
    headline: str
    lines: list[verdict.Line]
    undecided: str
    beaten: str
    about: str
    reasons: list[why.Reason]
    table: list[tuple[Row, list[Cell]]]
    more: list[tuple[Row, list[Cell]]]
    over_time: list[tuple[Row, list[Cell]]]
    latencies: list[tuple[Measured, list[Cell]]]
    calls: list[tuple[Row, list[Cell]]]  # empty where no run told them
    blamed: list[tuple[Measured, list[Cell]]]  # empty without snapshots
    facts: list[tuple[str, str]]
    groups: list[groups.Group]


COLUMNS = (
    "Allocator",
    "Time per operation",
    "Time against libc",
    "Time without floor",
    "Peak resident",
    "Resident against libc",
    "Peak held",
    "Held beyond asked for",
)
LATENCY_COLUMNS = (
    "Allocator",
    "Call",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "p99.99",
    "Slowest",
    "Mean",
    "Calls",
)
BLAME_COLUMNS = ("Allocator", "When", "Falls if gone", "Falls if moved", "Share of the pages", "Live on them", "Blocks", "Whose blocks")
CALL_KINDS = ("mmap", "munmap", "mremap", "brk", "madvise", "mprotect")  # each with all of its variants
CALL_COLUMNS = ("Allocator", "System calls", *CALL_KINDS, "Minor faults", "Major faults", "Huge pages at the peak")
LOUD = ("noisy_machine", "steal", "throttled")  # warnings that belong beside the verdict


def cells(row: Row) -> list[Cell]:
    """The row of the summary table, in the order of COLUMNS without the name."""
    waste = row.fragmentation
    return [
        range_cell(row.ns, units.as_ns),
        relative_cell(row.relative_time),
        range_cell(row.net_ns, units.as_ns),
        range_cell(row.peak_resident, units.as_bytes),
        relative_cell(row.relative_peak_resident),
        bytes_cell(row.peak_held if row.held_known else None),
        share_cell(None if waste.area_ratio is None else waste.area_ratio - 1),
    ]


def latency_cells(call: Call) -> list[Cell]:
    """The row of the table of latencies, in the order of LATENCY_COLUMNS without the name."""
    times = [*call.percentiles, call.max_ns, call.mean_ns]
    return [
        Cell(call.name, CALLS.index(call.name)),
        *(UNKNOWN if ns is None else Cell(units.as_ns(ns), ns) for ns in times),
        Cell(units.as_count(call.count), call.count),
    ]


def latency_table(tape: Tape) -> list[tuple[Measured, list[Cell]]]:
    """By kind of call, then by p99, the floor (which has no other figures here) last of each kind."""
    measured = {r.allocator for r in tape.rows}

    def order(row: Latency, call: Call) -> tuple:
        p99 = call.percentiles[2]
        return (CALLS.index(call.name), row.allocator not in measured, p99 is None, p99 or 0.0, row.allocator)

    found = sorted(((r, c) for r in tape.latencies for c in r.calls), key=lambda pair: order(*pair))
    return [(Measured(row.allocator), latency_cells(call)) for row, call in found]


def call_cell(row: Row, kind: str) -> Cell:
    """The calls of a kind, with their bytes below."""
    if row.calls is None:
        return UNKNOWN
    of_kind = [c for c in row.calls if c.name.partition("_")[0] == kind]
    calls, size = sum(c.calls for c in of_kind), sum(c.bytes for c in of_kind)
    return Cell(units.as_count(calls), calls, units.as_bytes(size) if size else "")


def call_cells(row: Row) -> list[Cell]:
    """The row of the table of system calls and faults, in the order of CALL_COLUMNS without the name."""
    total = UNKNOWN
    if row.calls is not None:
        count = sum(c.calls for c in row.calls)
        total = Cell(units.as_count(count), count)
    faults = [
        UNKNOWN if v is None else Cell(units.as_count(int(v)), v) for v in (row.minor_faults, row.major_faults)
    ]
    huge = UNKNOWN if row.huge_share is None else Cell(units.as_percent(row.huge_share), row.huge_share)
    return [total, *(call_cell(row, kind) for kind in CALL_KINDS), *faults, huge]


def table(tape: Tape, cells) -> list[tuple[Row, list[Cell]]]:
    rows = sorted(tape.rows, key=lambda r: (r.ns is None, r.ns.median if r.ns else 0.0, r.allocator))
    return [(r, cells(r)) for r in rows]


def facts(tape: Tape) -> list[tuple[str, str]]:
    """What the tape is, as pairs of word and value."""
    about = tape.facts
    arguments = about.get("arguments")
    command = f"{tape.program} {arguments}" if arguments else tape.program
    pairs = [("Program", command if len(command) <= 160 else command[:159] + "…")]
    for word, key, text in (
        ("Events", "events", units.as_count),
        ("Allocations", "allocations", units.as_count),
        ("Frees", "frees", units.as_count),
        ("Reallocs", "reallocs", units.as_count),
        ("Threads", "lanes", units.as_count),
        ("Peak live", "peak_live_bytes", units.as_bytes),
        ("Live at the end", "live_at_end_bytes", units.as_bytes),
        ("Lower bound", "lower_bound_bytes", units.as_bytes),
        ("Lower bound, aligned", "aligned_lower_bound_bytes", units.as_bytes),
        ("A placement exists at", "packing_bytes", units.as_bytes),
        ("Recorded for", "duration_seconds", units.as_seconds),
        ("Tape on disk", "file_bytes", units.as_bytes),
    ):
        value = about.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            pairs.append((word, text(value)))
    if about.get("recorded_allocator"):
        peak = about.get("recorded_peak_resident_bytes")
        pairs.append(
            (
                "Recorded on",
                str(about["recorded_allocator"])
                + (f", the process peaked at {units.as_bytes(peak)} resident" if peak else ""),
            )
        )
    if about.get("complete") is False:
        pairs.append(("Note", "the recording was cut; its end is missing"))
    return pairs


def short_program(tape: Tape) -> str:
    """Without its folder."""
    return tape.program.rstrip("/").rsplit("/", 1)[-1] or tape.program


def prefix_of(tape: Tape, number: int) -> str:
    """What the anchors of a tape's section begin with."""
    return f"t{number}-{anchor_of(tape.name)}"


def blame_table(folder: pathlib.Path, tape: Tape) -> list[tuple[Measured, list[Cell]]]:
    """Who pins nearly empty pages, in the order of BLAME_COLUMNS without the name."""
    return [
        (
            Measured(found.allocator),
            [
                Cell(found.when, found.when),
                *(Cell(units.as_bytes(v), v) for v in (found.gone, found.moved, found.share, found.live)),
                Cell(units.as_count(found.blocks), found.blocks),
                Cell(found.name, found.name, found.callers, "site"),
            ],
        )
        for found in blamed.of_tape(folder, tape)
    ]


def section(folder: pathlib.Path, tape: Tape, figures: list[Figure], number: int) -> Section:
    prefix = prefix_of(tape, number)
    found = verdict.lines(tape)
    return Section(
        prefix,
        tape,
        verdict.headline(tape),
        found,
        verdict.undecided(found),
        verdict.beaten(tape),
        why.about(tape),
        why.of_tape(tape, folder),
        table(tape, cells),
        table(tape, more_cells),
        table(tape, over_time_cells),
        latency_table(tape),
        table(tape, call_cells) if any(r.calls is not None for r in tape.rows) else [],
        blame_table(folder, tape),
        facts(tape),
        groups.of_figures(figures),
    )


def pairs_of(values: dict) -> list[tuple[str, str]]:
    """Settings and machine as the file has them: keys with words, bytes with units."""
    pairs = []
    for key, value in values.items():
        if key.endswith("_bytes") and isinstance(value, (int, float)):
            key, value = key[:-6], units.as_bytes(value) if value else "none"
        elif key.endswith("_seconds") and isinstance(value, (int, float)):
            key, value = key[:-8], units.as_seconds(value)
        if isinstance(value, bool):
            value = "yes" if value else "no"
        pairs.append((key.replace("_", " "), "–" if value in (None, "") else str(value)))
    return pairs


def noise(results: Results) -> list[tuple[str, str, float]]:
    """(tape, allocator, half width of the interval over the median) of the widest intervals of time, widest first."""
    found = [
        (t.name, r.allocator, (r.ns.high - r.ns.low) / 2 / r.ns.median)
        for t in results.tapes
        for r in t.rows
        if r.ns and r.ns.median
    ]
    return sorted(found, key=lambda f: (-f[2], f[0], f[1]))[:5]


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(moment=units.as_moment, ns=units.as_ns, count=units.as_count, percent=units.as_percent)
    return made


def script_data(context: Context, figures: list[Figure]) -> dict:
    """What the page's script reads: names, series, and what each drawing says on hover."""
    return {
        "names": list(context.colour),
        "series": {f"t{i}": page_series.of_tape(context, t) for i, t in enumerate(context.results.tapes)},
        "charts": {d.anchor: d.model for f in figures for d in f.drawings if d.model},
        "heaps": {f.anchor: f.heaps for f in figures if f.heaps},
    }


def render(context: Context, overview: list[Figure], of_tapes: list[list[Figure]], live: list[Figure]) -> str:
    """The whole page."""
    results = context.results
    overview, of_tapes, live, rules = lighter(overview, of_tapes, live)
    several = len(results.tapes) > 1
    totals = overall(results)
    compared = several and any(o.time_mean for o in totals)
    sections = [section(results.folder, t, found, i) for i, (t, found) in enumerate(zip(results.tapes, of_tapes))]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            results=results,
            sections=sections,
            several=several,
            columns=COLUMNS,
            more_columns=MORE_COLUMNS,
            over_time_columns=OVER_TIME_COLUMNS,
            latency_columns=LATENCY_COLUMNS,
            call_columns=CALL_COLUMNS,
            blame_columns=BLAME_COLUMNS,
            colours=context.colour,
            overview=overview,
            live=live,
            rules=Markup(rules),
            data=script_data(context, [*overview, *(f for found in of_tapes for f in found), *live]),
            headline=verdict.overall_headline(totals, results) if compared else None,
            overall_reasons=why.overall(results, [o.allocator for o in totals]) if compared else [],
            overall_lines=verdict.overall_lines(totals, len(results.tapes)) if compared else [],
            command=shlex.join(results.command),
            machine=pairs_of(results.machine),
            settings=pairs_of(results.settings),
            confidence=context.confidence,
            noise=noise(results),
            variable=palette.variable,
            palette=[c for c in palette.every_colour() if c not in palette.CHROME],
            dark=palette.dark,
            ink={n: palette.variable(palette.letters(c)) for n, c in context.colour.items()},
            hue={n: palette.variable(c) for n, c in context.colour.items()},
            numbers={n: context.owner(n) for n in context.colour},
            programs=list(dict.fromkeys(short_program(t) for t in results.tapes)),
            commands=[dict(s.facts)["Program"] for s in sections],
            loud=next((w for code in LOUD for w in results.warnings if w.get("code") == code), None),
        )
    )
