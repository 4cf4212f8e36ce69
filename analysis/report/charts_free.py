"""Of what use free memory is: the share of it that lies in runs too short for a request, by the size of the request."""

from __future__ import annotations

import numpy
from matplotlib.ticker import FuncFormatter

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .heap_pages import REQUESTS, unusable
from .heap_story import Story
from .hover import Track, owned
from .palette import letters
from .results import Row, Tape
from .units import as_bytes, as_percent, byte_unit

READING = (
    "At the highest resident: of the resident bytes between live blocks, how many lie in runs shorter than a request of that size and so "
    "are of no use to it (the unusable free space index). A curve that stays low has its free memory in long runs; one that rises early "
    "has it in crumbs. Gaps between neighbours in which an allocator keeps its headers are crumbs, too."
)


def draw(context: Context, tape: Tape, stories: list[tuple[Row, Story]]) -> Chart:
    longest = max(float(s.peak.free[-1]) if len(s.peak.free) else 8.0 for _, s in stories)
    requests = REQUESTS[REQUESTS <= max(4 * longest, 64)]
    height = max(3.0, 0.24 * len(stories) + 0.9)
    footer = context.footer("Snapshots of the first memory run, at the highest resident of them")
    subtitle = "Lower is better. Beside a name: its free memory."
    canvas = Canvas(WIDTH, height, f"Of what use free memory is: {shorten(tape.label, 44)}", subtitle, footer)
    said = [f"{shorten(r.allocator, 16)} {as_bytes(float(s.peak.free.sum()))}" for r, s in stories]
    axes = canvas.axes(0.72, 0.5, WIDTH - 0.72 - labels.room(canvas, said, TEXT - 0.8), height - 0.6)
    axes.set_xscale("log", base=2)
    axes.set_xlim(requests[0], requests[-1])
    axes.set_ylim(0, 103)
    canvas.hover.scale(axes, "bytes")
    items = []
    for (row, story), words in zip(stories, said):
        owner, colour = context.owner(row.allocator), context.colour[row.allocator]
        share = 100 * unusable(story.peak.free, requests)
        with owned(axes, owner):
            axes.plot(requests, share, color=colour, lw=1.7)
        canvas.hover.tracks.append(Track(axes, owner, row.allocator, "percent", requests, share))
        items.append((float(share[len(share) // 2]), words, letters(colour), False, owner))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / byte_unit(v)[1]:g} {byte_unit(v)[0]}"))
    axes.set_xticks(requests[:: 4 if len(requests) < 20 else 6])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g} %"))
    axes.set_xlabel("size of the request")
    axes.set_ylabel("free bytes in runs too short for it")
    labels.column(axes, requests[-1], items, TEXT - 0.8)
    spoken = "; ".join(
        f"{r.allocator}: {as_bytes(float(s.peak.free.sum()))} free, longest run {as_bytes(float(s.peak.free[-1]) if len(s.peak.free) else 0.0)}, {as_percent(float(unusable(s.peak.free, numpy.array([4096.0]))[0]))} "
        "of it in runs under 4 KiB" for r, s in stories
    )  # fmt: skip
    return Chart("free_runs", "Of what use free memory is", READING, spoken + ".", canvas)
