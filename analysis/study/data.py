"""What the study's folder holds, read and brought into one table: a row for each tape and allocator."""

from __future__ import annotations

import csv
import json
import pathlib
import statistics
from dataclasses import asdict, dataclass, field

from measures import BASES, MEASURES, Looks, header_of, looks, measures, read_blocks, read_points

TEXTBOOK = ("first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit", "best-fit-address",
            "worst-fit", "segregated", "segregated-address", "buddy", "bump", "best-fit-deferred", "first-fit-address-as-shipped")


@dataclass(frozen=True)
class Row:
    tape: str
    allocator: str
    status: str  # ok, or why there are no figures
    detail: str = ""
    ns_per_operation: float | None = None
    peak_requested_bytes: int | None = None
    peak_held_bytes: int | None = None
    peak_resident_bytes: float | None = None
    held_known: bool = True
    shares: dict[str, dict[str, float]] = field(default_factory=dict)  # by base and measure

    @property
    def ok(self) -> bool:
        return self.status == "ok"


@dataclass
class Study:
    folder: pathlib.Path
    tapes: list[dict]  # as in results.json
    allocators: list[str]
    rows: list[Row]
    looks: dict[tuple[str, str], Looks]  # by tape and allocator
    machine: dict

    def row(self, tape: str, allocator: str) -> Row | None:
        return next((row for row in self.rows if (row.tape, row.allocator) == (tape, allocator)), None)

    def of(self, allocator: str) -> list[Row]:
        """Its rows with figures."""
        return [row for row in self.rows if row.allocator == allocator and row.ok]

    def mean(self, allocator: str, base: str, measure: str, tapes: set[str] | None = None) -> float | None:
        """Over the tapes that it got through, or over those of `tapes`."""
        shares = [row.shares[base][measure] for row in self.of(allocator) if tapes is None or row.tape in tapes]
        return sum(shares) / len(shares) if shares else None

    def median(self, allocator: str, base: str, measure: str) -> float:
        return statistics.median(row.shares[base][measure] for row in self.of(allocator))

    def resident(self, allocator: str) -> float:
        """Peak resident over peak R, - 1; mean over tapes."""
        rows = self.of(allocator)
        return sum(row.peak_resident_bytes / row.peak_requested_bytes - 1 for row in rows) / len(rows)

    def common(self) -> set[str]:
        """The tapes that every allocator but worst fit got through."""
        names = [name for name in self.allocators if name != "worst-fit"]
        return {tape["name"] for tape in self.tapes
                if all((row := self.row(tape["name"], name)) and row.ok for name in names)}


def read_row(folder: pathlib.Path, summary: dict, operations: int, blocks: dict) -> Row:
    name, tape = summary["allocator"], summary["tape"]
    series = folder / (summary.get("series_csv") or f"series/{tape}.{name}.csv")
    if summary["status"] != "ok" or not series.exists():
        return Row(tape, name, summary["status"], summary["detail"])
    known = summary["held_known"]
    points = read_points(series, blocks, header_of(name, name in TEXTBOOK), "held_bytes" if known else "resident_bytes")
    peak = summary["peak_held_bytes"] if known else max(point.held for point in points)
    return Row(tape, name, "ok", "", summary["ns_per_operation"]["median"], summary["peak_requested_bytes"], peak,
               summary["peak_resident_bytes"]["median"], known, measures(points, operations, peak))


def read(folder: pathlib.Path) -> Study:
    """Every FOLDER/TAPE with results.json and blocks.csv; raises OSError where there is none."""
    study = Study(folder, [], [], [], {}, {})
    for path in sorted(folder.glob("*/results.json")):
        place = path.parent
        if not (place / "blocks.csv").exists():
            continue
        results = json.loads(path.read_text())
        blocks = read_blocks(place / "blocks.csv")
        [tape] = results["tapes"]
        operations = max(run["operations"] or 0 for run in results["runs"])
        study.tapes.append(tape)
        study.machine = results["machine"]
        rows = [read_row(place, row, operations, blocks) for row in results["summary"] if not row["is_floor"]]
        study.rows += rows
        study.allocators += [row.allocator for row in rows if row.allocator not in study.allocators]
        for csv_path in (place / "free").glob("*.csv"):
            found = looks(csv_path)
            if found:
                study.looks[tape["name"], csv_path.stem] = found
    if not study.tapes:
        raise OSError(f"{folder}: no results here; run make study")
    order = {name: i for i, name in enumerate((*TEXTBOOK, "libc", "htmalloc"))}
    study.allocators.sort(key=lambda name: (order.get(name, len(order)), name))
    return study


def flat(row: Row) -> dict:
    """A row as CSV and JSON have it."""
    known = {"tape": row.tape, "allocator": row.allocator, "status": row.status, "ns_per_operation": row.ns_per_operation,
             "peak_requested_bytes": row.peak_requested_bytes, "peak_held_bytes": row.peak_held_bytes,
             "peak_resident_bytes": row.peak_resident_bytes, "held_known": row.held_known}
    shares = {f"{base}_{measure}": round(row.shares[base][measure], 5) if row.ok else None for base in BASES for measure in MEASURES}
    return known | shares


def write(study: Study) -> None:
    """study.csv and study.json."""
    rows = [flat(row) for row in study.rows]
    with open(study.folder / "study.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    means = {name: {base: {measure: study.mean(name, base, measure) for measure in MEASURES} for base in BASES} | {
        "resident_max_over_max": study.resident(name), "tapes": len(study.of(name))} for name in study.allocators if study.of(name)}
    seen = [{"tape": tape, "allocator": name, **asdict(found)} for (tape, name), found in sorted(study.looks.items())]
    text = {"schema_version": 1, "machine": study.machine, "tapes": study.tapes, "rows": rows, "means": means, "free_blocks": seen}
    (study.folder / "study.json").write_text(json.dumps(text, indent=1) + "\n")
