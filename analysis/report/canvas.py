"""A chart's sheet: title above, plot area in inches, footer below; and how it is saved.

Sizes are in inches so that text keeps its size whatever the number of allocators. The same input gives the
same bytes: ids in the SVG are hashed with a fixed salt and no date or version is written.
"""

from __future__ import annotations

import io
import logging
import pathlib
import textwrap

import matplotlib

matplotlib.use("Agg")
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from .hover import NOBODY, Hover, with_owners  # noqa: E402
from .palette import GRID, INK, MUTED, PAPER  # noqa: E402

TEXT, SMALL, TITLE = 9.0, 7.2, 11.5  # points
DPI = 150
TITLE_HEIGHT, LINE_HEIGHT = 0.62, 0.125  # inches

STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,  # names of programs are text, never formulas
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": TEXT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": TEXT - 0.8,
    "ytick.labelsize": TEXT - 0.8,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "hatch.linewidth": 0.6,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "heaptape",
    "path.simplify": True,
}


def set_style() -> None:
    """Our style and nothing of the user's matplotlibrc."""
    matplotlib.rcParams.update(matplotlib.rcParamsDefault)
    matplotlib.rcParams.update({"backend": "Agg", **STYLE})


class Canvas:
    """A figure of width x height inches of plot area and margins, a title block on top and a footer below."""

    def __init__(self, width: float, height: float, title: str, subtitle: str, footer: str):
        self.notes = footer
        per_line = int(width / 0.062)
        self.footer = textwrap.wrap(footer, per_line) if footer else []
        self.bottom = LINE_HEIGHT * len(self.footer) + (0.12 if self.footer else 0)
        self.top = TITLE_HEIGHT if title else 0.0
        self.width, self.height = width, height + self.bottom + self.top
        self.figure = Figure(figsize=(self.width, self.height))
        FigureCanvasAgg(self.figure)  # gives text its measures
        self.hover = Hover()
        self.owner = NOBODY  # whose panel this is, where it is one's alone
        self.drawn: str | None = None
        if title:
            self.text(0.12, self.height - 0.10, title, size=TITLE, weight="bold", va="top")
            self.text(0.12, self.height - 0.35, subtitle, size=TEXT, color=MUTED, va="top")
        for i, line in enumerate(reversed(self.footer)):
            self.text(0.12, 0.07 + i * LINE_HEIGHT, line, size=SMALL - 0.4, color=MUTED, va="bottom")

    def text(self, x: float, y: float, text: str, **options):
        """Text at (x, y) inches from the lower left corner."""
        return self.figure.text(x / self.width, y / self.height, text, **options)

    def axes(self, left: float, bottom: float, width: float, height: float, **options) -> Axes:
        """Axes placed in inches; `bottom` counts from above the footer."""
        w, h = self.width, self.height
        return self.figure.add_axes((left / w, (bottom + self.bottom) / h, width / w, height / h), **options)

    def text_width(self, text: str, size: float = TEXT, weight: str = "normal") -> float:
        """Inches that `text` takes."""
        probe = self.figure.text(0, 0, text, size=size, weight=weight)
        extent = probe.get_window_extent(self.figure.canvas.get_renderer())
        probe.remove()
        return extent.width / self.figure.dpi

    def save(self, path: pathlib.Path) -> None:
        """PATH without its ending gets .png and .svg; raises OSError where it cannot."""
        if path.suffix == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        else:
            self.figure.savefig(path, dpi=DPI, metadata={"Software": None})

    def svg(self) -> str:
        """Drawn once, however often it is asked for."""
        if self.drawn is None:
            out = io.StringIO()
            self.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            self.drawn = with_owners(out.getvalue())
        return self.drawn


def shorten(name: str, limit: int = 20) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
