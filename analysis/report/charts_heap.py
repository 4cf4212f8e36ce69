"""The charts of a tape that come from snapshots of its heaps, which are read once for all of them."""

from __future__ import annotations

import dataclasses

from . import charts_classes, charts_free, charts_heapmap, charts_occupancy, charts_parts, data_heap, heap_story, heap_view
from .context import Chart, Context
from .data_tables import Table
from .results import Tape


def draw(context: Context, tape: Tape) -> list[Chart]:
    """Without snapshots what is known of size classes alone."""
    stories = heap_story.of_tape(context.results.folder, tape)
    if not stories:
        return charts_classes.draw(context, tape, [])
    heap_map = dataclasses.replace(charts_heapmap.draw(context, tape, stories), heaps=heap_view.of_stories(context, stories))
    others = [module.draw(context, tape, stories) for module in (charts_parts, charts_occupancy, charts_free)]
    return [heap_map, *others, *charts_classes.draw(context, tape, stories)]


def tables(context: Context, tape: Tape) -> list[Table]:
    """What the charts are drawn from."""
    stories = heap_story.of_tape(context.results.folder, tape)
    seen, ruled = charts_classes.found_in(context, tape, stories)
    found = [(tape, row, classes, "snapshots") for row, classes in seen] + [(tape, row, classes, "rule") for row, classes in ruled]
    return [data_heap.classes(found), *data_heap.of_stories([(tape, row, story) for row, story in stories])]
