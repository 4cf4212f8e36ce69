"""What the pieces and lines of a chart mean: drawn under the title of its file, and written as HTML above it in the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from .palette import INK, MUTED, SHADE, every_colour, variable

SIZE, GAP, LINE = 8.2, 0.2, 0.2  # points; inches between entries, and from line to line
WIDE = {"line": 0.26, "thin": 0.26, "dotted": 0.26, "dashed": 0.26}  # inches of a symbol; others are squares
STYLES = {"line": {"lw": 2.1}, "thin": {"lw": 0.9}, "dotted": {"lw": 1.0, "ls": (0, (1, 1.6))}, "dashed": {"lw": 1.6, "ls": (0, (4, 2))}}


@dataclass(frozen=True)
class Entry:
    """One word with its symbol: a line, thin, dotted or dashed line, an area, a dashed box or a dot; or words alone."""

    words: str
    kind: str = "area"
    colour: str = INK
    alpha: float = 1.0

    @property
    def css(self) -> str:
        """Its colour in the page: those of the palette follow light and dark."""
        return f"var({variable(self.colour)})" if self.colour in every_colour() else self.colour


def symbol_width(entry: Entry) -> float:
    return 0.0 if entry.kind == "words" else WIDE.get(entry.kind, 0.2)


def places(canvas, entries: Sequence[Entry], left: float, right: float) -> list[tuple[int, float]]:
    """(line, x in inches) of each entry: as many on a line as fit."""
    found, line, x = [], 0, left
    for entry in entries:
        width = symbol_width(entry) + 0.07 + canvas.text_width(entry.words, SIZE)
        if x > left and x + width > right:
            line, x = line + 1, left
        found.append((line, x))
        x += width + GAP
    return found


def symbol(canvas, entry: Entry, x: float, y: float) -> None:
    w, h = canvas.width, canvas.height
    width = symbol_width(entry)
    if entry.kind in STYLES:
        canvas.figure.add_artist(Line2D([x / w, (x + width) / w], [y / h, y / h], color=entry.colour, **STYLES[entry.kind]))
    elif entry.kind == "dot":
        canvas.figure.add_artist(Line2D([(x + width / 2) / w], [y / h], ls="", marker=".", color=entry.colour))
    elif entry.kind != "words":
        look = {"facecolor": entry.colour, "alpha": entry.alpha, "lw": 0}
        if entry.kind == "box":
            look = {"facecolor": "none", "edgecolor": MUTED, "lw": 0.8, "ls": (0, (3, 2))}
        elif entry.colour == SHADE:
            look |= {"edgecolor": MUTED, "lw": 0.7}
        place = (x / w, (y - 0.05) / h)
        canvas.figure.add_artist(Rectangle(place, width / w, 0.1 / h, transform=canvas.figure.transFigure, **look))


def draw(canvas, entries: Sequence[Entry], at: list[tuple[int, float]], top: float) -> None:
    """`at`: from places(); `top`: inches of the first line's middle."""
    for entry, (line, x) in zip(entries, at):
        y = top - line * LINE
        symbol(canvas, entry, x, y)
        canvas.text(x + symbol_width(entry) + 0.07, y, entry.words, size=SIZE, color=MUTED, va="center")
