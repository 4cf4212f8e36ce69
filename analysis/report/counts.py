"""Curves of something counted over the replay, one for each allocator: system calls, page faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from matplotlib.ticker import FuncFormatter

from . import labels
from .canvas import TEXT, WIDTH, Canvas, shorten
from .context import Chart, Context
from .curves import label_operations, operations_unit, thin
from .hover import Track, owned
from .palette import letters
from .results import CountOverTime, Row, Tape
from .units import as_count

LABEL = TEXT - 0.8


@dataclass(frozen=True)
class Counted:
    """What is drawn, in words."""

    name: str  # of the chart
    title: str
    subtitle: str
    axis: str
    reading: str
    note: str
    column: str  # of the page's series
    symlog: bool
    of: Callable[[Row], CountOverTime | None]  # None where it was not counted


def draw(context: Context, tape: Tape, what: Counted) -> Chart | None:
    """None where no run counted it."""
    found = [(row, what.of(row)) for row in tape.rows if row.ok]
    curves = [(row, over.operation, over.count) for row, over in found if over is not None]
    if not curves:
        return None
    largest = max(float(operation[-1]) for _, operation, _ in curves)
    top = max(float(count[-1]) for *_, count in curves)
    _, factor = operations_unit(largest)
    height = max(3.1, 0.24 * len(curves) + 0.9)
    title = f"{what.title}: {shorten(tape.label, 44)}"
    canvas = Canvas(WIDTH, height, title, what.subtitle, context.footer(what.note))
    said = [f"{shorten(row.allocator, 16)} {as_count(int(count[-1]))}" for row, _, count in curves]
    axes = canvas.axes(0.7, 0.5, WIDTH - 0.7 - labels.room(canvas, said, LABEL), height - 0.6)
    if what.symlog:
        axes.set_yscale("symlog", linthresh=1, linscale=0.5)
        axes.set_ylim(0, max(10.0, top) * 1.6)
    else:
        axes.set_ylim(0, max(10.0, top) * 1.05)
    axes.set_xlim(0, largest / factor)
    canvas.hover.scale(axes, "operations", factor)
    items = []
    for (row, operation, count), words in zip(curves, said):
        colour, owner = context.colour[row.allocator], context.owner(row.allocator)
        with owned(axes, owner):
            axes.step(*thin(operation / factor, count), where="post", color=colour, lw=1.7)
        canvas.hover.tracks.append(Track(axes, owner, row.allocator, "count", column=what.column))
        items.append((float(count[-1]), words, letters(colour), True, owner))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: as_count(int(v))))
    axes.set_ylabel(what.axis)
    label_operations(axes, largest, 5)
    labels.column(axes, largest / factor, items, LABEL)
    return Chart(what.name, what.title, what.reading, "; ".join(said) + ".", canvas)
