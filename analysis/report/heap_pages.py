"""The resident pages of a snapshot of the heap, how full they are, and the free runs between its live blocks.

Looked at are the allocator's writable mappings that are no file's: what it could give back. A block keeps a page where at
least one of its usable bytes lies (a block of no bytes counts as one); live are the bytes that it was asked for.
`heaptape blame` counts the same in C (analysis/heap_pages.h, heap_free.h).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from .snapshots import PAGE, Snapshot

HUGE = 2 << 20
WRITE, FILE = 2, 16
REQUESTS = 2.0 ** numpy.arange(3, 31)  # sizes for which the use of free memory is told
CLASSES = (0.10, 0.25, 0.50, 0.75)  # upper bounds of how full a page is; below them all: pages without a block


@dataclass(frozen=True)
class Pages:
    """Lowest first. Bytes."""

    start: numpy.ndarray  # address
    resident: numpy.ndarray  # of it: a page of 4 KiB is wholly resident, one of 2 MiB need not be
    live: numpy.ndarray
    held: numpy.ndarray  # 0: no block lies on it


def below(edges: numpy.ndarray, start: numpy.ndarray, size: numpy.ndarray) -> numpy.ndarray:
    """How many bytes of the ranges (lowest first, apart from each other) lie below each of the addresses."""
    if not len(start):
        return numpy.zeros(len(edges), dtype=numpy.int64)
    total = numpy.concatenate(([0], numpy.cumsum(size)))
    at = numpy.searchsorted(start, edges, side="right") - 1
    inside = numpy.clip(edges - start[at], 0, size[at])
    return numpy.where(at < 0, 0, total[at] + inside)


def common(first: numpy.ndarray, second: numpy.ndarray) -> numpy.ndarray:
    """Rows of start and end: what two lists of ranges (each lowest first, apart from each other) have in common."""
    low = numpy.searchsorted(second[:, 1], first[:, 0], side="right")
    high = numpy.searchsorted(second[:, 0], first[:, 1], side="left")
    count = numpy.maximum(high - low, 0)
    of_first = numpy.repeat(numpy.arange(len(first)), count)
    of_second = numpy.arange(int(count.sum())) - numpy.repeat(numpy.cumsum(count) - count, count) + numpy.repeat(low, count)
    rows = numpy.stack(
        [numpy.maximum(first[of_first, 0], second[of_second, 0]), numpy.minimum(first[of_first, 1], second[of_second, 1])], axis=1
    )
    return rows[rows[:, 0] < rows[:, 1]]


def merged(ranges: numpy.ndarray) -> numpy.ndarray:
    """Rows of start and end: the union of the ranges, those that touch made one."""
    if not len(ranges):
        return numpy.zeros((0, 2), dtype=numpy.int64)
    ranges = ranges[numpy.argsort(ranges[:, 0], kind="stable")]
    ends = numpy.maximum.accumulate(ranges[:, 1])
    first = numpy.concatenate(([True], ranges[1:, 0] > ends[:-1]))
    return numpy.stack([ranges[first, 0], ends[numpy.concatenate((first[1:], [True]))]], axis=1)


def stretches(one: Snapshot) -> numpy.ndarray:
    """Rows of start and end: the resident stretches of the heap, as long as can be."""
    mappings = one.mappings.astype(numpy.int64)
    heap = mappings[(mappings[:, 2] & (WRITE | FILE)) == WRITE, :2]
    return merged(common(heap, one.runs[:, :2].astype(numpy.int64)))


def extents(one: Snapshot) -> numpy.ndarray:
    return numpy.maximum(numpy.maximum(one.usable, one.requested), numpy.uint64(1)).astype(numpy.int64)


def small_pages(one: Snapshot, resident: numpy.ndarray | None = None) -> Pages:
    """Those of 4 KiB; `resident`: stretches(one), where it is at hand."""
    resident = stretches(one) if resident is None else resident
    count = (resident[:, 1] - resident[:, 0]) // PAGE
    within = numpy.arange(int(count.sum())) - numpy.repeat(numpy.cumsum(count) - count, count)
    start = numpy.repeat(resident[:, 0], count) + within * PAGE
    address = one.address.astype(numpy.int64)
    sums = [
        below(start + PAGE, address, size) - below(start, address, size)
        for size in (one.requested.astype(numpy.int64), extents(one))
    ]
    return Pages(start, numpy.full(len(start), PAGE), sums[0], sums[1])


def huge_pages(pages: Pages) -> Pages:
    """The same by 2 MiB: what is resident of each, and live on that."""
    if not len(pages.start):
        return pages
    number = pages.start // HUGE
    first = numpy.flatnonzero(numpy.concatenate(([True], number[1:] != number[:-1])))
    sums = [numpy.add.reduceat(values, first) for values in (pages.resident, pages.live, pages.held)]
    return Pages(number[first] * HUGE, *sums)


def by_occupancy(pages: Pages) -> numpy.ndarray:
    """Resident bytes on pages without a block, and on those under 10, 25, 50, 75 and from 75 % full."""
    full = pages.live / numpy.maximum(pages.resident, 1)
    place = numpy.where(pages.held > 0, 1 + numpy.searchsorted(CLASSES, full, side="right"), 0)
    return numpy.bincount(place, weights=pages.resident, minlength=len(CLASSES) + 2)


def free_runs(one: Snapshot, resident: numpy.ndarray | None = None) -> numpy.ndarray:
    """Lengths of the resident stretches between live blocks, in bytes, shortest first."""
    resident = stretches(one) if resident is None else resident
    start = one.address.astype(numpy.int64)
    ends = numpy.maximum.accumulate(start + extents(one)) if len(start) else start
    gaps = numpy.stack(
        [numpy.concatenate(([0], ends)), numpy.concatenate((start, [numpy.iinfo(numpy.int64).max]))], axis=1
    )
    rows = common(gaps[gaps[:, 0] < gaps[:, 1]], resident)
    return numpy.sort(rows[:, 1] - rows[:, 0])


def unusable(runs: numpy.ndarray, requests: numpy.ndarray) -> numpy.ndarray:
    """For each request the share of the free bytes in runs shorter than it. `runs`: shortest first."""
    total = numpy.concatenate(([0], numpy.cumsum(runs)))
    return total[numpy.searchsorted(runs, requests, side="left")] / max(total[-1], 1)
