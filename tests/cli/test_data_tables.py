"""Every table of a report with everything in it: what pandas, R and spreadsheets need to load it as it is, that its columns are
explained, and that no chart is drawn without its figures being in a table."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy
import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
sys.path.insert(0, str(ROOT / "analysis"))
from make_results import make, write_live  # noqa: E402
from report import data_charts, data_files, data_heap, heap_story, kept  # noqa: E402
from report.results import load  # noqa: E402

PAGE = (ROOT / "analysis" / "DATA.md").read_text()
TEXTS = {
    "tape", "allocator", "status", "detail", "call", "system_call", "part", "moment", "source", "by", "name", "program", "arguments",
    "recorded_allocator", "relative_time_verdict", "relative_peak_resident_verdict", "metric", "unit", "verdict", "bench",
}  # fmt: skip
TRUTHS = {"complete"}
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")
MISREAD = re.compile("[=+@\t-]|(NA|N/A|null|nan|none|true|false|[0-9.,:/ -]+)$", re.I)


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    """Tapes of one and of two threads that are said to be of one program, snapshots, latencies, the program itself."""
    folder = tmp_path_factory.mktemp("everything")
    for lanes in (1, 2):
        options = ("--events=20k", "--live=200", "--sizes=log", "--size=16..2k", f"--lanes={lanes}", "--reallocs=5%")
        made = heaptape("trace", "synth", "-o", folder / f"t{lanes}.tape", *options)
        assert made.returncode == 0, made.stderr
    out = folder / "results"
    made = heaptape("bench", *(folder / f"t{n}.tape" for n in (1, 2)), "-a", "libc", "-a", "htmalloc", "-n", 3, "--snapshots", "-o", out)
    assert made.returncode == 0, made.stderr
    found = json.loads((out / "results.json").read_text())
    for tape in found["tapes"]:
        tape["program"] = "/usr/bin/both"
    (out / "results.json").write_text(json.dumps(found))
    write_live(out, found, "t1")
    return out


@pytest.fixture(scope="module")
def data(heaptape, results):
    made = heaptape("report", results, "--format=svg,data")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    return results / "data"


@pytest.fixture(scope="module")
def compared(heaptape, results, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared")
    made = heaptape("report", results, results, "--format=svg,data", "-o", out)
    assert made.returncode == 0 and made.stderr == "", made.stderr
    return out


@pytest.fixture(scope="module")
def tables(data, compared):
    """Header and rows of each table."""
    found = {}
    for path in [*data.glob("*.csv"), *(compared / "data").glob("*.csv")]:
        with path.open(newline="", encoding="utf-8") as source:
            header, *rows = csv.reader(source)
        found[path.stem] = (header, rows)
    return found


def charts_of(folder):
    return {path.name.split(".")[-2] for path in (folder / "charts").glob("*.svg")}


def explained(name):
    """(the cell of the keys, the cell of the columns) of a table in DATA.md."""
    return re.search(rf"^\| `{name}` \| (.*?) \| (.*) \|$", PAGE, re.M).groups()


def test_all_tables_are_there(tables):
    every = {name for names in data_charts.TABLES.values() for name in names} | set(data_charts.OF_THE_PAGE)
    assert set(tables) == every
    assert all(rows and len(set(header)) == len(header) and all(len(r) == len(header) for r in rows) for header, rows in tables.values())


def test_a_column_is_of_one_kind(tables):
    for name, (header, rows) in tables.items():
        for i, column in enumerate(header):
            cells = [row[i] for row in rows if row[i] != ""]
            if column in TEXTS:
                assert not any(MISREAD.match(cell) for cell in cells), (name, column)
            elif column in TRUTHS:
                assert set(cells) <= {"TRUE", "FALSE"}, (name, column)
            else:
                assert all(NUMBER.fullmatch(cell) for cell in cells), (name, column)
                assert all(abs(float(cell)) <= 1 << 53 for cell in cells), (name, column)


def test_every_column_and_key_is_explained(tables):
    """What the page says a row is for tells rows apart."""
    for name, (header, rows) in tables.items():
        keys, columns = explained(name)
        words = set(re.findall("`([a-z0-9_]+)`", keys + columns))
        for column in header:
            assert column in ("tape", "allocator") or {column, re.sub("_(low|high)$", "", column)} & words, (name, column)
        key = [i for i, c in enumerate(header) if f"`{c}`" in keys or re.search(rf"\b{c}\b", re.sub("`[^`]*`|\\(.*?\\)", "", keys))]
        assert key and len({tuple(row[i] for i in key) for row in rows}) == len(rows), (name, [header[i] for i in key])
        assert not {w for w in re.findall("`([a-z_]+_(?:bytes|share|seconds|index|ns))`", columns)} - set(header) - words & set(tables), name


def test_each_chart_is_in_its_tables(results, data, compared, tables):
    """And each is in the list of DATA.md, in the same words."""
    drawn = charts_of(results) | charts_of(compared)
    assert drawn == set(data_charts.TABLES)
    for chart, names in data_charts.TABLES.items():
        assert set(names) <= set(tables), chart
        said = re.search(rf"^\| `{chart}` \| ((?:`[a-z_]+`(?:, )?)+)", PAGE, re.M)
        assert said and tuple(re.findall("`([a-z_]+)`", said[1])) == names, chart


def test_charts_in_the_code_have_tables():
    """Those that are drawn from data that no test has, too."""
    for path in (ROOT / "analysis" / "report").glob("*.py"):
        for name in re.findall(r'(?<!def )\bChart\(\s*"([a-z_]+)"', path.read_text()):
            assert name in data_charts.TABLES, (path.name, name)


def test_json_loads_as_the_csv(data, tables):
    found = json.loads((data / "data.json").read_text())
    names = {name for name in tables if not name.startswith("changes")}
    assert {k for k, v in found.items() if isinstance(v, dict)} == names - {"heap_map"}
    for name in names - {"heap_map"}:
        header, rows = tables[name]
        assert found[name]["columns"] == header and len(found[name]["data"]) == len(rows)
        for ours, theirs in zip(found[name]["data"], rows):
            assert [data_files.cell(v) for v in ours] == theirs, name


def test_the_heap_map_is_exactly_what_is_drawn(results, tables):
    """Rectangles put together again are the map, cell by cell."""
    header, rows = tables["heap_map"]
    exact = 0
    for path in (results / "snapshots").glob("*.heap"):
        tape, allocator = path.name.split(".")[:2]
        drawn = heap_story.read(path).heap_map
        if numpy.count_nonzero(data_heap.begins(drawn) & (drawn.resident > 0)) > data_heap.RECTANGLES:
            continue
        exact += 1
        operations = drawn.operation.tolist()
        resident, live = ([[0] * len(operations) for _ in drawn.resident] for _ in range(2))
        for row in rows:
            one = dict(zip(header, row))
            if (one["tape"], one["allocator"]) != (tape, allocator):
                continue
            offset, first, last = (int(one[k]) for k in ("offset_bytes", "first_operation", "last_operation"))
            band = offset // drawn.band
            assert int(one["until_operation"]) == operations[min(operations.index(last) + 1, len(operations) - 1)]
            assert int(one["address"]) == drawn.edges[band] and int(one["band_bytes"]) <= drawn.band
            for at in range(operations.index(first), operations.index(last) + 1):
                resident[band][at], live[band][at] = int(one["resident_bytes"]), int(one["live_bytes"])
        assert resident == drawn.resident.tolist() and live == drawn.live.tolist()
    assert exact


def test_occupancy_is_what_blame_counts(results, tables):
    """Two programs look at the same pages, the report's in Python and blame in C: bounds of the table against its own words."""
    header, rows = tables["page_occupancy"]
    table = [dict(zip(header, row)) for row in rows]
    told = list((results / "snapshots").glob("*.*.peak*.json")) + list((results / "snapshots").glob("*.*.end*.json"))
    assert len(told) >= 8
    for path in told:
        blame = json.loads(path.read_text())
        moment = path.name.split(".")[-2].split("-")[0]
        own = [r for r in table if r["allocator"] == path.name.split(".")[-3] and path.name.startswith(f"{r['tape']}.")
               and r["moment"] == moment and int(r["page_bytes"]) == blame["page_bytes"]]  # fmt: skip
        assert {int(r["operation"]) for r in own} == {blame["operation"]}

        def below(limit):
            return sum(int(r["resident_bytes"]) for r in own if float(r["occupancy_high"] or 0) <= limit)

        assert below(0) == blame["empty_bytes"] and below(1) == blame["resident_pages_bytes"]
        assert below(0.10) / below(1) == pytest.approx(blame["under_10_percent_share"], abs=1e-6)
        assert below(0.25) / below(1) == pytest.approx(blame["under_25_percent_share"], abs=1e-6)
        assert all(float(a["occupancy_high"] or 0) == float(b["occupancy_low"]) for a, b in zip(own, own[1:]))


def test_a_restless_heap_map_stays_small(monkeypatch):
    """Too many rectangles: bands are put together, and no byte is lost."""
    chance = numpy.random.default_rng(1)
    resident = chance.integers(1, 3, (65, 20)) * 4096
    edges = numpy.arange(66) * 8192
    drawn = heap_story.HeapMap(numpy.arange(20.0), edges, 8192, 65 * 8192, resident, resident // 2)
    monkeypatch.setattr(data_heap, "RECTANGLES", 400)
    rows = list(data_heap.rectangles(drawn))
    assert 100 < len(rows) <= 400 and rows[0][2] == 4 * 8192
    assert sum(r[6] * (r[4] - r[3] + 1) for r in rows) == resident.sum()
    assert sum(r[2] for r in rows if r[3] <= 0 <= r[4]) == drawn.size


def test_scaling_by_hand(heaptape, tmp_path):
    """libc takes 30 ns on one thread and on two: 33.3 million operations a second."""
    made = make(tmp_path, tapes=(("one", "p"), ("two", "p")), allocators=("libc", "null"), points=10)
    made["tapes"][1]["lanes"] = 2
    (tmp_path / "results.json").write_text(json.dumps(made))
    assert heaptape("report", tmp_path, "--format=data").returncode == 0
    with (tmp_path / "data" / "scaling.csv").open() as source:
        rows = list(csv.DictReader(source))
    assert [(r["threads"], r["tape"]) for r in rows] == [("1", "one"), ("2", "two")]
    assert all(round(float(r["operations_per_second"])) == 33333333 and r["relative_to_fewest_threads"] == "1" for r in rows)
    assert float(rows[0]["operations_per_second_low"]) == pytest.approx(1e9 / 30.6)


def test_the_same_with_charts_and_without(heaptape, results, data, tmp_path):
    """With charts the tables of the heap come from the processes that draw."""
    assert heaptape("report", results, "--format=data", "-o", tmp_path).returncode == 0
    names = {path.name for path in (tmp_path / "data").iterdir()}
    assert names == {path.name for path in data.iterdir()} and "heap_map.csv" in names
    assert all((tmp_path / "data" / name).read_bytes() == (data / name).read_bytes() for name in names)


def test_what_is_kept_is_read_again_when_it_has_changed(tmp_path):
    make(tmp_path, points=10)
    tape = load(tmp_path).tapes[0]
    tape = dataclasses.replace(tape, rows=tuple(dataclasses.replace(row, snapshots="s") for row in tape.rows))
    (tmp_path / "s").write_text("one")
    look = kept.Kept(lambda folder, tape: (folder / "s").read_text())
    assert [look(tmp_path, tape), look(tmp_path, tape)] == ["one", "one"]
    (tmp_path / "s").write_text("other")
    assert look(tmp_path, tape) == "other"


def test_what_has_no_rows_now_is_removed(heaptape, tmp_path):
    make(tmp_path, points=10)
    (tmp_path / "data").mkdir()
    for name in ("heap_map.csv", "changes.csv", "mine.csv"):
        (tmp_path / "data" / name).write_text("old\n")
    assert heaptape("report", tmp_path, "--format=data").returncode == 0
    left = {path.name for path in (tmp_path / "data").glob("*.csv")}
    assert "heap_map.csv" not in left and {"changes.csv", "mine.csv", "summary.csv"} <= left


def test_the_page_leads_to_the_tables(heaptape, tmp_path):
    make(tmp_path, points=10)
    assert heaptape("report", tmp_path, "--format=html,data").returncode == 0
    page = (tmp_path / "report.html").read_text()
    links = set(re.findall('href="(data/[^"]*)"', page))
    assert "data/series.csv" in links and all((tmp_path / link).is_file() for link in links)
    assert heaptape("report", tmp_path, "--format=html").returncode == 0
    assert 'href="data/' not in (tmp_path / "report.html").read_text()


HOSTILE = {
    "=1+1": "'=1+1", "+x": "'+x", "-1": "'-1", "@SUM(1)": "'@SUM(1)", "2024-01-05": "'2024-01-05", "007": "'007", "1e5": "'1e5",
    "NA": "'NA", "None": "'None", "null": "'null", "TRUE": "'TRUE", "a,\"b\nc": "a,\"b\nc", "naïve ☃": "naïve ☃", "7zip": "7zip",
    "\x07bell\r": "\ufffdbell\ufffd", "\ud800half": "\ufffdhalf", "nan": "'nan", "Inf": "'Inf", "17 to 32 B": "17 to 32 B", "/bin/sh": "/bin/sh",
}  # fmt: skip


def test_names_are_text_to_all(heaptape, tmp_path):
    make(tmp_path, tapes=tuple((f"t{i}", "p") for i in range(len(HOSTILE))), allocators=("libc", "null"), points=5, latency=True)
    text = (tmp_path / "results.json").read_text()
    for i, name in reversed(list(enumerate(HOSTILE))):
        text = text.replace(f'"t{i}"', json.dumps(name))
    (tmp_path / "results.json").write_text(text)
    made = heaptape("report", tmp_path, "--format=data")
    assert made.returncode == 0, made.stderr
    with (tmp_path / "data" / "summary.csv").open(newline="", encoding="utf-8") as source:
        assert [r["tape"] for r in csv.DictReader(source)] == list(HOSTILE.values())
    found = json.loads((tmp_path / "data" / "data.json").read_text())["summary"]
    assert [row[0] for row in found["data"]][:10] == list(HOSTILE)[:10], "in JSON a name stands as it is"
    with (tmp_path / "data" / "latency.csv").open(newline="", encoding="utf-8") as source:
        assert {r["allocator"] for r in csv.DictReader(source)} == {"libc", "floor"}


PANDAS = """
import glob, json, pathlib, sys, pandas
texts, truths = set(sys.argv[2].split()), set(sys.argv[3].split())
for path in glob.glob(sys.argv[1] + "/*.csv"):
    table = pandas.read_csv(path)
    for column, kind in table.dtypes.items():
        unknown = table[column].isna()
        if column in texts:
            assert kind == object and not unknown.any() or unknown.all() or column.endswith(("verdict", "detail")), (path, column, kind)
        else:
            assert kind.kind in ("b" if column in truths else "if"), (path, column, kind)
for name, value in json.load(open(sys.argv[1] + "/data.json")).items():
    if isinstance(value, dict):
        table = pandas.DataFrame(**value)
        same = pandas.read_csv(f"{sys.argv[1]}/{name}.csv")
        numbers = [c for c in table if c not in texts]
        numbers = [c for c in numbers if not same[c].isna().all()]
        assert (table[numbers].dtypes == same[numbers].dtypes).all(), name
        pandas.testing.assert_frame_equal(table[numbers], same[numbers], rtol=1e-12, atol=0)
print("loaded")
"""


def python_with_pandas():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import pandas"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_pandas_loads_them(data):
    python = python_with_pandas() or pytest.skip("no pandas")
    ran = subprocess.run([python, "-c", PANDAS, data, " ".join(TEXTS), " ".join(TRUTHS)], capture_output=True, text=True, check=False)
    assert ran.stdout == "loaded\n", ran.stderr


R = """
given <- commandArgs(TRUE); texts <- strsplit(given[2], " ")[[1]]; truths <- strsplit(given[3], " ")[[1]]
for (path in Sys.glob(file.path(given[1], "*.csv"))) {
  table <- read.csv(path)
  for (column in names(table)) {
    kind <- class(table[[column]]); none <- all(is.na(table[[column]]))
    fits <- if (column %in% texts) none || kind == "character" else if (column %in% truths) kind == "logical" else none || kind %in% c("integer", "numeric")
    if (!fits) stop(paste(path, column, kind))
  }
}
cat("loaded\\n")
"""


@pytest.mark.skipif(not shutil.which("Rscript"), reason="no R")
def test_r_loads_them(data):
    ran = subprocess.run(
        ["Rscript", "-e", R, data, " ".join(TEXTS), " ".join(TRUTHS)], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "loaded\n", ran.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool")
def test_promtool_has_nothing_to_say(data):
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=(data / "summary.prom").read_text(), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 and ran.stdout + ran.stderr == ""
