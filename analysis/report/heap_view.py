"""The heap map as the page's script draws it, to be looked at closely (templates/heapmap.js.j2): exact bytes of every band at
every snapshot, packed.

Of a map: `a` its allocator's number, `name`, `ink` (the CSS variable of its letters), `said`, `ops` of the snapshots, `edges` (the address of each band and of the end, the
first as it is, the others as differences), `band` and `size` in bytes, and `cells`: for each snapshot, then each band, the resident
and the live bytes as 32-bit little-endian numbers, all resident ones first; zlib, base64.
"""

from __future__ import annotations

import base64
import zlib

import numpy
from matplotlib import colormaps

from . import palette
from .charts_heapmap import COLOURS, live_share
from .context import Context
from .heap_story import Story
from .results import Row
from .units import as_percent

SHADES = 17  # of the scale, between which the script mixes


def scale() -> list[list[int]]:
    """The colours from nothing live to everything."""
    return [[round(255 * v) for v in colormaps[COLOURS](i / (SHADES - 1))[:3]] for i in range(SHADES)]


def packed(values: numpy.ndarray) -> bytes:
    """A column after the other: what changes little from one to the next compresses well."""
    return numpy.minimum(values, 0xFFFFFFFF).T.astype("<u4").tobytes()


def of_story(context: Context, row: Row, story: Story) -> dict:
    drawn = story.heap_map
    cells = zlib.compress(packed(drawn.resident) + packed(drawn.live), 9)
    return {
        "a": context.owner(row.allocator),
        "name": row.allocator,
        "ink": palette.variable(palette.letters(context.colour[row.allocator])),
        "said": f"{as_percent(live_share(story))} live at the highest resident",
        "ops": [int(v) for v in drawn.operation],
        "edges": [int(drawn.edges[0]), *(int(v) for v in numpy.diff(drawn.edges))],
        "band": drawn.band,
        "size": drawn.size,
        "cells": base64.b64encode(cells).decode(),
    }


def of_stories(context: Context, stories: list[tuple[Row, Story]]) -> dict:
    return {"scale": scale(), "maps": [of_story(context, row, story) for row, story in stories]}
