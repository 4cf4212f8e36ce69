"""The charts of a tape that come from snapshots of its heaps, which are read once for all of them."""

from __future__ import annotations

import dataclasses

from . import charts_free, charts_heapmap, charts_occupancy, charts_parts, heap_story, heap_view
from .context import Chart, Context
from .heap_story import Story
from .results import Row, Tape


def stories_of(context: Context, tape: Tape) -> list[tuple[Row, Story]]:
    """Of the allocators that left snapshots; a file that cannot be read costs its allocator's part and nothing else."""
    found = []
    for row in tape.rows:
        if not row.ok or not row.snapshots:
            continue
        try:
            story = heap_story.read(context.results.folder / row.snapshots)
        except (ValueError, OSError):
            continue
        if story is not None:
            found.append((row, story))
    return found


def draw(context: Context, tape: Tape) -> list[Chart]:
    """Empty without snapshots."""
    stories = stories_of(context, tape)
    if not stories:
        return []
    heap_map = dataclasses.replace(charts_heapmap.draw(context, tape, stories), heaps=heap_view.of_stories(context, stories))
    return [heap_map, *(module.draw(context, tape, stories) for module in (charts_parts, charts_occupancy, charts_free))]
