"""A sheet of panels of one size, in rows of three. A file shows all of it; the page lays the panels out as there is room."""

from __future__ import annotations

import math
from typing import Sequence

from matplotlib.axes import Axes

from .canvas import WIDTH, Canvas
from .hover import NOBODY
from .key import Entry


class Panels:
    """`plot`: width and height of each plot area; `around`: room left, right, above and below it; all in inches."""

    def __init__(
        self, count: int, plot: tuple[float, float], around: tuple[float, float, float, float],
        title: str, subtitle: str, footer: str, key: Sequence[Entry] = (), columns: int = 3,
    ):  # fmt: skip
        self.plot, self.around = plot, around
        self.columns = min(columns, count)
        self.lines = math.ceil(count / self.columns)
        left, right, above, below = around
        self.width, self.height = plot[0] + left + right, plot[1] + above + below
        self.canvas = Canvas(max(self.columns * self.width, WIDTH), self.lines * self.height, title, subtitle, footer, key)

    def axes(self, i: int, owner: int = NOBODY) -> Axes:
        """The plot area of the panel, which is `owner`'s."""
        line, at = divmod(i, self.columns)
        left, bottom = at * self.width, (self.lines - 1 - line) * self.height
        self.canvas.cell(left, bottom, self.width, self.height, owner)
        return self.canvas.axes(left + self.around[0], bottom + self.around[3], *self.plot)
