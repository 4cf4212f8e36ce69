"""What a results folder may look like, and the sentence for each that cannot be used."""

import json

import pytest

import report_path  # noqa: F401
from make_results import EVERY, KINDS, make
from report.fields import ResultsError
from report.results import load


def edit(folder, change):
    path = folder / "results.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.fixture
def folder(tmp_path):
    make(tmp_path / "r", allocators=("libc", "mimalloc", "null"), points=20)
    return tmp_path / "r"


def refused(folder) -> str:
    with pytest.raises(ResultsError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message and message
    return message


def test_a_sound_folder(folder):
    results = load(folder)
    assert [t.name for t in results.tapes] == ["tape-a"]
    rows = results.tapes[0].rows
    assert [r.allocator for r in rows] == ["libc", "mimalloc"], "the floor is no row"
    assert rows[1].relative_time.median == pytest.approx(0.69)
    assert len(rows[1].series.held) == 20
    assert len(rows[1].ns_rounds) == 5
    assert results.tapes[0].floor_ns == 4.0
    assert results.gaps == ()


def test_no_folder(tmp_path):
    assert "no such folder" in refused(tmp_path / "none")


def test_a_file_instead(tmp_path):
    (tmp_path / "f").write_text("")
    assert "not a folder" in refused(tmp_path / "f")


def test_an_empty_folder(tmp_path):
    message = refused(tmp_path)
    assert "no results.json" in message and "heaptape bench" in message


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_torn_file(folder, keep):
    path = folder / "results.json"
    path.write_bytes(path.read_bytes()[:keep])
    assert "torn" in refused(folder)


def test_bytes_that_are_no_text(folder):
    (folder / "results.json").write_bytes(b"\xff\xfe\x00{}")
    assert "cannot read" in refused(folder)


def test_deep_nesting(folder):
    (folder / "results.json").write_text("[" * 200_000)
    refused(folder)


@pytest.mark.parametrize("text", ["[]", "1", "null", "{}", '"x"'])
def test_json_of_something_else(folder, text):
    (folder / "results.json").write_text(text)
    assert "schema_version" in refused(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version(folder, version):
    edit(folder, lambda v: v.update(schema_version=version))
    assert "schema_version" in refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(summary=[]),
        lambda v: v.update(summary=None),
        lambda v: v.update(summary="x"),
        lambda v: v.update(summary=[1]),
        lambda v: v.update(machine=[]),
        lambda v: v["summary"][0].update(ns_per_operation=3),
        lambda v: v["summary"][0]["ns_per_operation"].update(median="fast"),
        lambda v: v["summary"][0]["ns_per_operation"].update(median=float("nan")),
        lambda v: v["summary"][0].update(tape=7),
        lambda v: v["runs"].append([]),
        lambda v: v.update(command="x"),
    ],
)
def test_wrong_types(folder, change):
    edit(folder, change)
    refused(folder)


def test_missing_series_are_told_not_fatal(folder):
    (folder / "series" / "tape-a.mimalloc.csv").unlink()
    (folder / "series" / "tape-a.sizes.csv").write_text("a,b\n1,2\n")
    (folder / "series" / "tape-a.libc.csv").write_text(
        "operation,time_seconds,requested_bytes,usable_bytes,held_bytes,resident_bytes\n1,x,3,4,5,6\n"
    )
    results = load(folder)
    assert all(r.series is None for r in results.tapes[0].rows)
    assert results.tapes[0].sizes is None
    assert len(results.gaps) == 3


def test_series_outside_the_folder_are_not_read(folder, tmp_path):
    (tmp_path / "secret.csv").write_text((folder / "series" / "tape-a.libc.csv").read_text())
    edit(folder, lambda v: v["summary"][0].update(series_csv="../secret.csv"))
    results = load(folder)
    assert results.tapes[0].rows[0].series is None
    assert "outside" in results.gaps[0]


def test_empty_cells_are_unknown(folder):
    path = folder / "series" / "tape-a.libc.csv"
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[4] = ""
    lines[3] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    held = load(folder).tapes[0].rows[0].series.held
    assert held[2] != held[2] and held[3] == held[3]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_fixture_loads(tmp_path, kind):
    make(tmp_path, **{**KINDS[kind], "points": 10})
    assert load(tmp_path).tapes


def test_failures_are_rows_without_figures(tmp_path):
    make(tmp_path, allocators=EVERY, failures={(None, "tcmalloc"): ("crashed", "SIGSEGV")}, points=10)
    row = next(r for r in load(tmp_path).tapes[0].rows if r.allocator == "tcmalloc")
    assert row.ns is None and row.series is None and row.failure == "crashed: SIGSEGV"
