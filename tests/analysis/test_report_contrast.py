"""Who can read the page: contrast of its colours on light and on dark, and no movement that could not be stopped."""

import re

import pytest

import report_path  # noqa: F401
from conftest import ROOT
from report import palette

STYLE = (ROOT / "analysis" / "report" / "templates" / "style.css.j2").read_text()
LETTERS, GRAPHICS = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
# Okabe and Ito's light hues and greys: darker they could not be told from their neighbours by the colour-blind, so that what is
# drawn in them has its name beside it in dark letters.
LIGHT_HUES = {"#e69f00", "#56b4e9", "#44aa99", "#9a9aa2"}


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def tokens(dark: bool) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\{% for", STYLE, re.S)
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", blocks[1 if dark else 0]))


def test_the_measure():
    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("ground", ["paper", "page"])
@pytest.mark.parametrize("word", ["ink", "muted", "good", "bad", "link"])
def test_words_can_be_read(dark, ground, word):
    colours = tokens(dark)
    assert contrast(colours[word], colours[ground]) >= LETTERS


@pytest.mark.parametrize("colour", palette.every_colour()[len(palette.CHROME) :])
def test_lines_and_bars_can_be_seen(colour):
    assert contrast(palette.dark(colour), tokens(True)["paper"]) >= GRAPHICS
    if colour not in LIGHT_HUES and colour not in palette.FULLNESS + (palette.FREE,):
        assert contrast(colour, tokens(False)["paper"]) >= GRAPHICS
    if colour in LIGHT_HUES:
        assert contrast(palette.letters(colour), tokens(False)["paper"]) >= LETTERS


def test_fullness_is_a_ramp_on_both_papers():
    """From no block to full, each brighter than the one before, so that it can be told without hue; on dark paper from the second on."""
    steps = [contrast(colour, "#000000") for colour in palette.FULLNESS]
    assert steps == sorted(steps)
    dark = [contrast(palette.dark(colour), "#000000") for colour in palette.FULLNESS]
    assert dark[1:] == sorted(dark[1:])


def test_nothing_moves():
    """Nobody has to ask for less motion where there is none."""
    assert not re.search(r"\b(transition|animation|scroll-behavior)\b", STYLE)
