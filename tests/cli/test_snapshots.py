"""Snapshots of the heap: what is in them is the replay's live set to the byte, whichever allocator, lanes and
windows; they show nothing of the engine's; damaged files are told."""

import json
import pathlib
import re
import struct
import subprocess
import sys
import tracemalloc

import pytest

from conftest import BUILD, ROOT
from test_memory import ALLOCATORS, MAKE_TAPE, run_engine

sys.path.insert(0, str(ROOT / "analysis"))

import numpy  # noqa: E402
from report import heap_pages, heap_story, snapshots  # noqa: E402

KEEP = [name for name in ALLOCATORS if name != "null"]
TAPES = {"one lane": ("60000", "900", "1", "0"), "three lanes": ("60000", "900", "3", "20")}


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tapes")
    made = {}
    for name, how in TAPES.items():
        made[name] = folder / f"{name.replace(' ', '-')}.tape"
        subprocess.run([MAKE_TAPE, made[name], *how], check=True, capture_output=True)
    return made


def events_of(tape) -> list[dict]:
    """The tape's events, by heaptape trace dump."""
    import csv

    text = subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "dump", "--format=csv", tape], check=True,
                          capture_output=True, text=True).stdout
    return list(csv.DictReader(text.splitlines()))


def live_after(events, event) -> dict[int, tuple[int, int]]:
    """Birth event: (lane, size) of the objects that are live after the event; by the tape alone."""
    born: dict[str, list] = {}
    for at, row in enumerate(events[: event + 1]):
        kind, thing = row["kind"], row["object"]
        if kind in ("malloc", "calloc", "aligned_alloc", "realloc(NULL)"):
            born[thing] = [at, int(row["lane"]), int(row["size_bytes"])]
        elif kind == "realloc":
            born[thing][2] = int(row["size_bytes"])
        elif kind in ("free", "realloc(p,0)") and thing in born:
            del born[thing]
    return {birth: (lane, size) for birth, lane, size in born.values()}


def replayed(heaptape, tape, out, *options):
    result = heaptape("replay", tape, f"--snapshots={out}", *options)
    assert result.returncode == 0, result.stderr
    return list(snapshots.read(out))


@pytest.mark.parametrize("tape", TAPES)
@pytest.mark.parametrize("name", KEEP)
def test_a_snapshot_is_the_live_set(heaptape, tapes, tmp_path, name, tape):
    """Every live object of the tape, with its size, its lane and its birth, and nothing else."""
    events = events_of(tapes[tape])
    found = replayed(heaptape, tapes[tape], tmp_path / "x.heap", "-a", name)
    assert len(found) >= 8
    for one in found:
        event = len(events) - 1 if one.event == (1 << 64) - 1 else one.event
        expected = live_after(events, event)
        assert {int(b): (int(l), int(r)) for b, l, r in zip(one.birth, one.lane, one.requested)} == expected
        assert int(one.requested.sum()) == one.requested_bytes == sum(size for _, size in expected.values())
        assert int(one.usable.sum()) == one.usable_bytes
        # No two live blocks share a byte, and each lies in the allocator's mappings.
        ends = one.address + one.requested
        assert (ends[:-1] <= one.address[1:]).all()
        where = one.mappings[:, 0].searchsorted(one.address, side="right") - 1
        assert (where >= 0).all() and (ends <= one.mappings[where, 1]).all()
    kinds = [one.kinds for one in found]
    assert sum(bool(kind & snapshots.PEAK_REQUESTED) for kind in kinds) == 1
    assert sum(bool(kind & snapshots.PEAK_RESIDENT) for kind in kinds) == 1
    assert [bool(kind & snapshots.END) for kind in kinds] == [False] * (len(kinds) - 1) + [True]
    peak = max(found, key=lambda one: one.requested_bytes)
    assert peak.kinds & snapshots.PEAK_REQUESTED


@pytest.mark.parametrize("name", ALLOCATORS)
def test_resident_pages_are_those_of_the_allocator(heaptape, tapes, tmp_path, name):
    """The runs' pages are P and what was there before; pages of touched blocks are in them."""
    found = replayed(heaptape, tapes["one lane"], tmp_path / "x.heap", "-a", name)
    for one in found:
        pages = int((one.runs[:, 1] - one.runs[:, 0]).sum())
        assert one.resident_bytes <= pages <= one.resident_bytes + (6 << 20)
        assert (one.runs[:-1, 1] <= one.runs[1:, 0]).all()
        large = one.requested > 0
        where = one.runs[:, 0].searchsorted(one.address[large], side="right") - 1
        assert (where >= 0).all() and (one.address[large] < one.runs[where, 1]).all()


def test_windows_and_what_they_cost(tapes, tmp_path):
    """Window by window the same as in one; the snapshots' time is told and in the sampling's."""
    with (tmp_path / "raw").open("w+b") as raw:
        command = [BUILD / "libexec/heaptape/heaptape-engine", "--tape", tapes["one lane"], "--mode=memory",
                   "--plan-memory=256k", f"--snapshots-fd={raw.fileno()}", "--print"]
        result = subprocess.run(command, pass_fds=[raw.fileno()], capture_output=True, text=True, check=True)
        values = dict(line.split() for line in result.stdout.splitlines())
        raw.seek(0)
        head = struct.unpack("<QQQQQII10Q", raw.read(128))
    assert head[0] == 0x31504E5350415448
    assert int(values["snapshots"]) >= 9
    assert 0 < int(values["snapshot_ns"]) < int(values["sampling_ns"])
    # The series is what it is without snapshots.
    plain, _ = run_engine(tapes["one lane"])
    assert int(values["peak_requested_bytes"]) == plain["peak_requested_bytes"]
    assert abs(int(values["peak_resident_bytes"]) - plain["peak_resident_bytes"]) <= 64 << 10


def test_bench_names_its_snapshots(heaptape, tapes, tmp_path):
    out = tmp_path / "results"
    result = heaptape("bench", tapes["one lane"], "-a", "htmalloc", "-n", 2, "--snapshots", "-o", out)
    assert result.returncode == 0, result.stderr
    rows = json.loads((out / "results.json").read_text())["summary"]
    for row in rows:
        if row["is_floor"]:
            assert row["snapshots"] is None
        else:
            assert len(list(snapshots.read(out / row["snapshots"]))) >= 8
    result = heaptape("bench", tapes["one lane"], "-a", "htmalloc", "-n", 1, "-o", out)
    assert result.returncode == 0, result.stderr
    assert not (out / "snapshots").exists()
    assert all(row["snapshots"] is None for row in json.loads((out / "results.json").read_text())["summary"])


def test_the_heap_map_by_hand():
    """Two runs of 8 KiB with a gap of a megabyte: four bands of a page; half of the second and all of the third live."""
    union = heap_pages.merged(numpy.array([[0x200000, 0x202000], [0x100000, 0x101000], [0x100800, 0x102000]]))
    assert union.tolist() == [[0x100000, 0x102000], [0x200000, 0x202000]]
    edges, band = heap_story.band_edges(union, heap_story.pages_of_band(union, 4))
    assert band == 4096 and len(edges) == 5
    assert edges.tolist()[:2] == [0x100000, 0x101000] and edges.tolist()[3:] == [0x201000, 0x202000]
    live = heap_pages.below(edges, numpy.array([0x101000, 0x200000]), numpy.array([2048, 4096]))
    assert numpy.diff(live).tolist() == [0, 2048, 4096, 0]
    # Bands are whole pages: two each where there is room for three, the last of one page where they are three.
    assert numpy.diff(heap_story.band_edges(union, heap_story.pages_of_band(union, 3))[0]).tolist() == [8192 + 0xFE000, 8192]
    assert heap_story.band_edges(union[:1], heap_story.pages_of_band(union[:1], 3))[1] == 4096
    assert heap_pages.common(union, numpy.array([[0, 0x100800], [0x101800, 0x200100], [0x201000, 0x300000]])).tolist() == [
        [0x100000, 0x100800], [0x101800, 0x102000], [0x200000, 0x200100], [0x201000, 0x202000]]


def heap_by_hand():
    """Pages P0 to P4 resident, P5 not; as tests/unit/analysis_blame_test.c has it."""
    def page(n):
        return 0x100000 + n * 4096

    u64 = numpy.uint64
    return snapshots.Snapshot(
        0, 0, 0, 0, 0, 0, 0, 0,
        mappings=numpy.array([[page(0), page(6), 3], [page(8), page(9), 19], [page(9), page(10), 1]], dtype=u64),
        runs=numpy.array([[page(0), page(2), 0], [page(2), page(5), 0], [page(8), page(10), 0]], dtype=u64),
        address=numpy.array([page(0), page(0) + 2048, page(1), page(2) + 96, page(5) - 200], dtype=u64),
        requested=numpy.array([100, 100, 3000, 16, 5000], dtype=u64),
        usable=numpy.array([104, 104, 3000, 16, 5000], dtype=u64),
        birth=numpy.zeros(5, dtype=numpy.int64), lane=numpy.zeros(5, dtype=u64))


def test_pages_and_free_runs_by_hand():
    one = heap_by_hand()
    assert heap_pages.stretches(one).tolist() == [[0x100000, 0x105000]]
    pages = heap_pages.small_pages(one)
    assert pages.live.tolist() == [200, 3000, 16, 0, 200] and pages.held.tolist() == [208, 3000, 16, 0, 200]
    # Without a block, under 10, 25, 50, 75 %, and more.
    assert heap_pages.by_occupancy(pages).tolist() == [4096, 3 * 4096, 0, 0, 4096, 0]
    huge = heap_pages.huge_pages(pages)
    assert (huge.resident.tolist(), huge.live.tolist()) == ([5 * 4096], [3416])
    assert heap_pages.by_occupancy(huge).tolist() == [0, 0, 5 * 4096, 0, 0, 0]
    assert heap_pages.free_runs(one).tolist() == [1192, 1944, 1944, 11976]
    assert heap_story.parts_of(pages) == (3416, 1096, 3 * 4096 - 416, 4096)


@pytest.mark.parametrize("name", ["libc", "htmalloc", "tcmalloc"])
def test_pages_are_those_of_blame(heaptape, tapes, tmp_path, name):
    """The charts count in Python what heaptape blame counts in C: the same figures."""
    tape, heap = tapes["three lanes"], tmp_path / "x.heap"
    assert heaptape("replay", tape, "--memory", f"--snapshots={heap}", "-a", name).returncode == 0
    story = heap_story.read(heap)
    done = heaptape("blame", tape, f"--heap={heap}", "--at=end", "--by=lane", "--request=4096", "--format=json")
    found = json.loads(done.stdout)
    end = story.end
    assert (end.small.sum(), end.small[0]) == (found["resident_pages_bytes"], found["empty_bytes"])
    assert end.small[:2].sum() / end.small.sum() == pytest.approx(found["under_10_percent_share"], abs=1e-6)
    assert end.small[:3].sum() / end.small.sum() == pytest.approx(found["under_25_percent_share"], abs=1e-6)
    assert story.live[-1] == found["live_on_resident_bytes"]
    assert story.sparse_free[-1] == found["sparse_bytes"] - found["sparse_live_bytes"]
    assert (end.free.sum(), len(end.free), end.free[-1]) == (
        found["free_bytes"], found["free_runs"], found["largest_free_run_bytes"])
    assert end.free[end.free < 4096].sum() / end.free.sum() == pytest.approx(found["unusable_index"], abs=1e-6)
    drawn = story.heap_map
    assert drawn.live.sum(axis=0).tolist() == story.live.tolist()
    assert drawn.resident.sum(axis=0).tolist() == story.resident.tolist()
    assert end.huge.sum() == end.small.sum()


def test_the_report_draws_heap_maps(heaptape, tapes, tmp_path):
    out = tmp_path / "results"
    assert heaptape("bench", tapes["three lanes"], "-a", "libc", "-n", 1, "--snapshots", "-o", out).returncode == 0
    made = heaptape("report", out)
    assert made.returncode == 0, made.stderr
    page = (out / "report.html").read_text()
    assert "Heap map" in page
    data = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, re.S)[1])
    (anchor, heaps), = data["heaps"].items()
    assert f'data-heaps="{anchor}"' in page and [m["name"] for m in heaps["maps"]] == ["libc"]
    assert "class HeapMap" in page
    assert (out / "charts/three-lanes.heap_map.png").stat().st_size > 5000
    snapshot = next((out / "snapshots").glob("*.heap"))
    for name in ("resident_parts", "page_occupancy", "free_runs"):
        assert (out / f"charts/three-lanes.{name}.svg").stat().st_size > 5000
    found = heap_story.read(snapshot)
    assert 0 < numpy.nanmax(found.heap_map.occupancy) <= 1 and found.peak.small.sum() > 0
    # A torn file costs the map and nothing else.
    snapshot.write_bytes(snapshot.read_bytes()[:1000])
    made = heaptape("report", out, "-o", tmp_path / "torn")
    assert made.returncode == 0, made.stderr
    assert not list((tmp_path / "torn/charts").glob("*.heap_map.*"))


def test_damage_is_told(heaptape, tapes, tmp_path):
    path = tmp_path / "x.heap"
    replayed(heaptape, tapes["one lane"], path)
    good = path.read_bytes()
    for bad in (b"", b"x" * 64, good[:100], good[:-1], good[:300] + bytes([good[300] ^ 1]) + good[301:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError):
            list(snapshots.read(path))
    result = heaptape("replay", tapes["one lane"], "--snapshots=/nowhere/x.heap")
    assert result.returncode == 4
    assert len(result.stderr.splitlines()) == 1 and "/nowhere" in result.stderr


def test_a_claim_of_much_asks_for_no_memory(heaptape, tapes, tmp_path):
    """One flipped bit in a length must not make the reader ask for terabytes."""
    out = tmp_path / "x.heap"
    replayed(heaptape, tapes["one lane"], out, "--memory")
    data = bytearray(out.read_bytes())
    at = snapshots.HEAD.size + snapshots.ENTRY.size - 32 - 8  # the last figure of the first snapshot: bytes that follow
    for claimed in (1 << 33, 1 << 62):
        struct.pack_into("<Q", data, at, claimed)
        out.write_bytes(data)
        tracemalloc.start()
        with pytest.raises(ValueError, match="cut short"):
            list(snapshots.read(out))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("tape", TAPES)
def test_a_snapshot_where_it_is_asked_for(heaptape, tapes, tmp_path, tape):
    """After exactly that event, by a run for memory alone; what is left out with it is told."""
    events = events_of(tapes[tape])
    for asked in (0, 12345, len(events) - 1):
        found = replayed(heaptape, tapes[tape], tmp_path / "x.heap", "--memory", f"--snapshot-at={asked}")
        there = [one for one in found if one.kinds & snapshots.ASKED]
        assert [one.event for one in there] == [asked]
        expected = live_after(events, asked)
        assert {int(b): (int(l), int(r)) for b, l, r in zip(there[0].birth, there[0].lane, there[0].requested)} == expected
    beyond = heaptape("replay", tapes[tape], "--memory", f"--snapshots={tmp_path / 'x.heap'}", f"--snapshot-at={len(events)}")
    assert beyond.returncode == 2 and f"has {len(events)} events" in beyond.stderr
    wrong = heaptape("replay", tapes[tape], "--snapshot-at=5")
    assert wrong.returncode == 2 and "--snapshots" in wrong.stderr
