"""The figures behind the charts as files: tidy, documented, the same in CSV and JSON, and right."""

import csv
import json
import re
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from make_results import EVERY, KINDS, make  # noqa: E402

PAGE = (ROOT / "analysis" / "DATA.md").read_text()


def data(heaptape, folder):
    made = heaptape("report", folder, "--format=data")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    assert not (folder / "report.html").exists()
    return folder / "data"


@pytest.fixture(scope="module")
def many(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make(folder, **{**KINDS["many"], "points": 40})
    return data(heaptape, folder)


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def test_every_table_and_column_is_explained(many):
    for path in many.glob("*.csv"):
        section = re.search(rf"^\| `{path.stem}` .*$", PAGE, re.M)
        assert section, path.name
        for column in path.read_text().splitlines()[0].split(","):
            plain = re.sub("_(low|high)$", "", column)
            assert column in ("tape", "allocator") or f"`{column}`" in section[0] or f"`{plain}`" in section[0], (path.name, column)


def test_tables_are_tidy(many):
    """No cell holds more than one figure, nothing is nan, each row is full, each key unique."""
    for path in many.glob("*.csv"):
        with path.open(newline="") as source:
            table = list(csv.reader(source))
        assert len(table) > 1 and all(len(row) == len(table[0]) for row in table)
        figures = [i for i, name in enumerate(table[0]) if name not in ("tape", "allocator")]
        assert not any(row[i].lower() in ("nan", "inf", "none", "null", "unknown") for row in table[1:] for i in figures)
        numbers = [i for i, name in enumerate(table[0]) if re.search("bytes|ns|seconds|operation$|share", name)]
        assert all(row[i] == "" or float(row[i]) is not None for row in table[1:] for i in numbers)
    keys = [(r["tape"], r["allocator"], r["operation"]) for r in rows(many, "series")]
    assert len(keys) == len(set(keys))


def test_json_says_the_same(many):
    found = json.loads((many / "data.json").read_text())
    assert found["schema_version"] == 1
    for path in many.glob("*.csv"):
        table, lines = found[path.stem], rows(many, path.stem)
        assert len(table["data"]) == len(lines) and table["columns"] == list(lines[0])
        for ours, theirs in zip(table["data"], lines):
            for value, text in zip(ours, theirs.values()):
                assert text == "" if value is None else text in (value, f"'{value}", str(value).upper()) or float(text) == value


def test_values_by_hand(many):
    summary = {r["allocator"]: r for r in rows(many, "summary")}
    assert set(summary) == set(EVERY) - {"null"}
    assert float(summary["libc"]["ns_per_operation"]) == 30 and float(summary["libc"]["ns_per_operation_high"]) == 30.6
    assert float(summary["htmalloc"]["relative_time"]) == 0.66 and summary["htmalloc"]["relative_time_verdict"] == "faster"
    assert summary["tbbmalloc"]["peak_held_bytes"] == "", "unknown is an empty cell"
    parts = {r["part"]: float(r["bytes"]) for r in rows(many, "waste") if r["allocator"] == "libc"}
    peak = max((r for r in rows(many, "series") if r["allocator"] == "libc"), key=lambda r: int(r["resident_bytes"]))
    assert parts["requested"] == int(peak["requested_bytes"]) and parts["startup"] == 132 << 10
    assert parts["requested"] + parts["rounding"] + parts["between"] == int(peak["resident_bytes"])


def test_a_summary_for_ci(many):
    flat = dict(line.split("=", 1) for line in (many / "summary.txt").read_text().splitlines())
    assert flat["tape-a.libc.ns_per_operation"] == "30" and flat["tape-a.libc.status"] == "ok"
    lines = (many / "summary.prom").read_text().splitlines()
    sample = re.compile(r'heaptape_[a-z_]+\{tape="[^"\\]*",allocator="[^"\\]*"\} -?[0-9.e+-]+$')
    assert all(re.match(r"# (HELP|TYPE) heaptape_[a-z_]+ ", line) or sample.match(line) for line in lines)
    assert 'heaptape_relative_time{tape="tape-a",allocator="libc"} 1' in lines
    assert len([l for l in lines if l.startswith("heaptape_ok{") and l.endswith(" 1")]) == len(EVERY) - 1


def test_failures_and_hostile_names(heaptape, tmp_path):
    make(tmp_path / "f", **{**KINDS["failures"], "points": 10})
    folder = data(heaptape, tmp_path / "f")
    failed = next(r for r in rows(folder, "summary") if r["allocator"] == "tcmalloc")
    assert failed["status"] == "crashed" and failed["ns_per_operation"] == "" and "4242" in failed["detail"]
    assert 'heaptape_ok{tape="tape-a",allocator="tcmalloc"} 0' in (folder / "summary.prom").read_text()
    make(tmp_path / "h", tapes=(('q"u,o\nte', "x"),), allocators=("libc", "null"), points=10)
    folder = data(heaptape, tmp_path / "h")
    assert rows(folder, "summary")[0]["tape"] == 'q"u,o\nte'
    assert 'tape="q\\"u,o\\nte"' in (folder / "summary.prom").read_text()
    assert all("=" in line for line in (folder / "summary.txt").read_text().splitlines())


def test_the_waste_is_that_of_the_climb(heaptape, tmp_path):
    """By hand: P is highest, by a page, when all is long freed; what is told is where it had come to within 1 % of that."""
    make(tmp_path, points=10)
    header = (tmp_path / "series" / "tape-a.libc.csv").read_text().splitlines()[0]
    points = ["0,0,0,0,0,0", "1,0.1,800000,900000,1100000,1000000", "2,0.2,4096,4096,1100000,1004096"]
    (tmp_path / "series" / "tape-a.libc.csv").write_text("\n".join([header, *points]) + "\n")
    parts = {r["part"]: int(r["bytes"]) for r in rows(data(heaptape, tmp_path), "waste")}
    assert parts == {"requested": 800000, "rounding": 100000, "between": 100000, "startup": 132 << 10, "unreturned": 100000}
    out = heaptape("plot", tmp_path, "--chart=waste").stdout
    assert "rrrrr" in out and "1.08 MiB" in out
