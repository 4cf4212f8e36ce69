"""A chart's sheet: title above, plot area in inches, footer below; and how it is saved.

Sizes are in inches so that text keeps its size whatever the number of allocators. The same input gives the
same bytes: ids in the SVG are hashed with a fixed salt and no date or version is written.
"""

from __future__ import annotations

import io
import logging
import pathlib
import textwrap
import warnings
from dataclasses import dataclass
from typing import Sequence

import matplotlib
from PIL import Image

matplotlib.use("Agg")
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from .hover import NOBODY, Hover, with_owners  # noqa: E402
from .key import Entry, places  # noqa: E402
from .key import draw as draw_key  # noqa: E402
from .palette import GRID, INK, MUTED, PAPER  # noqa: E402
from .units import shorten  # noqa: E402

TEXT, SMALL, TITLE = 9.0, 7.2, 11.5  # points
DPI = 150
LINE_HEIGHT = 0.125  # inches, of the footer
WIDTH = 4.5  # inches of a chart that stands alone: as wide as a phone shows with letters that can be read

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
    "path.simplify_threshold": 0.25,  # of a pixel or a point: nobody sees it, and curves are half as long
}


def set_style() -> None:
    """Our style and nothing of the user's matplotlibrc."""
    matplotlib.rcParams.update(matplotlib.rcParamsDefault)
    matplotlib.rcParams.update({"backend": "Agg", **STYLE})
    warnings.filterwarnings("ignore", category=UserWarning, module="matplotlib|report")  # a name may have letters that no font has
    warnings.filterwarnings("ignore", message="Glyph .* missing")


@dataclass(frozen=True)
class Cell:
    """A part of a sheet that the page shows by itself: left, bottom, width and height in inches, and whose it is."""

    box: tuple[float, float, float, float]
    owner: int = NOBODY


class Canvas:
    """A figure of width x height inches of plot area and margins, a title block with its key on top and a footer below."""

    def __init__(self, width: float, height: float, title: str, subtitle: str, footer: str, key: Sequence[Entry] = ()):
        self.notes, self.subtitle, self.key = footer, subtitle, tuple(key)
        self.footer = textwrap.wrap(footer, int(width / 0.062)) if footer else []
        self.bottom = LINE_HEIGHT * len(self.footer) + (0.12 if self.footer else 0)
        self.width = self.height = width  # until the title's height is known
        self.figure = Figure(figsize=(width, width))
        FigureCanvasAgg(self.figure)  # gives text its measures
        self.hover = Hover()
        self.cells: list[Cell] = []  # none: the page shows the plot area as one
        self.drawn: str | None = None
        self.head(title, subtitle, height)
        for i, line in enumerate(self.footer, 1):
            self.text(0.12, 0.07 + (len(self.footer) - i) * LINE_HEIGHT, line, size=SMALL - 0.4, color=MUTED, va="bottom")

    def head(self, title: str, subtitle: str, height: float) -> None:
        """Title, what to look for, and the key, each on as many lines as it needs."""
        lines = textwrap.wrap(subtitle, int(self.width / 0.073)) if subtitle else []
        at = places(self, self.key, 0.14, self.width - 0.1)
        keys = 1 + at[-1][0] if at else 0
        self.top = 0.42 + 0.2 * (len(lines) + keys) if title else 0.0
        self.height = height + self.bottom + self.top
        self.figure.set_size_inches(self.width, self.height)
        if not title:
            return
        self.text(0.12, self.height - 0.10, shorten(title, int(self.width / 0.098)), size=TITLE, weight="bold", va="top")
        for i, line in enumerate(lines):
            self.text(0.12, self.height - 0.35 - 0.2 * i, line, size=TEXT, color=MUTED, va="top")
        draw_key(self, self.key, at, self.height - 0.45 - 0.2 * len(lines))

    def text(self, x: float, y: float, text: str, **options):
        """Text at (x, y) inches from the lower left corner."""
        return self.figure.text(x / self.width, y / self.height, text, **options)

    def axes(self, left: float, bottom: float, width: float, height: float, **options) -> Axes:
        """Axes placed in inches; `bottom` counts from above the footer. They belong to the cell begun last."""
        w, h = self.width, self.height
        made = self.figure.add_axes((left / w, (bottom + self.bottom) / h, width / w, height / h), **options)
        made.set_gid(f"cell-{max(len(self.cells) - 1, 0)}-{len(self.figure.axes)}")
        return made

    def cell(self, left: float, bottom: float, width: float, height: float, owner: int = NOBODY) -> None:
        """Begins a part that the page shows by itself; in inches, as axes() has them."""
        self.cells.append(Cell((left, bottom + self.bottom, width, height), owner))

    def parts(self) -> list[Cell]:
        """The cells, or all that lies between title and footer as one."""
        return self.cells or [Cell((0.0, self.bottom, self.width, self.height - self.bottom - self.top))]

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
            self.picture().save(path, dpi=(DPI, DPI), compress_level=3)  # from there on it takes longer and is hardly smaller

    def picture(self) -> Image.Image:
        """The sheet as pixels; paper lets nothing through."""
        agg = FigureCanvasAgg(self.figure)
        before = self.figure.dpi
        self.figure.dpi = DPI
        agg.draw()
        self.figure.dpi = before
        pixels = agg.buffer_rgba()
        height, width, _ = pixels.shape
        return Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1).convert("RGB")

    def svg(self) -> str:
        """Drawn once, however often it is asked for."""
        if self.drawn is None:
            out = io.StringIO()
            self.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            self.drawn = with_owners(out.getvalue())
        return self.drawn


def widest(texts: Sequence[str], size: float = TEXT, weight: str = "bold") -> float:
    """Inches that the longest of the texts takes, for whoever needs them before there is a sheet."""
    probe = Canvas(WIDTH, 1.0, "", "", "")
    return max(probe.text_width(text, size, weight) for text in texts)
