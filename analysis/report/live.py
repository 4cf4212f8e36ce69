"""The real program under each allocator: live.json, which `heaptape live` leaves in a results folder."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from .fields import Fields, read_json


@dataclass(frozen=True)
class LiveEntry:
    """The real program under one allocator, from `heaptape live`."""

    allocator: str
    status: str
    seconds: dict | None
    peak_resident: float | None
    peak_resident_runs: tuple[float, ...]
    predicted: float | None
    relative_time: float | None
    relative_peak_resident: float | None
    cpu: float | None = None  # seconds of processor time
    cpu_runs: tuple[float, ...] = ()
    predicted_cpu: float | None = None


@dataclass(frozen=True)
class Live:
    program: tuple[str, ...]
    entries: tuple[LiveEntry, ...]


def read_live(folder: pathlib.Path) -> Live | None:
    path = folder / "live.json"
    if not path.exists():
        return None
    top = Fields(read_json(path), "live.json")
    entries = []
    for i, value in enumerate(top.objects("entries")):
        entry = Fields(value, f"live.json: entries[{i}]")
        runs = [float(v) for v in entry.list("peak_resident_bytes_runs") if isinstance(v, (int, float))]
        seconds = Fields(entry.object("time_seconds"), f"{entry.where}: time_seconds")
        entries.append(
            LiveEntry(
                allocator=entry.text("allocator"),
                status=entry.text("status"),
                seconds={k: seconds.number(k) for k in seconds.value} or None,
                peak_resident=entry.number("peak_resident_bytes"),
                peak_resident_runs=tuple(runs),
                predicted=entry.number("predicted_peak_resident_bytes"),
                relative_time=entry.number("relative_time"),
                relative_peak_resident=entry.number("relative_peak_resident"),
                cpu=entry.number("cpu_seconds"),
                cpu_runs=tuple(float(v) for v in entry.list("cpu_seconds_runs") if isinstance(v, (int, float))),
                predicted_cpu=entry.number("predicted_cpu_seconds"),
            )
        )
    return Live(tuple(str(w) for w in top.list("program")), tuple(entries)) if entries else None
