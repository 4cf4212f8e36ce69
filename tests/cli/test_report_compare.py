"""heaptape report OLD NEW: what changed, in words, as a table and in charts; noise is called noise."""

import json
import re
import shutil
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from browser import Browser  # noqa: E402
from make_results import make  # noqa: E402

ALLOCATORS = ("libc", "htmalloc", "mimalloc", "null")


def slower(results, allocator, factor):
    for run in results["runs"]:
        if run["allocator"] == allocator and run["mode"] == "time":
            run["ns_per_operation"] *= factor


@pytest.fixture(scope="module")
def folders(heaptape, tmp_path_factory):
    """before, and after: mimalloc takes half as long again, and nothing else differs."""
    top = tmp_path_factory.mktemp("two")
    make(top / "before", allocators=ALLOCATORS, points=50, rounds=10)
    results = make(top / "after", allocators=ALLOCATORS, points=50, rounds=10)
    slower(results, "mimalloc", 1.5)
    (top / "after" / "results.json").write_text(json.dumps(results))
    made = heaptape("report", top / "before", top / "after")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    assert made.stdout.splitlines()[0] == str(top / "after" / "compare.html")
    return top


def words(folder):
    text = re.sub(r"<(script|style).*?</\1>", "", (folder / "compare.html").read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text).replace("\N{NO-BREAK SPACE}", " "))


def test_what_changed_is_said(folders):
    said = words(folders / "after")
    assert "Of 6 comparisons, 1 worse; in the other 5 no change is shown." in said
    assert "mimalloc tape-a: 50 % more time (+48 % to +52 %)" in said
    assert said.count("no change shown") >= 5 and "95 % interval" in said
    assert (folders / "after" / "charts" / "compare.change_time.png").exists()
    assert "before" in (folders / "after" / "charts" / "compare.tape-a.growth_pair.svg").read_text()


def test_a_warning_is_no_obstacle(heaptape, folders, tmp_path):
    """heaptape diff says on standard error, too, that two machines were not the same."""
    results = json.loads((folders / "after" / "results.json").read_text())
    results["machine"]["cores"] = 99
    shutil.copytree(folders / "after", tmp_path / "other")
    (tmp_path / "other" / "results.json").write_text(json.dumps(results))
    made = heaptape("report", folders / "before", tmp_path / "other", "--format=html")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    assert "another number of cores" in words(tmp_path / "other")


def test_the_same_folder_twice(heaptape, folders, tmp_path):
    made = heaptape("report", folders / "before", folders / "before", "-o", tmp_path, "--format=html")
    assert made.returncode == 0, made.stderr
    assert "No change is shown in any of 6 comparisons." in words(tmp_path)


@pytest.mark.parametrize("second", ["nothing", "torn", "other"])
def test_two_that_cannot_be_compared(heaptape, folders, tmp_path, second):
    folder = tmp_path / "r"
    if second == "other":
        make(folder, tapes=(("tape-z", "q"),), allocators=ALLOCATORS, points=10)
    elif second == "torn":
        shutil.copytree(folders / "before", folder)
        (folder / "results.json").write_text('{"schema_version": 1, "x')
    result = heaptape("report", folders / "before", folder)
    assert result.returncode == 3 and result.stderr.startswith("heaptape report: ") and result.stderr.count("\n") == 1
    assert not (folder / "compare.html").exists()
    assert heaptape("report", "a", "b", "c").returncode == 2


def test_hostile_names(heaptape, tmp_path):
    for name in ("a", "b"):
        make(tmp_path / name, tapes=(("x", "<script>alert(1)</script>"),), allocators=("libc", "<img src=x>", "null"), points=20)
    made = heaptape("report", tmp_path / "a", tmp_path / "b", "--format=html")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "b" / "compare.html").read_text()
    assert "<img" not in text and text.count("<script") == 2


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_in_a_browser(folders, tmp_path):
    with Browser(tmp_path) as page:
        page.open(folders / "after" / "compare.html")
        page.point("#compare-change_time svg", 0.5, 0.5)
        assert page.ask("document.getElementById('tip').innerText")
        page.ask("document.querySelector('table.summary').tHead.rows[0].cells[4].firstElementChild.click()")
        cells = page.ask("[...document.querySelector('table.summary').tBodies[0].rows].map(r => r.cells[4].textContent)")
        assert len(cells) == 6 and sorted(cells) == cells
        for width in (360, 1280):
            page.size(width, 900)
            assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []
