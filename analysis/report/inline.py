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
PROLOGUE = re.compile(r"^.*?(?=<svg)", re.S)
METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.S)
UNUSED = re.compile(r' id="(?:line2d|text|matplotlib\.axis|xtick|ytick|patch|figure|axes|legend|LineCollection|PolyCollection)_\d+"')
PATH = re.compile(r' d="([^"]*)"')
PLACE = re.compile(r'(?<= [xy]=")-?\d+\.\d+(?=")')
NUMBER = re.compile(r"-?\d+\.\d+")
PIECE = re.compile(r"([ML]) (-?[\d.]+) (-?[\d.]+) ?")
SPACES = re.compile(r">\s+<")
UPRIGHT = re.compile(r' transform="rotate\(-0 [^"]*\)"')
GROUPS = re.compile(r"<g><g>((?:(?!</?g>).)*)</g></g>")


def rounded(match: re.Match) -> str:
    """To tenths of a point, a sixth of a pixel on a usual screen."""
    return f"{float(match[0]):.1f}".removesuffix(".0")


def straightened(path: str) -> str:
    """Of a path of M and L alone, without points amid level or upright stretches."""
    pieces = PIECE.findall(path)
    if sum(len(" ".join(p)) + 1 for p in pieces) < len(path.strip()):
        return path
    kept: list[tuple[str, str, str]] = []
    for piece in pieces:
        if len(kept) > 1 and piece[0] == kept[-1][0] == "L":
            before, last = kept[-2], kept[-1]
            level = before[2] == last[2] == piece[2] and (float(last[1]) - float(before[1])) * (float(piece[1]) - float(last[1])) >= 0
            upright = before[1] == last[1] == piece[1] and (float(last[2]) - float(before[2])) * (float(piece[2]) - float(last[2])) >= 0
            if level or upright:
                kept.pop()
        kept.append(piece)
    return "".join(f"{command}{x} {y}" for command, x, y in kept)


def smaller(body: str) -> str:
    """Without what nobody refers to, and with coordinates as fine as a screen can show."""
    body = UPRIGHT.sub("", SPACES.sub("><", UNUSED.sub("", body)))
    body = PLACE.sub(rounded, body)
    body = PATH.sub(lambda m: f' d="{straightened(NUMBER.sub(rounded, m[1]).replace(chr(10), ""))}"', body)
    return GROUPS.sub(r"<g>\1</g>", body)


def styles_as_classes(drawings: list[str]) -> tuple[list[str], str]:
    """The drawings with their styles as classes, which are far shorter, and the rules of those."""
    names: dict[str, str] = {}

    def named(match: re.Match) -> str:
        return f'class="{names.setdefault(match[1], f"s{len(names)}")}"'

    changed = [svg[:cut] + DRAWN_STYLE.sub(named, svg[cut:]) for svg in drawings for cut in [svg.index(">")]]
    return changed, "".join(f"figure .{name}{{{style}}}" for style, name in names.items())


def for_page(svg: str, prefix: str, title: str, description: str, footer: float = 0.0) -> str:
    """The <svg> element alone, its footer of so many inches cut off. Colours of the palette become CSS variables, so that
    dark paper works."""
    body = smaller(METADATA.sub("", PROLOGUE.sub("", svg)))
    body = IDENTIFIER.sub(lambda m: f"{m[1]}{prefix}-{m[2]}", body)
    body = STYLE.sub(lambda m: COLOUR.sub(lambda c: VARIABLES[c[0]], m[0]), body)
    view = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', body)
    width, height = (float(view[1]), float(view[2])) if view else (640.0, 400.0)
    height = max(height - 72 * footer, 1.0)
    opening = (
        f'<svg role="img" aria-labelledby="{prefix}-title {prefix}-desc" viewBox="0 0 {width:g} {height:g}" '
        f'style="--natural:{width:.0f}px" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{prefix}-title">{escape(title)}</title><desc id="{prefix}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"^<svg[^>]*>", lambda _: opening, body, count=1)
