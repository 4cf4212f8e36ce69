"""How low a heap could have been, and what size classes lose: from heaptape analyze into a bench's results, its report and data."""

import csv
import html
import json

import pytest

from conftest import ROOT

TAPE = ROOT / "traces/corpus/jq.tape"
KEYS = ("lower_bound_bytes", "aligned_lower_bound_bytes", "packing_bytes", "packing_method")


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    out = tmp_path_factory.mktemp("bounds") / "results"
    made = heaptape("bench", TAPE, "-a", "libc", "-n", 1, "--latency-rounds=0", "-o", out)
    assert made.returncode == 0, made.stderr
    return out


def reported(heaptape, folder) -> str:
    made = heaptape("report", folder, "--format=html,svg,data")
    assert made.returncode == 0, made.stderr
    return " ".join(html.unescape((folder / "report.html").read_text()).split())


def test_a_bench_has_what_analyze_tells(heaptape, results):
    tape = json.loads((results / "results.json").read_text())["tapes"][0]
    told = json.loads(heaptape("analyze", TAPE, "--part=summary", "--format=json").stdout)
    assert {key: tape[key] for key in KEYS} == {key: told[key] for key in KEYS}
    assert tape["lower_bound_bytes"] == tape["peak_live_bytes"] < tape["packing_bytes"]
    assert not list(results.glob("*.tmp"))


def test_the_report_says_and_draws_it(heaptape, results):
    page = reported(heaptape, results)
    assert ("No allocator can hold the blocks in less than 2.53 MiB, none that keeps them aligned in less than 2.72 MiB; "
            "a placement exists that uses 2.74 MiB (8.4 % more).") in page
    assert "A placement of all blocks needs 2.74 MiB." in page and "The dashed line is how low the heap could have been" in page
    row = next(csv.DictReader((results / "data/tapes.csv").open()))
    assert [row[key] for key in KEYS[:3]] == ["2650448", "2854560", "2874016"]


@pytest.mark.parametrize("values", [{}, dict.fromkeys(KEYS), {"lower_bound_bytes": "many", "aligned_lower_bound_bytes": True}])
def test_results_without_it(heaptape, results, tmp_path, values):
    """Of an older bench, of a tape that analyze could not read, and edited by hand: the report goes without."""
    found = json.loads((results / "results.json").read_text())
    for key in KEYS:
        del found["tapes"][0][key]
    found["tapes"][0].update(values)
    (tmp_path / "results.json").write_text(json.dumps(found))
    (tmp_path / "series").symlink_to(results / "series")
    made = heaptape("report", tmp_path, "--format=html")
    assert made.returncode == 0 and len(made.stderr.splitlines()) <= 1, made.stderr
    page = (tmp_path / "report.html").read_text()
    assert "No allocator can hold" not in page and "A placement" not in page


def test_no_placement_of_long_tapes(heaptape, results, tmp_path):
    found = json.loads((results / "results.json").read_text())
    found["tapes"][0].update(packing_bytes=None, packing_method=None)
    (tmp_path / "results.json").write_text(json.dumps(found))
    (tmp_path / "series").symlink_to(results / "series")
    page = reported(heaptape, tmp_path)
    assert "in less than 2.72 MiB." in page and "placement exists" not in page and "dashed line is how low" not in page


def test_size_classes_without_snapshots(heaptape, results, tmp_path):
    """The charts are there, by rule, with the figures of analyze; a torn file costs them and nothing else."""
    page = reported(heaptape, results)
    assert "Size classes of libc as known of their usual versions" in page
    assert (results / "charts/jq.classes.svg").exists() and (results / "charts/jq.class_waste.svg").exists()
    rows = list(csv.DictReader((results / "data/size_classes.csv").open()))
    told = json.loads(heaptape("analyze", TAPE, "--part=waste", "--format=json").stdout)["class_waste"][0]
    assert {(row["allocator"], row["source"]) for row in rows} == {("libc", "rule")}
    assert len(rows) == told["classes"] and sum(int(row["lost_bytes"]) for row in rows) == told["lost_at_peak_bytes"]
    for text in ("", "allocator,usable_bytes\nlibc,16\n", "allocator,usable_bytes,least_requested_bytes,blocks_at_peak,requested_at_peak_bytes\nlibc,x,1,1,1\n"):
        folder = tmp_path / str(len(text))
        (folder / "series").mkdir(parents=True)
        (folder / "results.json").write_text((results / "results.json").read_text())
        for other in (results / "series").iterdir():
            (folder / "series" / other.name).symlink_to(other)
        (folder / "series/jq.classes.csv").unlink()
        (folder / "series/jq.classes.csv").write_text(text)
        assert "Size classes of libc as known" not in reported(heaptape, folder)
