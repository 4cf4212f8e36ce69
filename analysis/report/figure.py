"""A drawn chart made ready for the page: its drawings as inline SVG, what they say on hover, its files. Plain data, so that
it can come from another process."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from . import hover
from .context import Chart, Context
from .inline import for_page


@dataclass(frozen=True)
class Drawing:
    """One sheet in the page."""

    anchor: str
    svg: Markup
    model: dict  # hover.model()
    owner: int  # the allocator whose panel it is, or hover.NOBODY


@dataclass(frozen=True)
class Figure:
    """A chart as the page shows it: one drawing, or panels side by side."""

    anchor: str
    name: str
    title: str
    reading: str
    description: str
    wide: bool
    panels: bool
    drawings: list[Drawing]
    files: list[str]
    notes: str = ""  # of the footer, what is said of this chart alone
    heaps: dict | None = None  # Chart.heaps


def anchor_of(text: str) -> str:
    """A word that is safe as an id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "x"


def of_chart(context: Context, chart: Chart, prefix: str, source: str, files: list[str]) -> Figure:
    """`source`: the page's series that curves are read from. The page has the footer's common part at its end, once."""
    anchor = f"{prefix}-{chart.name}"
    drawings = []
    for i, sheet in enumerate(chart.panels or (chart.canvas,)):
        title = chart.title if i == 0 else f"{chart.title}, panel {i + 1}"
        own = f"{anchor}-{i}"
        svg = Markup(for_page(sheet.svg(), own, title, chart.description if i == 0 else "", sheet.bottom))
        model = hover.model(sheet)
        drawings.append(Drawing(own, svg, model | {"source": source} if model else {}, sheet.owner))
    return Figure(
        anchor, chart.name, chart.title, chart.reading, chart.description, chart.wide, bool(chart.panels), drawings, files,
        chart.canvas.notes.removesuffix(context.common()).strip(), chart.heaps,
    )  # fmt: skip
