"""A chart's SVG made fit to stand inside the page: unique ids, colours by CSS variable, words for who can't see it."""

from __future__ import annotations

import re
from html import escape

from .palette import every_colour, variable

VARIABLES = {colour: f"var({variable(colour)})" for colour in every_colour()}
COLOUR = re.compile("|".join(re.escape(c) for c in VARIABLES))
STYLE = re.compile(r'style="[^"]*"')
IDENTIFIER = re.compile(r'(\bid="|xlink:href="#|url\(#)([^")]+)')
PROLOGUE = re.compile(r"^.*?(?=<svg)", re.S)
METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.S)
UNUSED = re.compile(r' id="(?:line2d|text|matplotlib\.axis|xtick|ytick|patch|figure|axes|legend|LineCollection|PolyCollection)_\d+"')
PATH = re.compile(r' d="[^"]*"')
NUMBER = re.compile(r"-?\d+\.\d{3,}")
SPACES = re.compile(r">\s+<")


def rounded(match: re.Match) -> str:
    """To hundredths of a point."""
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def smaller(body: str) -> str:
    """Without what nobody refers to, and with coordinates as fine as a screen can show."""
    body = SPACES.sub("><", UNUSED.sub("", body))
    return PATH.sub(lambda m: NUMBER.sub(rounded, m[0]).replace("\n", ""), body)


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
