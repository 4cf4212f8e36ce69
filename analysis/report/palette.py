"""One fixed colour per allocator, the same on every page. Okabe and Ito's eight, safe for the colour-blind.

Each colour has a twin of the same hue for dark paper; the page swaps them by CSS variables.
"""

from __future__ import annotations

import zlib

# Colours of the drawing itself. Distinct hex values, since the page finds them in the SVG by value.
INK, MUTED, GRID, PAPER, SHADE = "#1c1c21", "#5c5c66", "#dedee3", "#ffffff", "#ececf0"
ABSENT = "#fefefe"  # of a heap map: not resident
CHROME = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", SHADE: "shade", ABSENT: "absent"}
# How full pages are, from no block to nearly full, as bright as in the heap map; and what resident memory is made of.
FULLNESS = ("#1f3a6d", "#46506c", "#666970", "#8b8677", "#bdb06c", "#f2df52")
FREE, PINNED = "#a49d78", "#666971"  # on well-used pages, on nearly empty ones

FIXED = {
    "libc": "#222222",
    "htmalloc": "#d55e00",
    "jemalloc": "#0072b2",
    "mimalloc": "#009e73",
    "tcmalloc": "#cc79a7",
    "tbbmalloc": "#e69f00",
    "null": "#9a9aa2",
}
# For every other name: two of Okabe and Ito's that are left and muted hues of Paul Tol's.
OTHERS = (
    "#56b4e9",
    "#882255",
    "#999933",
    "#332288",
    "#b8860b",
    "#44aa99",
    "#661100",
    "#6b7f00",
    "#7d5ba6",
    "#4d7c8a",
    "#2f6b3c",
    "#a8327d",
)
# Twins for dark paper.
DARK = {
    "#222222": "#e6e6ea",
    "#d55e00": "#ff8a3d",
    "#0072b2": "#4ba8e6",
    "#009e73": "#2cc79b",
    "#cc79a7": "#e09fc4",
    "#e69f00": "#f0b429",
    "#9a9aa2": "#8a8a92",
    "#56b4e9": "#7cc7f2",
    "#882255": "#d4699c",
    "#999933": "#c3c35a",
    "#332288": "#8f83e0",
    "#b8860b": "#d9a93a",
    "#44aa99": "#5cc9b7",
    "#661100": "#d0735c",
    "#6b7f00": "#a9c23a",
    "#7d5ba6": "#b394dc",
    "#4d7c8a": "#83b3c2",
    "#2f6b3c": "#7fc98f",
    "#a8327d": "#e07cb9",
    "#1f3a6d": "#5f86d0",
    "#46506c": "#7f8cb0",
    "#666970": "#8f939f",
    "#666971": "#8f939f",
    "#8b8677": "#a7a190",
    "#a49d78": "#b3ab84",
    "#bdb06c": "#cbbd73",
    "#f2df52": "#f2df52",
}

# The same hue, dark enough for letters on white paper (contrast 4.5 and over); the others are dark enough as they are.
LETTERS = {
    "#d55e00": "#b84e00",
    "#009e73": "#007a58",
    "#cc79a7": "#a84a7e",
    "#e69f00": "#996900",
    "#9a9aa2": "#6c6c76",
    "#56b4e9": "#1b75ab",
    "#999933": "#707018",
    "#b8860b": "#8a6400",
    "#44aa99": "#1f7a6b",
    "#4d7c8a": "#3f6b78",
}


def colours(names: list[str]) -> dict[str, str]:
    """A colour for each name. An unknown name's is a function of the name, moved on only where two clash."""
    chosen = {n: FIXED[n] for n in names if n in FIXED}
    taken: set[str] = set()
    for name in sorted(set(names) - set(FIXED)):
        start = zlib.crc32(name.encode()) % len(OTHERS)
        order = [OTHERS[(start + i) % len(OTHERS)] for i in range(len(OTHERS))]
        chosen[name] = next((c for c in order if c not in taken), order[0])
        taken.add(chosen[name])
    return chosen


def variable(colour: str) -> str:
    """The name of the CSS variable that stands for a colour in inline SVG."""
    return "--" + CHROME.get(colour, "c-" + colour.lstrip("#"))


def letters(colour: str) -> str:
    """The colour in which an allocator's name is written."""
    return LETTERS.get(colour, colour)


def every_colour() -> list[str]:
    return [*CHROME, *dict.fromkeys([*FIXED.values(), *OTHERS, *LETTERS.values(), *FULLNESS, FREE, PINNED])]


def dark(colour: str) -> str:
    """Its twin for dark paper, where letters and lines may have the same."""
    hue = next((plain for plain, written in LETTERS.items() if written == colour), colour)
    return DARK[hue]
