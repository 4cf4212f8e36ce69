"""A drawn chart made ready for the page: its drawings as inline SVG, what they say on hover, its files. Plain data, so that
it can come from another process."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from markupsafe import Markup

from . import hover
from .context import Chart, Context
from .inline import for_page, styles_as_classes
from .key import Entry


@dataclass(frozen=True)
class Drawing:
    """One sheet in the page, or a panel of one."""

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
    subtitle: str
    key: tuple[Entry, ...]
    reading: str
    description: str
    drawings: list[Drawing]
    width: int  # CSS pixels that a drawing has at its own size
    files: list[str]
    notes: str = ""  # of the footer, what is said of this chart alone
    heaps: dict | None = None  # Chart.heaps

    @property
    def panels(self) -> bool:
        return len(self.drawings) > 1


def anchor_of(text: str) -> str:
    """A word that is safe as an id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "x"


def of_chart(context: Context, chart: Chart, prefix: str, source: str, files: list[str]) -> Figure:
    """`source`: the page's series that curves are read from. The page has the footer's common part at its end, once."""
    anchor, sheet = f"{prefix}-{chart.name}", chart.canvas
    cells = sheet.parts()
    drawings = []
    for i, svg in enumerate(for_page(sheet.svg(), anchor, [c.box for c in cells], sheet.height, chart.title, chart.description)):
        model = hover.model(sheet, i)
        drawings.append(Drawing(f"{anchor}-{i}", Markup(svg), model | {"source": source} if model else {}, cells[i].owner))
    return Figure(
        anchor, chart.name, chart.title, sheet.subtitle, sheet.key, chart.reading, chart.description, drawings,
        round(72 * cells[0].box[2]), files, chart.canvas.notes.removesuffix(context.common()).strip(), chart.heaps,
    )  # fmt: skip


def lighter(overview: list[Figure], of_tapes: list[list[Figure]], live: list[Figure]):
    """The same figures with the styles of their drawings as classes, and the rules of those."""
    parts = [overview, *of_tapes, live]
    every = [drawing for part in parts for figure in part for drawing in figure.drawings]
    changed, rules = styles_as_classes([str(d.svg) for d in every])
    svgs = iter(changed)

    def again(figure: Figure) -> Figure:
        return replace(figure, drawings=[replace(d, svg=Markup(next(svgs))) for d in figure.drawings])

    first, *middle, last = [[again(figure) for figure in part] for part in parts]
    return first, middle, last, rules
