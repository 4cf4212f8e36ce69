"""The page without a mouse, without eyes and without JavaScript, in headless Chromium."""

import shutil
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from browser import Browser  # noqa: E402
from make_results import KINDS, make  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")


@pytest.fixture(scope="module")
def folder(heaptape, tmp_path_factory):
    top = tmp_path_factory.mktemp("access")
    make(top, **{**KINDS["many"], "points": 40})
    made = heaptape("report", top, "--format=html")
    assert made.returncode == 0, made.stderr
    return top


@pytest.fixture
def page(folder, tmp_path):
    with Browser(tmp_path / "profile") as one:
        one.size(1280, 900)
        one.open(folder / "report.html")
        yield one
        assert one.errors == []


def test_every_picture_has_words(page):
    """Each drawing has a name of its own; the first of a chart says what is in it, too."""
    names = page.ask("""[...document.querySelectorAll("svg")].map(s => [s.getAttribute("role"),
        document.getElementById(s.getAttribute("aria-labelledby")).textContent])""")
    assert len(names) > 20 and all(role == "img" and name.strip() for role, name in names)
    assert len({name for _, name in names}) == len(names)
    said = page.ask("""[...document.querySelectorAll("figure")].map(f =>
        document.getElementById(f.querySelector("svg").getAttribute("aria-describedby")).textContent.length)""")
    assert min(said) > 20
    assert page.ask("[...document.querySelectorAll('canvas')].every(c => c.getAttribute('aria-label'))")


def test_tables_say_what_they_are(page):
    page.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.ask("new Promise(done => setTimeout(done, 100))")
    assert page.ask("document.querySelectorAll('.values table').length") > 10
    assert page.ask("[...document.querySelectorAll('table')].filter(t => !(t.caption && t.caption.textContent.trim())).length") == 0
    assert page.ask("[...document.querySelectorAll('th')].filter(t => !t.scope).length") == 0


def test_headings_step_by_one(page):
    levels = page.ask("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_the_focus_is_seen_wherever_it_is(page):
    """From the skip link on, through legend, links, folds, headings of tables and charts."""
    kinds = {}
    for _ in range(60):
        page.key("Tab")
        kind, style, width = page.ask("""(() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.tagName + "." + (e.classList[0] || e.parentElement.tagName), s.outlineStyle, parseFloat(s.outlineWidth)]; })()""")
        kinds[kind] = style != "none" and width >= 2
    assert {"A.skip", "BUTTON.TH", "SUMMARY.DETAILS", "DIV.plot"} <= set(kinds), kinds
    assert all(kinds.values()), kinds


def test_the_keyboard_sorts_and_switches(page):
    names = "[...document.querySelector('table.summary').tBodies[0].rows].map(r => r.cells[0].textContent.trim())"
    page.ask("document.querySelector('table.summary th button').focus()")
    page.key("Enter")
    assert page.ask(names) == sorted(page.ask(names))
    page.key(" ")
    assert page.ask(names) == sorted(page.ask(names), reverse=True)
    assert page.ask("document.querySelector('table.summary th').getAttribute('aria-sort')") == "descending"
    page.ask("document.querySelector('.legend [data-switch]').focus()")
    page.key(" ")
    assert page.ask("document.querySelector('.legend [data-switch]').getAttribute('aria-pressed')") == "false"


def test_without_javascript(folder, tmp_path):
    """The charts stand there, what goes into detail is open or can be opened, and nothing that would do nothing is shown."""
    with Browser(tmp_path / "profile") as one:
        one.size(390, 900, mobile=True)
        one.call("Emulation.setScriptExecutionDisabled", value=True)
        one.open(folder / "report.html")
        sizes = one.ask("[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)")
        assert len(sizes) > 20 and min(sizes) > 50
        assert one.ask("[...document.querySelectorAll('.legend, .values, .heaps, #tip')].every(e => !e.offsetHeight)")
        assert one.ask("[...document.querySelectorAll('details.group')].every(d => d.open)")
        assert one.ask("document.documentElement.scrollWidth <= innerWidth")


def test_a_phone_folds_what_goes_into_detail(folder, tmp_path):
    with Browser(tmp_path / "profile") as one:
        one.size(390, 900, mobile=True)
        one.open(folder / "report.html")
        folded = one.ask("[...document.querySelectorAll('details.group')].map(d => [d.classList.contains('folds'), d.open])")
        assert {tuple(f) for f in folded} == {(True, False), (False, True)}
        one.ask("location.hash = document.querySelector('details.folds').id")
        one.ask("new Promise(done => setTimeout(done, 100))")
        assert one.ask("document.querySelector('details.folds').open"), "a link into it opens it"
        wide = one.ask("[...document.querySelectorAll('figure')].filter(f => f.scrollWidth > f.clientWidth + 1).map(f => f.id)")
        assert wide == [], "no chart has to be pushed sideways"
        sizes = one.ask("""[...document.querySelectorAll('figure svg')].filter(s => s.clientWidth).map(s =>
            s.clientWidth / s.viewBox.baseVal.width)""")
        assert min(sizes) > 0.95, "letters are drawn as large as they were made"
