"""make study: its arithmetic on figures small enough to check by hand, its tools against the replay, and all of it on one tape."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "analysis/study"))
import measures  # noqa: E402


def tool(name, *words, **options):
    return subprocess.run([BUILD / "tests" / name, *map(str, words)], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def small_tape(tmp_path, heaptape):
    """malloc 1, 16, 100; realloc the second to 17; free the third."""
    rep = tmp_path / "small.rep"
    rep.write_text("a 0 1\na 1 16\na 2 100\nr 1 17\nf 2\n")
    tape = tmp_path / "small.tape"
    assert heaptape("trace", "convert", "-o", tape, rep).returncode == 0
    return tape


def test_blocks_of_a_tape(small_tape):
    done = tool("tape_blocks", small_tape, input="0\n1\n2\n3\n4\n5\n")
    assert done.stdout.splitlines() == [
        "operation,requested_bytes,blocks,block_bytes_0,block_bytes_8,block_bytes_16",
        "0,0,0,0,0,0",
        "1,1,1,16,32,32",
        "2,17,2,32,64,64",  # 16 + 8 is 24, so 32; 16 + 16 is 32
        "3,117,3,144,176,192",  # 100: 112; 108 is 112; 116 is 128
        "4,118,3,160,176,208",  # 17: 32; 25 is 32; 33 is 48
        "5,18,2,48,64,80",
    ]
    assert tool("tape_blocks", small_tape, input="2\n").stdout.splitlines()[1:] == ["2,17,2,32,64,64"]
    assert tool("tape_blocks", ROOT / "README.md", input="1\n").returncode == 3


def test_measures_by_hand(tmp_path):
    (tmp_path / "s.csv").write_text("operation,requested_bytes,usable_bytes,held_bytes,resident_bytes\n"
                                    "0,0,0,4096,0\n10,1000,1100,4096,1\n20,4000,4100,8192,1\n40,100,200,8192,1\n")
    blocks = {at: {"requested_bytes": requested, "blocks": n, "block_bytes_16": own, "block_bytes_0": requested, "block_bytes_8": own}
              for at, requested, n, own in ((0, 0, 0, 0), (10, 1000, 10, 1280), (20, 4000, 40, 5120), (40, 100, 1, 128))}
    points = measures.read_points(tmp_path / "s.csv", blocks, 16, "held_bytes")
    assert [point.operation for point in points] == [10, 20, 40]
    assert points[0].bases == (1000, 1280, 1100 + 160)
    found = measures.measures(points, 50, 12288)
    over_time = (10 * (4096 / 1280 - 1) + 20 * (8192 / 5120 - 1) + 10 * (8192 / 128 - 1)) / 40
    assert found["net"]["mean_over_time"] == pytest.approx(over_time)
    assert found["gross"]["at_peak_requested"] == pytest.approx(8192 / 4000 - 1)
    assert found["gross"]["at_peak_held"] == pytest.approx(8192 / 4000 - 1)  # the first of the highest
    assert found["gross"]["max_over_max"] == pytest.approx(12288 / 4000 - 1)
    assert found["outside"]["max_over_max"] == pytest.approx(12288 / (4100 + 640) - 1)


def test_free_blocks_hold_what_the_replay_holds(tmp_path, heaptape):
    """The same tape in another process: the heap is as large, and the heap's parts add up."""
    tape = ROOT / "traces/corpus/cc1.tape"
    switches = {"TEXTBOOK_MMAP_THRESHOLD": "1G", "TEXTBOOK_GROWTH": "4k"}
    done = tool("free_blocks", tape, env={"TEXTBOOK_POLICY": "best-fit", **switches})
    rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(done.stdout.splitlines())]
    assert len(rows) > 190
    replay = subprocess.run([BUILD / "libexec/heaptape/heaptape-engine", "--mode=memory", "--print", "--tape", tape], text=True,
                            capture_output=True, env=dict(os.environ, LD_PRELOAD=f"{BUILD}/lib/heaptape/libbest-fit.so", **switches))
    figures = dict(line.split(None, 1) for line in replay.stdout.splitlines() if " " in line)
    assert rows[-1]["held_bytes"] == int(figures["call_brk_grow_bytes"])
    analyzed = json.loads(heaptape("analyze", "--format=json", tape).stdout)
    assert rows[-1]["used_blocks"] == analyzed["leaked_blocks"] > 0
    for row in rows:
        assert row["largest_free_bytes"] <= row["free_bytes"] < row["held_bytes"]
        assert row["free_whole_pages"] * 4096 <= row["free_bytes"] and row["splits"] <= row["allocations"] + row["used_blocks"]


def test_looks_by_hand(tmp_path):
    (tmp_path / "f.csv").write_text("event,used_blocks,free_blocks,free_whole_pages,allocations,splits,held_bytes,cpu_ns\n"
                                    "0,9,9,0,9,9,8192,5\n1,1,1,0,1,1,8192,6\n2,100,30,1,10,6,8192,7\n4,100,50,1,30,10,8192,400\n")
    found = measures.looks(tmp_path / "f.csv")
    assert found.free_per_used == pytest.approx(0.4) and found.split_share == pytest.approx(0.4) and found.predicted == pytest.approx(0.2)
    assert found.releasable_share == pytest.approx(0.25) and found.cpu_ns_per_event == 100


@pytest.mark.parametrize("sizes", ["uniform", "classes"])
def test_the_fifty_percent_rule(tmp_path, heaptape, sizes):
    """In balance there are p / 2 free blocks for each used one, p the share of requests for which none fitted exactly: within
    one in fifty, for every policy that merges at once."""
    tape = tmp_path / "steady.tape"
    assert heaptape("trace", "synth", "-o", tape, "--events=300k", "--live=3k", "--size=16..1024", f"--sizes={sizes}").returncode == 0
    for policy in ("first-fit", "first-fit-address", "next-fit", "best-fit-address", "segregated"):
        done = tool("free_blocks", tape, env={"TEXTBOOK_POLICY": policy, "TEXTBOOK_GROWTH": "4k"})
        (tmp_path / "f.csv").write_text(done.stdout)
        found = measures.looks(tmp_path / "f.csv")
        assert 0.05 < found.free_per_used < 0.5 and found.free_per_used == pytest.approx(found.predicted, rel=0.02), policy


@pytest.mark.skipif("avx2" not in pathlib.Path("/proc/cpuinfo").read_text(), reason="one of the ways needs AVX2")
def test_the_ways_to_find_the_best_fit_agree():
    found = [tool("find_best", way, "1000", "3000") for way in ("list", "array", "simd", "tree")]
    assert len({done.stdout for done in found}) == 1 and found[0].stdout.strip().isdigit()
    assert tool("find_best", "bins", "1000", "3000").returncode == 0 and tool("find_best", "bin", "1", "1").returncode == 2


def test_the_whole_study_on_one_tape(tmp_path):
    def study(*words):
        return subprocess.run([sys.executable, ROOT / "tests/study/study.py", BUILD, "-o", tmp_path / "out", *words],
                              capture_output=True, text=True, timeout=280)

    done = study("--tapes", "sqlite3", "--only", "libc buddy best-fit-address")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    rows = {row["allocator"]: row for row in csv.DictReader((out / "study.csv").read_text().splitlines())}
    assert set(rows) == {"libc", "buddy", "best-fit-address"}
    buddy, best = rows["buddy"], rows["best-fit-address"]
    # Powers of two: more than best fit, all of it inside blocks.
    assert float(buddy["net_max_over_max"]) > float(best["net_max_over_max"]) > 0
    assert float(best["gross_max_over_max"]) > float(best["net_max_over_max"]) >= float(best["outside_max_over_max"])
    page = (out / "index.html").read_text()
    assert all(name in page for name in (*rows, "charts/fragmentation.svg", "sqlite3/report.html"))
    assert {path.suffix for path in (out / "charts").iterdir()} == {".png", ".svg"} and (out / "sqlite3/report.html").exists()
    assert json.loads((out / "study.json").read_text())["means"]["buddy"]["tapes"] == 1
    # A second time nothing is measured again.
    before = (out / "sqlite3/results.json").stat().st_mtime_ns
    assert study("--tapes", "sqlite3", "--only", "libc buddy").returncode == 0
    assert (out / "sqlite3/results.json").stat().st_mtime_ns == before
    assert study("--tapes", "nothing").returncode == 2 and study("--only", "worst").returncode == 2
