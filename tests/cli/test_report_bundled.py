"""The report of each bundled tape, really benched, in a real browser: every chart there, each says its values, tables sort."""

import csv
import re
import shutil
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from browser import Browser  # noqa: E402

TAPES = sorted((ROOT / "traces" / "corpus").glob("*.tape"))
CHARTS = (
    "relative_time", "peak_resident", "time", "time_memory", "waste", "growth", "fragmentation", "latency", "latency_time",
    "system_calls", "faults", "sizes", "lifetimes", "classes", "class_waste", "heap_map", "page_occupancy",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bundled")


@pytest.fixture(scope="module")
def page(heaptape, folder):
    chosen = [word for name in ("libc", "htmalloc", "jemalloc") for word in ("-a", name)]
    ran = heaptape("bench", *TAPES, *chosen, "-n", 2, "--snapshots", "-o", folder / "r")
    assert ran.returncode == 0, ran.stderr
    made = heaptape("report", folder / "r", "--format=html,data")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    if not shutil.which("chromium"):
        pytest.skip("needs chromium")
    with Browser(folder / "profile") as browser:
        browser.size(1280, 900)
        browser.open(folder / "r" / "report.html")
        yield browser
        assert browser.errors == []


@pytest.mark.parametrize("tape", [t.stem for t in TAPES])
def test_a_bundled_tape(page, tape):
    anchors = page.ask("[...document.querySelectorAll('figure[id]')].map(f => f.id)")
    own = [a for a in anchors if f"-{tape}-" in a]
    assert [c for c in CHARTS if not any(a.endswith(f"-{c}") for a in own)] == []
    said = page.ask(f"""[...document.querySelectorAll('figure[id*="-{tape}-"] [data-chart]')].map(plot => {{
        plot.focus(); plot.dispatchEvent(new KeyboardEvent("keydown", {{ key: "End" }}));
        return [plot.dataset.chart, document.getElementById("tip").hidden]; }})""")
    assert len(said) > 20 and [name for name, hidden in said if hidden] == []


@pytest.mark.parametrize("table", ["size_classes", "heap_parts", "page_occupancy", "free_runs"])
def test_the_heaps_data(page, folder, table):
    """Tidy, documented, and adding up: the pages of a moment, small or huge, are its resident memory."""
    with (folder / "r" / "data" / f"{table}.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    text = re.search(rf"^\| `{table}` .*$", (ROOT / "analysis" / "DATA.md").read_text(), re.M)[0]
    assert len(rows) > 15 and all(f"`{column}`" in text for column in list(rows[0])[2:])
    assert {r["tape"] for r in rows} == {t.stem for t in TAPES}
    if table == "page_occupancy":
        sums: dict = {}
        for r in rows:
            key = (r["tape"], r["allocator"], r["moment"])
            sums.setdefault(key, {}).setdefault(r["page_bytes"], []).append(int(r["resident_bytes"]))
        assert all(sum(s["4096"]) == sum(s["2097152"]) for s in sums.values())


def test_sorting_and_hovering(page):
    rows = "[...document.querySelectorAll('table.summary')[1].tBodies[0].rows].map(r => r.cells[0].textContent.trim())"
    page.ask("document.querySelectorAll('table.summary')[1].tHead.rows[0].cells[0].firstElementChild.click()")
    assert page.ask(rows) == sorted(page.ask(rows))
    page.point("figure[id$='jq-fragmentation'] svg", 0.4, 0.5)
    assert {"libc", "jemalloc"} <= set(page.ask("document.getElementById('tip').innerText").split())
    assert page.errors == []
