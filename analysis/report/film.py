"""Frames of the heaps' animation, and their file. Drawn with Pillow: a frame is a few pasted pictures and words."""

from __future__ import annotations

import math
import pathlib
from dataclasses import dataclass

import matplotlib
import numpy
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from . import heap_story
from .canvas import shorten
from .charts_heapmap import COLOURS
from .context import Context
from .fields import ResultsError
from .heap_story import Story
from .palette import GRID, INK, MUTED, PAPER, letters
from .results import Row, Tape
from .units import as_bytes, as_count, as_percent
from .writer import put

ACROSS, UP = 72, 36  # squares of a panel
SQUARE = 5  # pixels
PANEL_WIDTH = ACROSS * SQUARE
MAP_HEIGHT, CURVE_HEIGHT, HEAD, GAP, MARGIN, TOP, FOOT = UP * SQUARE, 64, 46, 26, 22, 62, 40
HOLD = 2500  # milliseconds that the last frame stays
ABSENT = 0xE6  # grey of a square that is not resident


@dataclass(frozen=True)
class Reel:
    """What a panel shows."""

    row: Row
    story: Story
    colour: str
    pictures: list[Image.Image]  # by snapshot


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(pathlib.Path(matplotlib.get_data_path()) / "fonts/ttf" / name), size)


def pictures_of(story: Story) -> list[Image.Image]:
    """A square a band, the lowest at the bottom left, rows to the right."""
    occupancy = story.heap_map.occupancy
    found = []
    for column in occupancy.T:
        squares = numpy.full(ACROSS * UP, numpy.nan)
        squares[: len(column)] = column
        absent = numpy.isnan(squares)
        colours = (colormaps[COLOURS](numpy.nan_to_num(squares))[:, :3] * 255).round().astype(numpy.uint8)
        colours[absent] = ABSENT
        colours[len(column) :] = 255
        grid = colours.reshape(UP, ACROSS, 3)[::-1]
        found.append(Image.fromarray(grid).resize((PANEL_WIDTH, MAP_HEIGHT), Image.NEAREST))
    return found


def reels_of(context: Context, tape: Tape, wanted: list[str]) -> list[Reel]:
    """ResultsError where there is nothing to show."""
    missing = [name for name in wanted if name not in {r.allocator for r in tape.rows}]
    if missing:
        raise ResultsError(f"{missing[0]} was not measured on {tape.name}: one of {', '.join(r.allocator for r in tape.rows)}")
    rows = [r for r in tape.rows if r.ok and r.snapshots and (not wanted or r.allocator in wanted)]
    found = []
    try:
        unions = [heap_story.union_of(context.results.folder / row.snapshots) for row in rows]
        # One size of squares for all, so that areas compare.
        each = max([heap_story.pages_of_band(u, ACROSS * UP) for u in unions if len(u)], default=1)
        for row in rows:
            story = heap_story.read(context.results.folder / row.snapshots, each)
            if story is not None:
                found.append(Reel(row, story, context.colour[row.allocator], pictures_of(story)))
    except (ValueError, OSError) as error:
        raise ResultsError(f"snapshots of {tape.name}: {error}: run heaptape bench --snapshots again") from None
    if not found:
        raise ResultsError(f"no snapshots of {tape.name} in these results: run heaptape bench --snapshots")
    return found


def at_operation(story: Story, operation: float) -> int:
    """The latest snapshot at or before it, or the first."""
    return max(0, int(numpy.searchsorted(story.operation, operation, side="right")) - 1)


class Stage:
    """The sheet: what stays, and where the rest goes."""

    def __init__(self, context: Context, tape: Tape, reels: list[Reel]):
        self.context, self.reels = context, reels
        self.columns = min(3, len(reels))
        lines = math.ceil(len(reels) / self.columns)
        self.cell = HEAD + MAP_HEIGHT + 6 + CURVE_HEIGHT + GAP
        self.width = max(2 * MARGIN + self.columns * PANEL_WIDTH + (self.columns - 1) * GAP, 640)
        self.height = TOP + lines * self.cell + FOOT
        self.last = max(float(r.story.operation[-1]) for r in reels)
        self.top = max(float(r.story.resident.max()) for r in reels)
        self.plain, self.small, self.bold, self.title = font(13), font(11), font(14, True), font(18, True)
        self.still = Image.new("RGB", (self.width, self.height), PAPER)
        self.draw_still(ImageDraw.Draw(self.still), tape)

    def place(self, number: int) -> tuple[int, int]:
        line, column = divmod(number, self.columns)
        return MARGIN + column * (PANEL_WIDTH + GAP), TOP + line * self.cell

    def draw_still(self, draw: ImageDraw.ImageDraw, tape: Tape) -> None:
        draw.text((MARGIN, 14), f"Heap over time: {shorten(tape.label, 60)}", INK, self.title)
        for i, reel in enumerate(self.reels):
            x, y = self.place(i)
            draw.text((x, y + 2), shorten(reel.row.allocator, 30), letters(reel.colour), self.bold)
            self.draw_curve(draw, reel, x, y + HEAD + MAP_HEIGHT + 6)
        self.draw_key(draw)

    def across(self, x: int, operation: float) -> float:
        return x + operation / max(self.last, 1) * PANEL_WIDTH

    def draw_curve(self, draw: ImageDraw.ImageDraw, reel: Reel, x: int, y: int) -> None:
        """Live bytes grey, resident ones a line, on one scale for all."""
        base = y + CURVE_HEIGHT

        def points(values: numpy.ndarray) -> list[tuple[float, float]]:
            return [(self.across(x, o), base - v / self.top * (CURVE_HEIGHT - 4)) for o, v in zip(reel.story.operation, values)]

        live = points(reel.story.live)
        draw.polygon([(live[0][0], base), *live, (live[-1][0], base)], fill=GRID)
        draw.line(points(reel.story.resident), fill=reel.colour, width=2)
        draw.line([(x, base), (x + PANEL_WIDTH, base)], fill=MUTED)

    def draw_key(self, draw: ImageDraw.ImageDraw) -> None:
        x, y = MARGIN, self.height - FOOT + 14
        for i in range(120):
            colour = tuple(int(255 * v) for v in colormaps[COLOURS](i / 119)[:3])
            draw.line([(x + i, y), (x + i, y + 11)], fill=colour)
        draw.text((x + 128, y - 2), "nothing to all of it live", MUTED, self.small)
        x += 290
        draw.rectangle((x, y, x + 14, y + 11), fill=(ABSENT,) * 3)
        draw.text((x + 20, y - 2), "not resident now", MUTED, self.small)
        words = f"a square is {as_bytes(self.reels[0].story.heap_map.band)}; below: live (grey), resident (line)"
        draw.text((x + 145, y - 2), words, MUTED, self.small)

    def frame(self, operation: float) -> Image.Image:
        image = self.still.copy()
        draw = ImageDraw.Draw(image)
        said = f"operation {as_count(operation)} of {as_count(self.last)}"
        draw.text((self.width - MARGIN - self.plain.getlength(said), 18), said, MUTED, self.plain)
        for i, reel in enumerate(self.reels):
            x, y = self.place(i)
            at = at_operation(reel.story, operation)
            live, resident = reel.story.live[at], reel.story.resident[at]
            words = f"{as_bytes(resident)} resident, {as_percent(live / max(resident, 1))} live"
            draw.text((x, y + 23), words, INK, self.plain)
            image.paste(reel.pictures[at], (x, y + HEAD))
            line = self.across(x, operation)
            top = y + HEAD + MAP_HEIGHT + 6
            draw.line([(line, top), (line, top + CURVE_HEIGHT)], fill=INK)
        return image


def as_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """With one palette for all, so that nothing flickers."""
    some = frames[:: max(1, len(frames) // 8)]
    sheet = Image.new("RGB", (frames[0].width, frames[0].height * len(some)))
    for i, frame in enumerate(some):
        sheet.paste(frame, (0, i * frame.height))
    palette = sheet.quantize(255, method=Image.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Image.NONE) for frame in frames]


def write(context: Context, tape: Tape, reels: list[Reel], path: pathlib.Path, count: int, seconds: float) -> None:
    """Raises OSError where it cannot; whole or not at all."""
    stage = Stage(context, tape, reels)
    frames = [stage.frame(stage.last * i / (count - 1)) for i in range(count)]
    each = max(20, round(1000 * seconds / count))
    times = [each] * (count - 1) + [max(HOLD, each)]
    if path.suffix == ".gif":
        frames = as_palette(frames)
    kind = "GIF" if path.suffix == ".gif" else "PNG"
    more = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0, "optimize": False}
    put(path, lambda draft: frames[0].save(draft, format=kind, **more))
