"""What the charts of the heap draw from its snapshots, as tidy tables (analysis/DATA.md). None of them without snapshots."""

from __future__ import annotations

from typing import Iterable

from .data_tables import Table, made
from .heap_story import Story
from .results import Row, Tape
from .size_classes import Classes

# Bounds of heap_pages.by_occupancy(), as shares of a page: those without a block have none.
OCCUPANCIES = ((None, None), (0.0, 0.10), (0.10, 0.25), (0.25, 0.50), (0.50, 0.75), (0.75, 1.0))
PARTS = ("live", "full_free", "sparse_free", "empty")
Stories = Iterable[tuple[Tape, Row, Story]]
Found = Iterable[tuple[Tape, Row, Classes]]


def classes(found: Found) -> Table:
    columns = ("tape", "allocator", "usable_bytes", "least_requested_bytes", "blocks", "requested_bytes", "lost_bytes")
    rows = (
        (tape.name, row.allocator, *values)
        for tape, row, c in found
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


def tables(context) -> list[Table]:
    """Those that have rows."""
    from . import charts_classes, charts_heap  # which need matplotlib

    tapes = context.results.tapes
    stories = [(tape, row, story) for tape in tapes for row, story in charts_heap.stories_of(context, tape)]
    found = [(tape, row, c) for tape in tapes for row, c in charts_classes.found_in(context, tape)]
    every = [classes(found), parts(stories), occupancy(stories), free_runs(stories)]
    return [table for table in every if table.rows]
