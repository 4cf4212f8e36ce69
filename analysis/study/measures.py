"""Johnstone and Wilson's four measures of fragmentation, from the series of a bench and from the tape's own blocks.

M. S. Johnstone and P. R. Wilson, The memory fragmentation problem: solved?, ISMM 1998. Each is H/x - 1, a share; x is
  gross     R, the bytes asked for: all that an allocator takes more than the program wanted
  net       the live blocks, each as small as its kind can be: headers and rounding to 16 bytes are taken out, and what is
            left is what a policy loses by its choice of sizes and places
  outside   the live blocks as they are, malloc_usable_size and header: what lies between blocks, or behind them
"""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass

BASES = ("gross", "net", "outside")
MEASURES = ("mean_over_time", "at_peak_requested", "at_peak_held", "max_over_max", "area")
# Bytes of header and footer; of an allocator that is not here none, or it is not known.
HEADERS = {"libc": 8, "bump": 8}
TEXTBOOK_HEADER = 16


@dataclass(frozen=True)
class Point:
    """One moment of a replay. `held` is what is resident where the allocator's H is unknown."""

    operation: int
    held: int
    bases: tuple[int, int, int]  # in the order of BASES


def header_of(allocator: str, textbook: bool) -> int:
    return HEADERS.get(allocator, TEXTBOOK_HEADER if textbook else 0)


def read_blocks(path: pathlib.Path) -> dict[int, dict[str, int]]:
    with open(path) as file:
        return {int(row["operation"]): {name: int(value) for name, value in row.items()} for row in csv.DictReader(file)}


def read_points(path: pathlib.Path, blocks: dict[int, dict[str, int]], header: int, held: str) -> list[Point]:
    """The moments of a series at which something is live."""
    points = []
    with open(path) as file:
        for row in csv.DictReader(file):
            own = blocks[int(row["operation"])]
            if own["requested_bytes"]:
                outside = int(row["usable_bytes"]) + header * own["blocks"]
                points.append(Point(int(row["operation"]), int(row[held]),
                                    (own["requested_bytes"], own[f"block_bytes_{header}"], outside)))
    return points


def measures(points: list[Point], operations: int, peak_held: int) -> dict[str, dict[str, float]]:
    """By base and measure. `peak_held`: the exact highest H, which may lie between two points."""
    ends = [point.operation for point in points[1:]] + [operations]
    weights = [max(end - point.operation, 0) for point, end in zip(points, ends)]
    at_requested = max(points, key=lambda point: point.bases[0])
    at_held = max(points, key=lambda point: point.held)
    result = {}
    for i, base in enumerate(BASES):
        over_time = sum(w * (p.held / p.bases[i] - 1) for w, p in zip(weights, points)) / (sum(weights) or 1)
        result[base] = {
            "mean_over_time": over_time,
            "at_peak_requested": at_requested.held / at_requested.bases[i] - 1,
            "at_peak_held": at_held.held / at_held.bases[i] - 1,
            "max_over_max": peak_held / max(point.bases[i] for point in points) - 1,
            "area": sum(w * p.held for w, p in zip(weights, points)) / (sum(w * p.bases[i] for w, p in zip(weights, points)) or 1) - 1,
        }
    return result


@dataclass(frozen=True)
class Looks:
    """What free_blocks saw of a policy on a tape. The first two for Knuth's fifty-percent rule, of the second half of the tape."""

    free_per_used: float
    split_share: float  # of the allocations, those that cut a block in two: no free block fitted exactly
    releasable_share: float  # of the heap, mean over time: pages wholly inside free blocks
    cpu_ns_per_event: float

    @property
    def predicted(self) -> float:
        """What the rule expects of free_per_used."""
        return self.split_share / 2


def looks(path: pathlib.Path) -> Looks | None:
    """None where nothing was allocated in the second half."""
    with open(path) as file:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    late = rows[len(rows) // 2 :]
    used, free = sum(row["used_blocks"] for row in late), sum(row["free_blocks"] for row in late)
    allocations, splits = (sum(row[name] for row in late) for name in ("allocations", "splits"))
    if not used or not allocations:
        return None
    pages = 4096 * sum(row["free_whole_pages"] for row in rows) / sum(row["held_bytes"] for row in rows)
    return Looks(free / used, min(splits / allocations, 1.0), pages, rows[-1]["cpu_ns"] / (rows[-1]["event"] or 1))
