"""What the charts of the heap draw from its snapshots, as tidy tables (analysis/DATA.md). None of them without snapshots."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Iterable, Iterator

import numpy

from .data_tables import Table, made
from .fields import Fields, ResultsError
from .heap_pages import CLASSES, REQUESTS, unusable
from .heap_story import HeapMap, Story
from .results import Row, Tape
from .size_classes import Classes

# Bounds of heap_pages.by_occupancy(), as shares of a page: those without a block have none.
OCCUPANCIES = ((None, None), *zip((0.0, *CLASSES), (*CLASSES, 1.0)))
PARTS = ("live", "full_free", "sparse_free", "empty")
# Columns of the table of blame, and what they are of a group in heaptape blame's own JSON.
GROUP = {
    "sparse_live_bytes": "sparse_live_bytes",
    "sparse_blocks": "sparse_blocks",
    "share_bytes": "share_bytes",
    "gone_bytes": "gone_bytes",
    "moved_bytes": "moved_bytes",
    "live_bytes": "live_bytes",
    "blocks": "blocks",
}
RECTANGLES = 5000  # of a heap map, at most; more and its bands are drawn together two by two
Stories = Iterable[tuple[Tape, Row, Story]]
Found = Iterable[tuple[Tape, Row, Classes, str]]


def classes(found: Found) -> Table:
    columns = ("tape", "allocator", "source", "usable_bytes", "least_requested_bytes", "blocks", "requested_bytes", "lost_bytes")
    rows = (
        (tape.name, row.allocator, source, *values)
        for tape, row, c, source in found
        for values in zip(c.usable.tolist(), c.least.tolist(), c.blocks.tolist(), c.requested.tolist(), c.wasted.tolist())
    )
    return made("size_classes", columns, rows)


def parts(stories: Stories) -> Table:
    columns = ("tape", "allocator", "operation", *(f"{part}_bytes" for part in PARTS))
    rows = (
        (tape.name, row.allocator, *values)
        for tape, row, s in stories
        for values in zip(s.operation.tolist(), *(getattr(s, part).tolist() for part in PARTS))
    )
    return made("heap_parts", columns, rows)


def occupancy(stories: Stories) -> Table:
    columns = ("tape", "allocator", "moment", "operation", "page_bytes", "occupancy_low", "occupancy_high", "resident_bytes")
    rows = (
        (tape.name, row.allocator, word, moment.operation, page, *ends, size)
        for tape, row, s in stories
        for word, moment in (("peak", s.peak), ("end", s.end))
        for page, sizes in ((4096, moment.small), (2 << 20, moment.huge))
        for ends, size in zip(OCCUPANCIES, sizes.tolist())
    )
    return made("page_occupancy", columns, rows)


def free_runs(stories: Stories) -> Table:
    """By powers of two, as exact lengths would be a row for each hole."""
    columns = ("tape", "allocator", "moment", "length_low_bytes", "runs", "bytes")
    rows = []
    for tape, row, s in stories:
        for word, moment in (("peak", s.peak), ("end", s.end)):
            found: dict[int, list[int]] = {}
            for length in moment.free.tolist():
                entry = found.setdefault(1 << (int(length).bit_length() - 1), [0, 0])
                entry[0] += 1
                entry[1] += int(length)
            rows += [(tape.name, row.allocator, word, low, *entry) for low, entry in sorted(found.items())]
    return made("free_runs", columns, rows)


def unusable_index(stories: Stories) -> Table:
    """The curves of free memory's use, at the requests at which they are drawn."""
    columns = ("tape", "allocator", "moment", "request_bytes", "free_bytes", "longest_run_bytes", "unusable_share")
    rows = []
    for tape, row, s in stories:
        for word, free in (("peak", s.peak.free), ("end", s.end.free)):
            if len(free):
                shares = unusable(free, REQUESTS)
                rows += [
                    (tape.name, row.allocator, word, request, free.sum(), free[-1], share)
                    for request, share in zip(REQUESTS.tolist(), shares.tolist())
                ]
    return made("unusable_index", columns, rows)


def coarser(drawn: HeapMap, each: int = 2) -> HeapMap:
    """So many bands made one."""
    firsts = numpy.arange(0, len(drawn.resident), each)
    resident, live = (numpy.add.reduceat(values, firsts, axis=0) for values in (drawn.resident, drawn.live))
    edges = numpy.concatenate((drawn.edges[:-1][::each], drawn.edges[-1:]))
    return dataclasses.replace(drawn, edges=edges, band=each * drawn.band, resident=resident, live=live)


def begins(drawn: HeapMap) -> numpy.ndarray:
    """[band, snapshot]: whether it is not what it was at the snapshot before. Where nothing is resident no stretch begins."""
    new = numpy.ones(drawn.resident.shape, dtype=bool)
    new[:, 1:] = (numpy.diff(drawn.resident, axis=1) != 0) | (numpy.diff(drawn.live, axis=1) != 0)
    return new


def rectangles(drawn: HeapMap) -> Iterator[tuple]:
    """The map as rectangles in which nothing changes: a band over as many snapshots as it stays the same."""
    new = begins(drawn)
    while numpy.count_nonzero(new & (drawn.resident > 0)) > RECTANGLES and len(drawn.resident) > 1:
        drawn = coarser(drawn)
        new = begins(drawn)
    operation, last = drawn.operation.tolist(), len(drawn.operation) - 1
    for band in range(len(drawn.resident)):
        offset = band * drawn.band
        place = int(drawn.edges[band]), offset, min(drawn.band, drawn.size - offset)
        starts = numpy.flatnonzero(new[band]).tolist()
        for first, after in zip(starts, [*starts[1:], last + 1]):
            resident, live = drawn.resident[band, first], drawn.live[band, first]
            if resident > 0:
                yield *place, operation[first], operation[after - 1], operation[min(after, last)], resident, live


def heap_map(stories: Stories) -> Table:
    columns = (
        "tape", "allocator", "address", "offset_bytes", "band_bytes", "first_operation", "last_operation", "until_operation",
        "resident_bytes", "live_bytes",
    )  # fmt: skip
    rows = ((tape.name, row.allocator, *found) for tape, row, s in stories for found in rectangles(s.heap_map))
    return dataclasses.replace(made("heap_map", columns, rows), in_json=False)


def blame_rows(folder: pathlib.Path, tape: Tape, row: Row) -> Iterator[list]:
    """Of both moments and lengths of pages. A file that is not there, or makes no sense, costs its rows and nothing else."""
    for word in ("peak", "end", "peak-2M", "end-2M"):
        try:
            text = (folder / row.snapshots).with_suffix(f".{word}.json").read_text(encoding="utf-8")
            found = Fields(json.loads(text), "blame")
            groups = [Fields(g, "blame") for g in found.objects("groups")]
            rows = [
                [tape.name, row.allocator, word.partition("-")[0], found.count("operation"), found.count("page_bytes"), g.text("by"), g.count("rank"), g.text("name")]
                + [g.number(key) for key in GROUP.values()]
                for g in groups
            ]
        except (OSError, ValueError, ResultsError):
            continue
        yield from rows


def blame(context) -> Table:
    columns = ("tape", "allocator", "moment", "operation", "page_bytes", "by", "rank", "name", *GROUP)
    folder = context.results.folder
    rows = (line for tape in context.results.tapes for row in tape.rows if row.ok and row.snapshots for line in blame_rows(folder, tape, row))
    return made("blame", columns, rows)


def of_stories(stories: list[tuple[Tape, Row, Story]]) -> list[Table]:
    return [make(stories) for make in (parts, occupancy, free_runs, unusable_index, heap_map)]


def joined(found: Iterable[Table]) -> list[Table]:
    """Those of single tapes made one for all; those that have rows."""
    whole: dict[str, Table] = {}
    for table in found:
        whole.setdefault(table.name, dataclasses.replace(table, rows=[])).rows.extend(table.rows)
    return [table for table in whole.values() if table.rows]
