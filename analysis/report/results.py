"""A results folder (results.json, series/*.csv, live.json): load, check, and give it types.

Everything that can be wrong with a folder ends in ResultsError with one sentence that says what, where and
what to do next. Figures that are unknown are None; series are arrays of floats with nan where unknown.
"""

from __future__ import annotations

import csv
import math
import pathlib
from dataclasses import dataclass, field

import numpy

from .fields import Fields, Interval, ResultsError, figure, file_of, inside, read_folder
from .latency import Latency, read_latencies
from .live import Live, read_live
from .memory_figures import Fragmentation, OverTime, Reallocs, to_fragmentation, to_over_time, to_reallocs

SERIES_COLUMNS = (
    "operation",
    "time_seconds",
    "requested_bytes",
    "usable_bytes",
    "held_bytes",
    "resident_bytes",
)
LIFETIMES_COLUMNS = ("size_low_bytes", "size_high_bytes", "lifetime_low_bytes", "lifetime_high_bytes", "blocks")
SIZES_COLUMNS = ("size_low_bytes", "size_high_bytes", "allocations", "allocated_bytes")


@dataclass(frozen=True)
class Series:
    """R, U, H and P of one memory run; arrays of equal length, at least two points."""

    operation: numpy.ndarray
    time_seconds: numpy.ndarray
    requested: numpy.ndarray
    usable: numpy.ndarray
    held: numpy.ndarray
    resident: numpy.ndarray


@dataclass(frozen=True)
class SystemCall:
    """A system call of the allocator's, of the memory run."""

    name: str
    calls: int
    bytes: int


@dataclass(frozen=True)
class CountOverTime:
    """System calls, or page faults, so far at each point of the memory run."""

    operation: numpy.ndarray
    count: numpy.ndarray


@dataclass(frozen=True)
class Sizes:
    """Histogram of sizes asked for: bin i holds low[i] .. high[i] bytes, both included."""

    low: numpy.ndarray
    high: numpy.ndarray
    allocations: numpy.ndarray
    allocated_bytes: numpy.ndarray


@dataclass(frozen=True)
class Lifetimes:
    """How many blocks of a size lived for so many bytes of allocation; bounds are both included."""

    size_low: numpy.ndarray
    size_high: numpy.ndarray
    life_low: numpy.ndarray
    life_high: numpy.ndarray
    blocks: numpy.ndarray


@dataclass(frozen=True)
class Row:
    """One allocator on one tape."""

    tape: str
    allocator: str
    is_floor: bool
    status: str
    detail: str
    rounds_ok: int
    rounds: int
    ns: Interval | None
    ns_min: float | None
    ns_max: float | None
    floor_ns: float | None
    net_ns: Interval | None
    relative_time: Interval | None
    peak_requested: float | None
    peak_usable: float | None
    peak_held: float | None
    peak_resident: Interval | None
    startup_resident: float | None
    held_known: bool
    relative_peak_resident: Interval | None
    fragmentation: Fragmentation
    series: Series | None
    ns_rounds: tuple[float, ...]
    calls: tuple[SystemCall, ...] | None = None  # None: not known
    calls_over_time: CountOverTime | None = None
    faults_over_time: CountOverTime | None = None
    minor_faults: float | None = None
    major_faults: float | None = None
    huge_share: float | None = None
    metadata: float | None = None  # what the allocator tells of its own data, in bytes
    over_time: OverTime = OverTime()
    reallocs: Reallocs = Reallocs()
    snapshots: str = ""  # file of the heap's snapshots, "" where there is none

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def failure(self) -> str:
        """Why there are no figures, in words; '' for a row that is well."""
        if self.ok:
            return ""
        word = STATUS_WORDS.get(self.status, self.status or "failed")
        return f"{word}: {self.detail}" if self.detail else word


STATUS_WORDS = {
    "crashed": "crashed",
    "timeout": "timed out",
    "out_of_memory": "out of memory",
    "error": "failed",
    "failed": "failed verification",
    "interrupted": "not measured, the bench was interrupted",
}


@dataclass(frozen=True)
class Tape:
    name: str
    facts: dict
    sizes: Sizes | None
    rows: tuple[Row, ...]  # without the floor, in the order of the bench
    latencies: tuple[Latency, ...] = ()  # with the floor; none where no latency run was made
    lifetimes: Lifetimes | None = None

    @property
    def program(self) -> str:
        return str(self.facts.get("program") or self.name)

    @property
    def label(self) -> str:
        """What headings call it: a descendant's tape ("sh.4711") alone does not say which program it was."""
        short = self.program.rsplit("/", 1)[-1]
        return self.name if short in self.name else f"{self.name}: {short}"

    @property
    def baseline(self) -> Row | None:
        return next((r for r in self.rows if r.allocator == "libc" and r.ok), None)

    @property
    def floor_ns(self) -> float | None:
        return next((r.floor_ns for r in self.rows if r.floor_ns is not None), None)


@dataclass(frozen=True)
class Results:
    folder: pathlib.Path
    tool_version: str
    created_utc: str
    command: tuple[str, ...]
    complete: bool
    machine: dict
    settings: dict
    warnings: tuple[dict, ...]
    allocators: tuple[dict, ...]
    tapes: tuple[Tape, ...]
    live: Live | None
    gaps: tuple[str, ...] = field(default=())  # what could not be read, a sentence each

    @property
    def allocator_names(self) -> list[str]:
        """Every allocator but the floor, in the order of the bench."""
        names: dict[str, None] = {}
        for tape in self.tapes:
            for row in tape.rows:
                names.setdefault(row.allocator)
        for entry in self.live.entries if self.live else ():
            names.setdefault(entry.allocator)
        return list(names)


# ---- reading ---------------------------------------------------------------------------------------------


def read_table(
    folder: pathlib.Path, name: str, columns: tuple[str, ...], minimum: int
) -> list[numpy.ndarray]:
    """The columns of a CSV file inside the folder; an empty cell is nan. ValueError says what is wrong."""
    path = inside(folder, name)
    try:
        with path.open(newline="", encoding="utf-8") as source:
            rows = csv.reader(source)
            header = next(rows, [])
            where = [header.index(c) for c in columns]
            table = [[figure(r[i]) for i in where] for r in rows if r]
        if any(math.isnan(row[0]) for row in table):
            raise ValueError(columns[0])
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None
    except (ValueError, IndexError, csv.Error):
        raise ValueError(f"{name}: not the columns and numbers expected") from None
    if len(table) < minimum:
        raise ValueError(f"{name}: too few rows to draw ({len(table)})")
    return list(numpy.array(table, dtype=float).T)


def read_series(folder: pathlib.Path, name: str, gaps: list[str]) -> Series | None:
    if not name:
        return None
    try:
        found = Series(*read_table(folder, name, SERIES_COLUMNS, 2))
        for column, values in zip(SERIES_COLUMNS, (found.operation, found.time_seconds, found.requested)):
            if numpy.any(numpy.isnan(values)):
                raise ValueError(f"{name}: {column} is not known everywhere")
        for word, values in (("usable", found.usable), ("resident", found.resident)):
            if numpy.all(numpy.isnan(values)):
                raise ValueError(f"{name}: nothing is known of the {word} memory")
        return found
    except ValueError as error:
        gaps.append(f"No memory curve: {error}.")
        return None


def read_count(folder: pathlib.Path, name: str, *columns: str) -> CountOverTime | None:
    """The sum of the columns. None where the file does not have them, or they were not counted."""
    try:
        operation, *counted = read_table(folder, name, ("operation", *columns), 2)
    except ValueError:
        return None
    total = sum(counted)
    return None if numpy.any(numpy.isnan(total)) else CountOverTime(operation, total)


def to_calls(fields: Fields) -> tuple[SystemCall, ...] | None:
    if fields.number("system_call_count") is None:
        return None
    found = (Fields(v, f"{fields.where}: system_calls") for v in fields.objects("system_calls"))
    return tuple(SystemCall(f.text("name"), f.count("calls"), f.count("bytes")) for f in found)


def read_sizes(folder: pathlib.Path, name: str, gaps: list[str]) -> Sizes | None:
    if not name:
        return None
    try:
        return Sizes(*read_table(folder, name, SIZES_COLUMNS, 1))
    except ValueError as error:
        gaps.append(f"No size histogram: {error}.")
        return None


def read_lifetimes(folder: pathlib.Path, name: str, gaps: list[str]) -> Lifetimes | None:
    """None where the bench was of an earlier version, or nothing was freed."""
    if not name:
        return None
    try:
        found = Lifetimes(*read_table(folder, name, LIFETIMES_COLUMNS, 0))
    except (ValueError, TypeError) as error:
        if isinstance(error, ValueError):
            gaps.append(f"No lifetimes: {error}.")
        return None
    return found


def snapshots_of(fields: Fields, folder: pathlib.Path) -> str:
    """A name inside the folder, or ""."""
    name = fields.text("snapshots")
    return name if file_of(folder, name) else ""


def to_row(fields: Fields, folder: pathlib.Path, rounds: dict, gaps: list[str]) -> Row:
    tape, allocator = fields.text("tape"), fields.text("allocator")
    status, is_floor = fields.text("status"), fields.truth("is_floor")
    ns = Fields(fields.object("ns_per_operation"), f"{fields.where}: ns_per_operation")
    series = None if is_floor or status != "ok" else read_series(folder, fields.text("series_csv"), gaps)
    no_held = series is not None and bool(numpy.all(numpy.isnan(series.held)))
    return Row(
        tape=tape,
        allocator=allocator,
        is_floor=is_floor,
        status=status,
        detail=fields.text("detail"),
        rounds_ok=fields.count("rounds_ok"),
        rounds=fields.count("rounds"),
        ns=fields.interval("ns_per_operation"),
        ns_min=ns.number("min"),
        ns_max=ns.number("max"),
        floor_ns=fields.number("floor_ns_per_operation"),
        net_ns=fields.interval("net_ns_per_operation"),
        relative_time=fields.interval("relative_time"),
        peak_requested=fields.number("peak_requested_bytes"),
        peak_usable=fields.number("peak_usable_bytes"),
        peak_held=fields.number("peak_held_bytes"),
        peak_resident=fields.interval("peak_resident_bytes"),
        startup_resident=fields.number("startup_resident_bytes"),
        held_known=fields.truth("held_known") and not no_held,
        relative_peak_resident=fields.interval("relative_peak_resident"),
        fragmentation=to_fragmentation(fields),
        series=series,
        ns_rounds=tuple(rounds.get((tape, allocator), ())),
        calls=to_calls(fields),
        calls_over_time=None if is_floor else read_count(folder, fields.text("series_csv"), "system_calls"),
        faults_over_time=None
        if is_floor
        else read_count(folder, fields.text("series_csv"), "minor_faults", "major_faults"),
        minor_faults=fields.number("memory_minor_faults"),
        major_faults=fields.number("memory_major_faults"),
        huge_share=fields.number("huge_share_at_peak"),
        metadata=fields.number("metadata_bytes"),
        over_time=to_over_time(fields),
        reallocs=to_reallocs(fields),
        snapshots=snapshots_of(fields, folder),
    )


def time_rounds(top: Fields) -> dict[tuple[str, str], list[float]]:
    """ns per operation of each good timed run, by tape and allocator, in the order of the rounds."""
    found: dict[tuple[str, str], list[float]] = {}
    for i, value in enumerate(top.objects("runs")):
        run = Fields(value, f"results.json: runs[{i}]")
        ns = run.number("ns_per_operation")
        if run.text("mode") == "time" and run.text("status") == "ok" and ns is not None:
            found.setdefault((run.text("tape"), run.text("allocator")), []).append(ns)
    return found


def read_tapes(top: Fields, folder: pathlib.Path, gaps: list[str]) -> tuple[Tape, ...]:
    rounds = time_rounds(top)
    rows: dict[str, list[Row]] = {}
    for i, value in enumerate(top.objects("summary")):
        row = to_row(Fields(value, f"results.json: summary[{i}]"), folder, rounds, gaps)
        rows.setdefault(row.tape, []).append(row)
    facts = {str(t.get("name")): t for t in top.objects("tapes")}
    latencies = read_latencies(top, folder, gaps)
    tapes = []
    for name in [n for n in facts if n in rows] + [n for n in rows if n not in facts]:
        about = facts.get(name, {"name": name})
        sizes = read_sizes(folder, Fields(about, f"results.json: tape {name}").text("sizes_csv"), gaps)
        own = tuple(r for r in rows[name] if not r.is_floor)
        lifetimes = read_lifetimes(folder, Fields(about, f"results.json: tape {name}").text("lifetimes_csv"), gaps)
        tapes.append(Tape(name, about, sizes, own, latencies.get(name, ()), lifetimes))
    return tuple(t for t in tapes if t.rows)


def load(folder: pathlib.Path) -> Results:
    """The results in FOLDER, checked. ResultsError in one sentence where they cannot be used."""
    top = read_folder(folder)
    gaps: list[str] = []
    tapes = read_tapes(top, folder, gaps)
    if not tapes:
        raise ResultsError(
            f"nothing was measured in {folder} (no rows in its summary): run heaptape bench again"
        )
    tool = Fields(top.object("tool"), "results.json: tool")
    return Results(
        folder=folder,
        tool_version=tool.text("version"),
        created_utc=top.text("created_utc"),
        command=tuple(str(w) for w in top.list("command")),
        complete=top.truth("complete"),
        machine=top.object("machine"),
        settings=top.object("settings"),
        warnings=top.objects("warnings"),
        allocators=top.objects("allocators"),
        tapes=tapes,
        live=read_live(folder),
        gaps=tuple(gaps),
    )
