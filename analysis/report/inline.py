"""A chart's SVG made fit to stand inside the page: unique ids, colours by CSS variable, words for who can't see it."""

from __future__ import annotations

import re
from html import escape

from .palette import every_colour, variable

VARIABLES = {colour: f"var({variable(colour)})" for colour in every_colour()}
COLOUR = re.compile("|".join(re.escape(c) for c in VARIABLES))
DRAWN_STYLE = re.compile(r'style="([^"<>]*)"')
STYLE = re.compile(r'style="[^"]*"')
IDENTIFIER = re.compile(r'(\bid="|xlink:href="#|url\(#)([^")]+)')
UNUSED = re.compile(r' id="(?:line2d|text|matplotlib\.axis|xtick|ytick|patch|figure|axes|legend|LineCollection|PolyCollection)_\d+"')
PATH = re.compile(r' d="([^"]*)"')
PLACE = re.compile(r'(?<= [xy]=")-?\d+\.\d+(?=")')
NUMBER = re.compile(r"-?\d+\.\d+")
PIECE = re.compile(r"([ML]) (-?[\d.]+) (-?[\d.]+) ?|(z) ?")
SPACES = re.compile(r">\s+<")
UPRIGHT = re.compile(r' transform="rotate\(-0 [^"]*\)"')
ALONE = re.compile(r"<g>(<(?:path|use)\b[^>]*/>|<text\b[^>]*>[^<]*</text>)</g>")
GRID_LINE = re.compile(r'(<path d="M[-.\d ]+[hv][-.\d]+") clip-path="[^"]*"')
TOP_GROUP = re.compile(r'^  <g id="cell-(\d+)-\d+">\n(.*?)^  </g>\n', re.S | re.M)
DEFINED = re.compile(r'<(?:path id="([^"]+)"[^>]*/>|(clipPath|pattern) id="([^"]+)".*?</\2>)', re.S)
USED = re.compile(r'(?:xlink:href="#|url\(#)([^")]+)')


def rounded(match: re.Match) -> str:
    """To tenths of a point, a sixth of a pixel on a usual screen."""
    return f"{float(match[0]):.1f}".removesuffix(".0")


def tenths(value: int) -> str:
    """-5 -> -.5, 120 -> 12."""
    whole, part = divmod(abs(value), 10)
    return ("-" if value < 0 else "") + (str(whole) if whole or not part else "") + (f".{part}" if part else "")


def stretch(dx: int, dy: int) -> tuple[str, str]:
    """A relative piece: its command, and its numbers as close together as they may stand."""
    if not dy:
        return "h", tenths(dx)
    if not dx:
        return "v", tenths(dy)
    first, second = tenths(dx), tenths(dy)
    return "l", first + ("" if second[0] == "-" or (second[0] == "." and "." in first) else " ") + second


def shorter(path: str) -> str:
    """A path of M, L and z alone, from place to place in tenths of a point, without points amid level or upright stretches.
    Each step is taken between rounded places, so that errors do not add up."""
    pieces = PIECE.findall(path)
    if sum(len(" ".join(p[:3])) + 1 if p[0] else 2 for p in pieces) < len(path.strip()):
        return NUMBER.sub(rounded, path)
    written: list[tuple[str, str]] = []
    x = y = 0
    step = (0, 0)  # the piece written last, where the next may lengthen it
    for command, at_x, at_y, _ in pieces:
        if not command:
            written.append(("z", ""))
            step = (0, 0)
            continue
        new_x, new_y = round(10 * float(at_x)), round(10 * float(at_y))
        dx, dy = new_x - x, new_y - y
        x, y = new_x, new_y
        if command == "M":
            dot(written)
            written.append(("M", f"{tenths(x)} {tenths(y)}"))
            step = (0, 0)
            continue
        if (dx == step[0] == 0 and dy * step[1] > 0) or (dy == step[1] == 0 and dx * step[0] > 0):
            dx, dy = dx + step[0], dy + step[1]
            written.pop()
        if dx or dy:
            written.append(stretch(dx, dy))
            step = (dx, dy)
    dot(written)
    return joined(written)


def dot(written: list[tuple[str, str]]) -> None:
    """A point alone is a stretch of no length, which round ends make a dot."""
    if written and written[-1][0] == "M":
        written.append(("h", "0"))


def joined(written: list[tuple[str, str]]) -> str:
    """Commands that repeat are not said again."""
    text, before = [], ""
    for command, numbers in written:
        if command != before or command in "Mz":
            text.append(command + numbers)
        else:
            last = text[-1]
            tight = numbers[0] == "-" or (numbers[0] == "." and "." in last[max(last.rfind(" "), last.rfind("-"), 0) :])
            text.append(numbers if tight else " " + numbers)
        before = command
    return "".join(text)


def smaller(body: str) -> str:
    """Without what nobody refers to, and with coordinates as fine as a screen can show."""
    body = UPRIGHT.sub("", SPACES.sub("><", UNUSED.sub("", body)))
    body = PLACE.sub(rounded, body)
    body = PATH.sub(lambda m: f' d="{shorter(m[1].replace(chr(10), ""))}"', body)
    return ALONE.sub(r"\1", ALONE.sub(r"\1", GRID_LINE.sub(r"\1", body)))


def styles_as_classes(drawings: list[str]) -> tuple[list[str], str]:
    """The drawings with their styles as classes and with short ids, and the rules of those classes."""
    names: dict[str, str] = {}
    ids: dict[str, str] = {}

    def named(match: re.Match) -> str:
        return f'class="{names.setdefault(match[1], f"s{len(names)}")}"'

    def called(match: re.Match) -> str:
        return f"{match[1]}{ids.setdefault(match[2], f'i{len(ids)}')}"

    changed = []
    for svg in drawings:
        start = svg.index("</desc>" if "</desc>" in svg else "</title>")  # what stands before is referred to by name
        changed.append(svg[:start] + IDENTIFIER.sub(called, DRAWN_STYLE.sub(named, svg[start:])))
    return changed, "".join(f"figure .{name}{{{style}}}" for style, name in names.items())


def cut(svg: str, cells: int) -> list[str]:
    """The drawing of each cell, with the definitions that it needs."""
    defined = {m[1] or m[3]: m[0] for m in DEFINED.finditer(svg)}
    parts = ["" for _ in range(cells)]
    for group in TOP_GROUP.finditer(svg):
        if int(group[1]) < cells:
            parts[int(group[1])] += f"<g>{group[2]}</g>"
    found = []
    for part in parts:
        own = {m[1] or m[3] for m in DEFINED.finditer(part)}
        needed = [defined[name] for name in dict.fromkeys(USED.findall(part)) if name in defined and name not in own]
        found.append((f"<defs>{''.join(needed)}</defs>" if needed else "") + part)
    return found


def for_page(svg: str, anchor: str, boxes: list[tuple], height: float, title: str, description: str) -> list[str]:
    """An <svg> element for each box (left, bottom, width, height in inches) of a sheet so many inches high, without title and
    footer, which the page writes. Colours of the palette become CSS variables, so that dark paper works."""
    found = []
    for i, (body, (left, bottom, wide, high)) in enumerate(zip(cut(svg, len(boxes)), boxes)):
        own = f"{anchor}-{i}"
        body = smaller(body)
        body = IDENTIFIER.sub(lambda m: f"{m[1]}{own}-{m[2]}", body)
        body = STYLE.sub(lambda m: COLOUR.sub(lambda c: VARIABLES[c[0]], m[0]), body)
        view = " ".join(f"{72 * v:.4g}" for v in (left, height - bottom - high, wide, high))
        said = f"{title}, panel {i + 1} of {len(boxes)}" if len(boxes) > 1 else title
        words = f'<desc id="{own}-desc">{escape(description)}</desc>' if i == 0 else ""
        described = f' aria-describedby="{own}-desc"' if words else ""
        found.append(
            f'<svg role="img" aria-labelledby="{own}-title"{described} viewBox="{view}" style="--natural:{72 * wide:.0f}px"'
            f' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
            f'<title id="{own}-title">{escape(said)}</title>{words}{body}</svg>'
        )
    return found
