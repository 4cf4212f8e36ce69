"""What became of a heap in the course of a replay, from its snapshots: the heap map, what resident memory was made of, and
how full its pages and how long its free runs were at the highest resident and at the end. One pass over the file for all."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy

from . import heap_pages, snapshots
from .heap_pages import below
from .kept import Kept
from .results import Row, Tape
from .size_classes import Classes, Collector

BANDS = 480  # of addresses, at most
SPARSE = 0.25  # a page less full than this is nearly empty
NEARLY = 0.99  # of the highest: resident memory that hardly grows, as where nothing is given back, is at its highest when it got there


@dataclass(frozen=True)
class HeapMap:
    """resident[band, snapshot] and live[band, snapshot] in bytes. Bands are whole pages, as many in each (the last may have
    fewer); addresses that were never resident are left out."""

    operation: numpy.ndarray
    edges: numpy.ndarray  # address at which each band begins, and the end of the last
    band: int  # bytes of a band
    size: int  # bytes that were resident at any snapshot: the height of the map
    resident: numpy.ndarray
    live: numpy.ndarray

    @property
    def occupancy(self) -> numpy.ndarray:
        """0 to 1, nan where nothing is resident."""
        with numpy.errstate(divide="ignore", invalid="ignore"):
            return numpy.where(self.resident > 0, numpy.minimum(self.live / self.resident, 1.0), numpy.nan)


@dataclass(frozen=True)
class Moment:
    """Of one snapshot."""

    operation: int
    small: numpy.ndarray  # heap_pages.by_occupancy() of pages of 4 KiB
    huge: numpy.ndarray  # of 2 MiB
    free: numpy.ndarray  # lengths of free runs


@dataclass(frozen=True)
class Story:
    """Arrays have a value for each snapshot, in bytes."""

    operation: numpy.ndarray
    live: numpy.ndarray  # on resident pages
    full_free: numpy.ndarray  # the rest of pages that are not nearly empty
    sparse_free: numpy.ndarray  # the rest of nearly empty pages: what is pinned
    empty: numpy.ndarray  # pages without a block: what could be given back
    heap_map: HeapMap
    peak: Moment  # the highest resident, to 1 %: the first snapshot there
    end: Moment  # the last snapshot
    classes: Classes | None = None  # of its blocks; None where there were none

    @property
    def resident(self) -> numpy.ndarray:
        return self.live + self.full_free + self.sparse_free + self.empty

    @property
    def peak_index(self) -> int:
        """Of the peak's snapshot."""
        return int(numpy.flatnonzero(self.operation == self.peak.operation)[0])


def pages_of_band(union: numpy.ndarray, bands: int = BANDS) -> int:
    """So many that there are at most so many bands."""
    return -(-int((union[:, 1] - union[:, 0]).sum()) // snapshots.PAGE // bands)


def band_edges(union: numpy.ndarray, each: int) -> tuple[numpy.ndarray, int]:
    """Addresses that cut the union into bands of so many pages each; and the bytes of one."""
    pages = int((union[:, 1] - union[:, 0]).sum()) // snapshots.PAGE
    so_far = numpy.concatenate(([0], numpy.cumsum(union[:, 1] - union[:, 0])))
    wanted = numpy.minimum(numpy.arange(-(-pages // each) + 1) * each * snapshots.PAGE, so_far[-1])
    at = numpy.clip(numpy.searchsorted(so_far, wanted, side="right") - 1, 0, len(union) - 1)
    return union[at, 0] + wanted - so_far[at], each * snapshots.PAGE


def outline_of(path: pathlib.Path) -> tuple[numpy.ndarray, int]:
    """All stretches that were resident at some snapshot; and which snapshot is the peak: the first at which P is within 1 % of its
    highest, as heaptape blame has it."""
    union, resident = numpy.zeros((0, 2), dtype=numpy.int64), []
    for one in snapshots.read(path, blocks=False):
        union = heap_pages.merged(numpy.concatenate((union, heap_pages.stretches(one))))
        resident.append(one.resident_bytes)
    return union, next((i for i, size in enumerate(resident) if size >= NEARLY * max(resident)), 0)


def union_of(path: pathlib.Path) -> numpy.ndarray:
    return outline_of(path)[0]


def parts_of(pages: heap_pages.Pages) -> tuple[int, int, int, int]:
    """Live, free on fuller pages, free on nearly empty ones, empty pages."""
    empty = pages.held == 0
    sparse = ~empty & (pages.live < SPARSE * pages.resident)
    free = pages.resident - pages.live
    return tuple(int(v) for v in (pages.live.sum(), free[~empty & ~sparse].sum(), free[sparse].sum(), free[empty].sum()))


def moment_of(one: snapshots.Snapshot, resident: numpy.ndarray, pages: heap_pages.Pages) -> Moment:
    return Moment(
        one.operation,
        heap_pages.by_occupancy(pages),
        heap_pages.by_occupancy(heap_pages.huge_pages(pages)),
        heap_pages.free_runs(one, resident),
    )


def column_of(edges: numpy.ndarray, resident: numpy.ndarray, pages: heap_pages.Pages) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Resident and live bytes of each band."""
    bytes_ = numpy.diff(below(edges, resident[:, 0], resident[:, 1] - resident[:, 0]))
    band = numpy.searchsorted(edges, pages.start, side="right") - 1
    return bytes_, numpy.bincount(band, weights=pages.live, minlength=len(edges) - 1)[: len(edges) - 1]


def read(path: pathlib.Path, each: int = 0) -> Story | None:
    """None where nothing was ever resident; `each`: pages of a band of the map, 0 for at most BANDS of them. ValueError or
    OSError where the file cannot be read."""
    union, highest = outline_of(path)
    if not len(union):
        return None
    edges, band = band_edges(union, each or pages_of_band(union))
    operation, parts, columns = [], [], []
    peak = end = None
    classes = Collector()
    for one in snapshots.read(path, births=False):
        resident = heap_pages.stretches(one)
        pages = heap_pages.small_pages(one, resident)
        operation.append(one.operation)
        classes.add(one)
        parts.append(parts_of(pages))
        columns.append(column_of(edges, resident, pages))
        end = (one, resident, pages)
        if len(operation) == highest + 1:
            peak = end
    operations = numpy.array(operation, dtype=float)
    heap_map = HeapMap(
        operations, edges, band, int((union[:, 1] - union[:, 0]).sum()),
        numpy.array([c[0] for c in columns]).T, numpy.array([c[1] for c in columns]).T,
    )  # fmt: skip
    return Story(operations, *numpy.array(parts, dtype=float).T, heap_map, moment_of(*peak), moment_of(*end), classes.found())


def read_all(folder: pathlib.Path, tape: Tape) -> list[tuple[Row, Story]]:
    """Of the allocators that left snapshots; a file that cannot be read costs its allocator's part and nothing else."""
    found = []
    for row in tape.rows:
        if not row.ok or not row.snapshots:
            continue
        try:
            story = read(folder / row.snapshots)
        except (ValueError, OSError):
            continue
        if story is not None:
            found.append((row, story))
    return found


of_tape = Kept(read_all)
