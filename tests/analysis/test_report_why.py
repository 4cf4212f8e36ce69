"""Where the memory goes and what is said of it, against numbers worked out by hand."""

import dataclasses

import numpy
import pytest

import report_path  # noqa: F401
from make_results import make
from report import why
from report.results import Series, load
from report.waste import split

KIB = 1024


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


def test_metadata_is_part_of_what_is_free_or_was_there(tape):
    """It bounds the tables' share of those two parts, whatever the allocator tells."""
    row = row_with(tape.rows[0], 100 * KIB, 110 * KIB, 200 * KIB, 160 * KIB, 20 * KIB)
    assert split(row).metadata is None
    assert split(dataclasses.replace(row, metadata=30.0 * KIB)).metadata == 30 * KIB
    assert split(dataclasses.replace(row, metadata=900.0 * KIB)).metadata == 70 * KIB


def test_less_resident_than_asked_for(tape):
    """Blocks that were never touched: nothing is negative, and the sum is what is resident."""
    found = split(row_with(tape.rows[0], 100 * KIB, 110 * KIB, 200 * KIB, 60 * KIB, 0))
    assert (found.requested, found.rounding, found.between, found.resident) == (60 * KIB, 0, 0, 60 * KIB)


def test_a_difference_is_told_by_its_parts(tape):
    base = split(row_with(tape.rows[0], 100 * KIB, 101 * KIB, 200 * KIB, 120 * KIB, 4 * KIB))
    own = split(row_with(tape.rows[0], 100 * KIB, 111 * KIB, 400 * KIB, 220 * KIB, 4 * KIB))
    words = plain(why.memory_words(own, base))
    assert words.startswith("100 KiB more than libc at the peak: 90.0 KiB more free and cached blocks")
    assert words.endswith("10.0 KiB more sizes rounded up") and "start" not in words
    assert why.memory_words(base, base).startswith(why.memory_words(base, None)[:10])


def test_reasons_of_a_tape_and_of_all(tape, tmp_path):
    found = why.of_tape(tape)
    assert [r.allocator for r in found] == ["mimalloc", "libc"]
    assert "more than libc at the peak" in found[0].memory
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
