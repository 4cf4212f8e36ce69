"""The heap maps of the report in headless Chromium: exact bytes by keyboard and pointer, zoom, the legend."""

import json
import re
import shutil
import subprocess
import sys
import time

import pytest

from conftest import BUILD, ROOT

sys.path[:0] = [str(ROOT / "tests" / "analysis"), str(ROOT / "analysis")]
from browser import Browser  # noqa: E402
from report import heap_story  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")

VIEW = "(() => { const v = window.heapPanels[0].map.view; return [v.x0, v.x1, v.y0, v.y1]; })()"
TOLD = "document.querySelector('.heap .told').textContent"


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heaps")
    tape, out = folder / "x.tape", folder / "results"
    subprocess.run([BUILD / "tests/engine_tape", tape, "60000", "900", "1", "0"], check=True, capture_output=True)
    made = heaptape("bench", tape, "-a", "libc", "-a", "htmalloc", "-n", 1, "--latency-rounds=0", "--snapshots", "-o", out)
    assert made.returncode == 0, made.stderr
    made = heaptape("report", out, "--format=html")
    assert made.returncode == 0, made.stderr
    return out


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.size(1280, 900)
        browser.open(results / "report.html")
        browser.ask("new Promise((done, fail) => { setTimeout(fail, 20000); const look = () => document.querySelector('figure.replaced canvas') ? done(1) : setTimeout(look, 20); look(); })")
        yield browser
        # Chromium advises whoever reads a canvas again and again, as a test here does.
        assert [error for error in browser.errors if "willReadFrequently" not in error] == []


def press(page, *keys):
    for key in keys:
        page.ask("document.querySelector('.heap canvas').dispatchEvent(new KeyboardEvent('keydown', "
                 f"{{key: {json.dumps(key)}, bubbles: true, cancelable: true}}))")  # fmt: skip


def drawn(results) -> heap_story.HeapMap:
    return heap_story.read(next((results / "snapshots").glob("*.libc.heap"))).heap_map


def told(page) -> str:
    return page.ask(TOLD).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", "")


def test_a_map_for_each_allocator(page):
    assert page.ask("[...document.querySelectorAll('.heap-head b')].map(b => b.textContent)") == ["libc", "htmalloc"]
    # Something is painted, and the drawing that stood there is gone.
    colour_count = ("(() => { const c = document.querySelector('.heap canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                       " const found = new Set(); for (let i = 0; i < d.length; i += 4) found.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return found.size; })()")  # fmt: skip
    deadline = time.monotonic() + 20  # it is painted when the browser finds the time
    while page.ask(colour_count) <= 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert page.ask(colour_count) > 8
    assert page.ask("getComputedStyle(document.querySelector('figure.replaced > .drawn')).display") == "none"


def test_the_keyboard_tells_exact_bytes(page, results):
    wanted = drawn(results)
    press(page, "Escape", "Home", *["PageDown"] * 20)
    for column, band in ((0, 0), (3, 2), (len(wanted.operation) - 1, 2)):
        press(page, "Home", *["PageDown"] * 20, *["ArrowRight"] * min(column, 3), *(["End"] if column > 3 else []), *["ArrowUp"] * band)
        words = told(page)
        assert words.startswith(f"operation {int(wanted.operation[column])},")
        assert f"0x{int(wanted.edges[band]):x}" in words
        resident, live = int(wanted.resident[band, column]), int(wanted.live[band, column])
        assert ("not resident" in words) == (resident == 0)
        if resident:
            share = float(re.search(r"([\d.]+) % live", words)[1])
            assert share == pytest.approx(100 * live / resident, abs=0.5)


def test_zoom(page, results):
    whole = page.ask(VIEW)
    assert whole == [0, float(drawn(results).operation[-1]), 0, drawn(results).size]
    press(page, "+")
    closer = page.ask(VIEW)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 2)
    press(page, "-", "-", "-")
    assert page.ask(VIEW) == whole
    page.ask("document.querySelectorAll('.heap-head button')[1].click()")
    assert page.ask(VIEW) != whole
    page.ask("document.querySelectorAll('.heap-head button')[2].click()")
    assert page.ask(VIEW) == whole


def test_drag_and_hover(page, results):
    whole = page.ask(VIEW)
    page.point(".heap canvas", 0.5, 0.5)
    assert "operation" in page.ask("document.getElementById('tip').innerText")
    x, y = page.ask("(() => { const b = document.querySelector('.heap canvas').getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()")
    for kind, dx, dy in (("mousePressed", 0, 0), ("mouseMoved", 40, 30), ("mouseMoved", 80, 60), ("mouseReleased", 80, 60)):
        page.call("Input.dispatchMouseEvent", type=kind, x=x + dx, y=y + dy, button="left", clickCount=1)
    view = page.ask(VIEW)
    assert view[1] - view[0] < 0.5 * (whole[1] - whole[0]) and view[3] - view[2] < 0.5 * (whole[3] - whole[2])
    press(page, "Escape")
    assert page.ask(VIEW) == whole


def test_the_legend_switches_maps(page):
    page.ask("document.querySelector('[data-switch=\"1\"]').click()")
    assert page.ask("[...document.querySelectorAll('.heap')].map(h => h.getClientRects().length > 0)") == [True, False]
    page.ask("document.querySelector('[data-switch=\"1\"]').click()")


def test_on_a_phone_and_in_the_dark(page):
    page.size(390, 800, mobile=True)
    page.dark(True)
    assert page.ask("document.documentElement.scrollWidth") <= 390
    page.size(1280, 900)
    page.dark(False)
