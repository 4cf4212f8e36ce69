"""Where the memory goes and what is said of it, against numbers worked out by hand."""

import csv
import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy
import pytest

import report_path  # noqa: F401
from make_results import make
from report import why
from report.results import Series, load
from report.waste import split

KIB = 1024
JOB = pathlib.Path(__file__).parents[2] / "analysis/gnuplot/job.py"


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def row_with(row, requested, usable, held, resident, startup):
    """A row whose series has these at its second point, where P is highest, and less before and after."""
    columns = [[v // 2, v, v // 4] for v in (requested, usable, held, resident)]
    series = Series(numpy.array([0.0, 1, 2]), numpy.array([0.0, 1, 2]), *(numpy.array(c, dtype=float) for c in columns))
    return dataclasses.replace(row, series=series, startup_resident=float(startup), held_known=True)


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    make(folder, allocators=("libc", "mimalloc", "null"), points=10)
    return load(folder).tapes[0]


def test_the_split_adds_up(tape):
    found = split(row_with(tape.rows[0], 100 * KIB, 110 * KIB, 200 * KIB, 160 * KIB, 20 * KIB))
    assert (found.requested, found.rounding, found.between) == (100 * KIB, 10 * KIB, 50 * KIB)
    assert found.startup == 20 * KIB and found.unreturned == 40 * KIB and found.resident == 180 * KIB


@pytest.mark.parametrize("column, cells", [
    (None, None), ("usable_bytes", ["", 5, 6]), ("resident_bytes", ["", None, None]), ("held_bytes", ["", "", ""]),
    ("requested_bytes", ["", None]),
])
def test_gnuplot_draws_the_same_split(tmp_path, column, cells):
    """The chart in the terminal has its own reading of the series, without numpy: the same parts, whatever cells are empty."""
    make(tmp_path, allocators=("libc", "tbbmalloc", "null"), points=60)
    for path in tmp_path.rglob("*.csv") if column else ():
        with path.open(newline="") as source:
            header, *rows = csv.reader(source)
        if column in header and "operation" in header:
            at = header.index(column)
            for i, row in enumerate(rows):
                cell = cells[i % len(cells)]
                row[at] = row[at] if cell is None else cell
            with path.open("w", newline="") as target:
                csv.writer(target).writerows([header, *rows])
    results = load(tmp_path)
    name = results.tapes[0].name
    (tmp_path / "job").mkdir()
    done = subprocess.run([sys.executable, JOB, tmp_path, "waste", name, tmp_path / "job"], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    table = tmp_path / "job/waste.csv"
    drawn = {r["allocator"]: r for r in csv.DictReader(table.open())} if table.exists() else {}
    for row in results.tapes[0].rows:
        found = split(row) if row.ok else None
        assert (found is not None) == (row.allocator in drawn), row.allocator
        for part in ("requested", "rounding", "between", "startup", "unreturned") if found else ():
            cell, value = drawn[row.allocator][part], getattr(found, part)
            assert value == (float(cell) if cell else None), (row.allocator, part)
    assert drawn or column in ("usable_bytes", "requested_bytes"), "not known where P is highest"


def test_metadata_is_part_of_what_is_free_or_was_there(tape):
    """It bounds the tables' share of those two parts, whatever the allocator tells."""
    row = row_with(tape.rows[0], 100 * KIB, 110 * KIB, 200 * KIB, 160 * KIB, 20 * KIB)
    assert split(row).metadata is None
    assert split(dataclasses.replace(row, metadata=30.0 * KIB)).metadata == 30 * KIB
    assert split(dataclasses.replace(row, metadata=900.0 * KIB)).metadata == 70 * KIB


def test_a_peak_that_creeps_up_while_blocks_are_freed(tape):
    """P is highest at the end by half a percent, R far before: the split is of the moment at which P got there."""
    found = split(run_with(tape.rows[0], [0, 80, 100, 20], [0, 150, 199, 200]))
    assert (found.requested, found.between) == (100 * KIB, 99 * KIB)


def test_less_resident_than_asked_for(tape):
    """Blocks that were never touched: nothing is negative, and the sum is what is resident."""
    found = split(row_with(tape.rows[0], 100 * KIB, 110 * KIB, 200 * KIB, 60 * KIB, 0))
    assert (found.requested, found.rounding, found.between, found.resident) == (60 * KIB, 0, 0, 60 * KIB)


def test_a_difference_is_told_by_its_parts(tape):
    base = split(row_with(tape.rows[0], 100 * KIB, 101 * KIB, 200 * KIB, 120 * KIB, 14 * KIB))
    own = split(row_with(tape.rows[0], 100 * KIB, 111 * KIB, 400 * KIB, 220 * KIB, 4 * KIB))
    assert plain(why.memory_words(own, base)) == (
        "224 KiB at its highest, 90.0 KiB more than libc: 90.0 KiB in free and cached blocks and its own tables, "
        "10.0 KiB in sizes rounded up, but 10.0 KiB less there before the first call"
    )
    lean = split(row_with(tape.rows[0], 100 * KIB, 109 * KIB, 150 * KIB, 111 * KIB, 4 * KIB))
    assert plain(why.memory_words(lean, base)) == (
        "115 KiB at its highest, 19.0 KiB less than libc: 17.0 KiB in free and cached blocks and its own tables, "
        "10.0 KiB there before the first call, but 8.00 KiB more in sizes rounded up"
    )
    assert plain(why.memory_words(base, base)) == (
        "134 KiB at its highest: 100 KiB asked for, 1.00 KiB in sizes rounded up, 19.0 KiB in free and cached blocks and its own "
        "tables, 14.0 KiB there before the first call"
    )
    assert plain(why.memory_words(base, base)) == plain(why.memory_words(base, None))
    assert plain(why.memory_words(base, split(row_with(tape.rows[0], 100 * KIB, 101 * KIB, 200 * KIB, 120 * KIB, 14 * KIB)))).endswith("as much as libc")


def run_with(row, requested, resident):
    """A row whose series has these R and P, a point every ten operations."""
    columns = [numpy.array([KIB * v for v in values], dtype=float) for values in (requested, requested, resident, resident)]
    operations = numpy.arange(len(requested)) * 10.0
    return dataclasses.replace(row, series=Series(operations, operations, *columns))


def test_when_the_waste_happened(tape):
    """By hand: 60 KiB are idle at 3 of 5 steps, 10 at the highest; at the end 100 KiB stay for 30."""
    words = plain(why.when_words(run_with(tape.rows[0], [0, 50, 100, 60, 40, 30], [0, 60, 110, 120, 100, 100])))
    assert words == "at the end 100 KiB are resident for 30.0 KiB asked for", "60 KiB idle at the highest, as much as ever but for 10 KiB"
    words = plain(why.when_words(run_with(tape.rows[0], [0, 100, 120, 40, 90, 90], [0, 110, 130, 120, 100, 100])))
    assert words == "most lies idle 60 % through the run: 120 KiB resident for 40.0 KiB asked for"
    tidied = run_with(tape.rows[0], [0, 100, 99, 60, 20, 0], [0, 110, 110, 110, 110, 110])
    assert why.when_words(tidied) == "", "a program that freed all at its end"
    rests = run_with(tape.rows[0], [0, 100, 1, 1, 1, 1], [0, 110, 100, 90, 80, 80])
    assert plain(why.when_words(rests)) == (
        "next to nothing is live for the last 60 % of the run, and at the end 80.0 KiB are resident for 1.00 KiB asked for"
    ), "a service after its peak has not tidied up"
    spike = plain(why.when_words(run_with(tape.rows[0], [0, 100, 30, 40, 20, 0], [0, 110, 110, 110, 110, 110])))
    assert spike == "most lies idle 40 % through the run: 110 KiB resident for 30.0 KiB asked for"


def test_how_near_the_leanest_comes(tape):
    """libc's peak is 30.7 MiB here."""
    peak = tape.rows[0].peak_resident.median
    words = plain(why.about(dataclasses.replace(tape, facts={"peak_live_bytes": int(peak / 1.25), "live_at_end_bytes": 10})))
    assert "through the run; 10 B at the end" in words
    assert words.endswith(f"The leanest here, {tape.rows[0].allocator}, takes 30.7 MiB, 25 % more than was live.")


def blame_file(folder, row, empty, sparse, groups):
    row = dataclasses.replace(row, snapshots="x.heap")
    said = {"requested_bytes": 10**9, "resident_pages_bytes": 100000, "empty_bytes": empty, "sparse_bytes": sparse, "groups": groups}
    (folder / "x.peak.json").write_text(json.dumps(said))
    return row


def test_the_pages_and_who_pins_them(tape, tmp_path):
    group = {"by": "site", "name": "cache_put < main", "gone_bytes": 1, "moved_bytes": 1, "share_bytes": 6000, "sparse_live_bytes": 1,
             "sparse_blocks": 1}
    row = blame_file(tmp_path, tape.rows[0], 5120, 8192, [group])
    assert plain(why.pages_words(tmp_path, row)) == (
        "5.00 KiB of it on pages without a block (its tables among them); 8.00 KiB on pages that are less than a quarter full, "
        "73 % of them by cache_put"
    )
    assert why.pages_words(tmp_path, blame_file(tmp_path, tape.rows[0], 100, 100, [group])) == ""
    said = json.loads((tmp_path / "x.peak.json").read_text()) | {"requested_bytes": 1, "empty_bytes": 50000}
    (tmp_path / "x.peak.json").write_text(json.dumps(said))
    assert why.pages_words(tmp_path, row) == "", "of another moment"
    (tmp_path / "x.peak.json").write_text('{"groups": []')
    assert why.pages_words(tmp_path, row) == ""


def test_reasons_of_a_tape_and_of_all(tape, tmp_path):
    found = why.of_tape(tape)
    assert [r.allocator for r in found] == ["mimalloc", "libc"]
    assert " more than libc: " in found[0].memory
    make(tmp_path, tapes=(("a", "p"), ("b", "q")), allocators=("libc", "mimalloc", "null"), points=10)
    overall = why.overall(load(tmp_path), ["mimalloc", "libc"])
    assert len(overall) == 1 and "on 2 tapes" in overall[0].memory


def test_size_classes_by_hand(tmp_path):
    """Three live blocks at the peak in classes of 16 and 32; a class of 48 was seen at another moment."""
    from report.charts_classes import by_size, edges_to
    from report.size_classes import merged, of_blocks

    seen, least = merged([numpy.array([16, 32]), numpy.array([32, 48])], [numpy.array([10, 20]), numpy.array([17, 33])])
    assert seen.tolist() == [16, 32, 48] and least.tolist() == [10, 17, 33]
    classes = of_blocks(numpy.array([10.0, 20, 25]), numpy.array([16, 32, 32]), seen, least)
    assert classes.blocks.tolist() == [1, 2, 0] and classes.wasted.tolist() == [6, 19, 0]
    lost, blocks, asked = by_size(classes, edges_to(100))
    assert lost[1] == 6 and lost[2] == 19 and blocks.sum() == 3 and asked.sum() == 55
