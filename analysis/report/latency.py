"""How long single calls take: the rows `latency` of results.json and the curves in their CSV files.

Results of a bench without latency runs have no such rows; every tape's are then ().
"""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass

import numpy

from .fields import Fields, figure, inside

CALLS = ("malloc", "calloc", "realloc", "aligned", "free")
SHARES = ("p50", "p90", "p99", "p99_9", "p99_99")
OVER_TIME_COLUMNS = ("first_operation", "p50_ns", "p99_ns", "max_ns")
Curve = tuple[numpy.ndarray, numpy.ndarray]  # shares 0 .. 1, rising, and the ns that they stay below


@dataclass(frozen=True)
class Call:
    """One kind of call. Nanoseconds; None where there were too few calls to tell."""

    name: str
    count: int
    percentiles: tuple[float | None, ...]  # as SHARES
    max_ns: float | None
    mean_ns: float | None
    curve: Curve | None


@dataclass(frozen=True)
class OverTime:
    """Stretches of the run by their first operation, and the ns that half and 99 of 100 of their calls stay below."""

    operation: numpy.ndarray
    p50: numpy.ndarray
    p99: numpy.ndarray
    slowest: numpy.ndarray


@dataclass(frozen=True)
class Latency:
    """One allocator on one tape. `calls` in the order of CALLS, those that were made."""

    allocator: str
    rounds: int
    resolution_ns: float
    error_share: float
    preemptions: int
    calls: tuple[Call, ...]
    over_time: OverTime | None = None

    def call(self, name: str) -> Call | None:
        return next((c for c in self.calls if c.name == name), None)


def read_curves(folder: pathlib.Path, name: str) -> dict[str, Curve]:
    """Curves by kind of call. ValueError says what is wrong."""
    path = inside(folder, name)
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as source:
            for row in csv.DictReader(source):
                points.setdefault(row["call"], []).append((figure(row["share"]), figure(row["ns"])))
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, csv.Error):
        raise ValueError(f"{name}: not the columns and numbers expected") from None
    curves = {call: tuple(numpy.array(found, dtype=float).T) for call, found in points.items()}
    for shares, ns in curves.values():
        sound = numpy.all(numpy.isfinite(shares)) and numpy.all(numpy.isfinite(ns)) and numpy.all(ns >= 0)
        if not sound or numpy.any(numpy.diff(shares) <= 0) or shares[0] < 0 or shares[-1] > 1:
            raise ValueError(f"{name}: not the columns and numbers expected")
    return curves


def read_over_time(folder: pathlib.Path, name: str) -> OverTime | None:
    """ValueError says what is wrong; None where there are too few stretches to draw."""
    path = inside(folder, name)
    try:
        with path.open(newline="", encoding="utf-8") as source:
            rows = [[figure(row[c]) for c in OVER_TIME_COLUMNS] for row in csv.DictReader(source)]
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, csv.Error):
        raise ValueError(f"{name}: not the columns and numbers expected") from None
    table = numpy.array(rows, dtype=float)
    if len(table) and (not numpy.all(numpy.isfinite(table)) or numpy.any(numpy.diff(table[:, 0]) <= 0)):
        raise ValueError(f"{name}: not the columns and numbers expected")
    return OverTime(*table.T) if len(table) > 2 else None


def to_call(fields: Fields, name: str, curve: Curve | None) -> Call:
    return Call(
        name=name,
        count=fields.count(f"{name}_count"),
        percentiles=tuple(fields.number(f"{name}_ns_{share}") for share in SHARES),
        max_ns=fields.number(f"{name}_ns_max"),
        mean_ns=fields.number(f"{name}_ns_mean"),
        curve=curve,
    )


def to_latency(fields: Fields, folder: pathlib.Path, gaps: list[str]) -> Latency:
    curves: dict[str, Curve] = {}
    try:
        curves = read_curves(folder, fields.text("shares_csv")) if fields.text("shares_csv") else {}
    except ValueError as error:
        gaps.append(f"No latency curve: {error}.")
    over_time = None
    try:
        over_time = read_over_time(folder, fields.text("over_time_csv")) if fields.text("over_time_csv") else None
    except ValueError as error:
        gaps.append(f"No latency over the run: {error}.")
    calls = (to_call(fields, name, curves.get(name)) for name in CALLS)
    return Latency(
        allocator=fields.text("allocator"),
        rounds=fields.count("rounds"),
        resolution_ns=fields.number("clock_resolution_ns") or 0.0,
        error_share=fields.number("error_share") or 0.0,
        preemptions=fields.count("preemptions"),
        calls=tuple(c for c in calls if c.count),
        over_time=over_time,
    )


def read_latencies(top: Fields, folder: pathlib.Path, gaps: list[str]) -> dict[str, tuple[Latency, ...]]:
    """By tape, in the order of the bench, the floor's (null) too."""
    found: dict[str, list[Latency]] = {}
    for i, value in enumerate(top.objects("latency")):
        fields = Fields(value, f"results.json: latency[{i}]")
        found.setdefault(fields.text("tape"), []).append(to_latency(fields, folder, gaps))
    return {tape: tuple(rows) for tape, rows in found.items()}
