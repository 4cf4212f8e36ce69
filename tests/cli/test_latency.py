"""Latency mode: what it says of an allocator that is slow in a known way, and of one that does nothing."""

import csv
import json
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT
from test_engine import NULL, make_tape, run_engine

SLOW = BUILD / "tests/engine_slow.so"
ERROR = 1 / 64


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    path = tmp_path_factory.mktemp("latency") / "churn.tape"
    subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "synth", "-o", path, "--events=200k", "--live=500",
                    "--size=16..300"], check=True, capture_output=True)
    return path


def latency(tape, *options, preload=None):
    return run_engine(tape, "--mode=latency", *options, preload=preload)


@pytest.mark.parametrize("options", [[], ["--plan-memory=256k"]], ids=["one window", "windows"])
def test_known_delays_are_found(tape, options):
    """2 % of the mallocs take 20 us, one in 500 200 us, 5 % of the frees 5 us."""
    seen = latency(tape, *options, preload=SLOW)
    for key, true in (("malloc_ns_p99", 20e3), ("malloc_ns_p99.9", 200e3), ("free_ns_p99", 5e3)):
        # The bucket may be half its width off. A busy machine makes calls longer, never shorter.
        assert true * (1 - ERROR) - seen["clock_resolution_ns"] <= seen[key] <= 1.5 * true + 5000, key
    assert seen["malloc_ns_p50"] < 5e3 and seen["malloc_ns_p90"] < 10e3 and seen["free_ns_p90"] < 4.9e3
    assert seen["malloc_ns_max"] >= 200e3


def test_every_call_is_counted(tape):
    seen = latency(tape)
    assert seen["malloc_count"] + seen["free_count"] == seen["operations"] == 200_000


@pytest.mark.parametrize("shape", ["one lane", "four crossing", "600 short", "300 at once", "empty"])
def test_kinds_and_lanes(tmp_path, shape):
    """Each kind's calls of all lanes are there; free(NULL) and malloc_usable_size are not measured."""
    path = tmp_path / "t.tape"
    counts = make_tape(path, shape)
    seen = latency(path)
    for kind in ("malloc", "calloc", "aligned"):
        assert seen.get(f"{kind}_count", 0) == counts[kind], kind
    measured = sum(value for key, value in seen.items() if key.endswith("_count"))
    assert counts["malloc"] + counts["calloc"] <= measured <= seen["operations"]


def test_what_nothing_takes(tape):
    """The null allocator's calls cost next to nothing once the clock's cost is out."""
    seen = latency(tape, preload=NULL)
    assert 0 < seen["malloc_ns_p50"] < 60 and seen["free_ns_p50"] < 60
    assert seen["clock_cost_ns"] > 1
    assert abs(seen["clock_cost_ns"] - seen["clock_cost_after_ns"]) < seen["clock_cost_ns"]


def test_without_a_constant_counter(tape, tmp_path):
    """On a machine whose /proc/cpuinfo promises nothing of the kind clock_gettime() is read instead."""
    flagless = tmp_path / "cpuinfo"
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    flagless.write_text("\n".join(line for line in lines if not line.startswith("flags")), encoding="ascii")
    hide = f"mount --bind {flagless} /proc/cpuinfo"
    if subprocess.run(["unshare", "-m", "sh", "-c", hide], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    command = [ROOT / "heaptape", "replay", "--latency", tape, "-a", f"slow={SLOW}", "--format=json"]
    shown = subprocess.run(["unshare", "-m", "sh", "-c", hide + ' && exec "$@"', "sh", *command],
                           capture_output=True, text=True, check=True).stdout
    seen = json.loads(shown)
    assert seen["clock_resolution_ns"] == round(seen["clock_resolution_ns"]), "a tick is a nanosecond"
    assert 19.6e3 < seen["malloc_ns_p99"] < 25e3 and 0 < seen["malloc_ns_p50"] < 5e3


def test_replay_tells_percentiles(heaptape, tape):
    """Rows by call and size class, and each kind's own keys; a percentile needs a call beyond it."""
    result = json.loads(heaptape("replay", "--latency", tape, "-a", f"slow={SLOW}", "--format=json").stdout)
    assert result["status"] == "ok" and result["malloc_count"] + result["free_count"] == 200_000
    assert 19.6e3 < result["malloc_ns_p99"] < 35e3
    rows = result["latency"]
    classes = [row for row in rows if row["call"] == "malloc" and row["allocator"] == "slow"]
    assert classes[0]["size_low_bytes"] is None and classes[0]["count"] == result["malloc_count"]
    assert sum(row["count"] for row in classes[1:]) == classes[0]["count"]
    assert [row["size_high_bytes"] for row in classes[1:]] == [16, 32, 64, 128, 256, 512]
    for row in rows:
        assert (row["p99_99_ns"] is None) == (row["count"] < 10_000)
        known = [row[key] for key in ("p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns")
                 if row[key] is not None]
        assert known == sorted(known)


def test_bench_keeps_them(heaptape, tape, tmp_path):
    """Two rounds are one histogram; each tape and allocator has its row and its files."""
    results = tmp_path / "results"
    heaptape("bench", tape, "-a", f"slow={SLOW}", "--quick", "--latency-rounds=2", "-o", results)
    read = json.loads((results / "results.json").read_text())
    assert {row["allocator"] for row in read["latency"]} == {"libc", "slow", "null"}
    slow = next(row for row in read["latency"] if row["allocator"] == "slow")
    assert slow["rounds"] == 2 and slow["malloc_count"] + slow["free_count"] == 400_000
    assert 19.6e3 < slow["malloc_ns_p99"] < 35e3
    with open(results / slow["shares_csv"], newline="", encoding="ascii") as file:
        points = [row for row in csv.DictReader(file) if row["call"] == "malloc"]
    assert float(points[0]["share"]) == 0 and float(points[-1]["share"]) == 1
    times = [float(point["ns"]) for point in points]
    assert times == sorted(times) and times[-1] == pytest.approx(slow["malloc_ns_max"], abs=0.1)
    with open(results / slow["over_time_csv"], newline="", encoding="ascii") as file:
        slices = list(csv.DictReader(file))
    assert sum(int(row["calls"]) for row in slices) == 200_000
    firsts = [int(row["first_operation"]) for row in slices]
    assert firsts == sorted(firsts) and 200 <= len(firsts) <= 256
    with open(results / "latency.csv", newline="", encoding="ascii") as file:
        table = list(csv.DictReader(file))
    assert {row["allocator"] for row in table} == {"libc", "slow", "null"}
    assert {row["error_share"] for row in table} == {"0.0156"}


def test_bench_without(heaptape, tape, tmp_path):
    results = tmp_path / "results"
    heaptape("bench", tape, "-a", "libc", "--quick", "--latency-rounds=0", "-o", results)
    assert json.loads((results / "results.json").read_text())["latency"] == []
    assert not (results / "latency.csv").exists() and not list((results / "series").glob("*latency*"))


def test_wrong_use(heaptape, tape):
    for arguments in (["bench", tape, "--latency-rounds=x"], ["bench", tape, "--latency-rounds=101"],
                      ["replay", "--verify", "--latency", tape]):
        result = heaptape(*arguments)
        assert result.returncode == 2 and len(result.stderr.splitlines()) == 1


def test_an_allocator_that_crashes_has_no_latencies(heaptape, tape):
    crash = BUILD / "tests/libbroken_crash.so"
    result = heaptape("replay", "--latency", tape, "-a", f"bad={crash}", "--format=json")
    assert result.returncode == 1
    read = json.loads(result.stdout)
    assert read["status"] == "crashed" and "malloc_ns_p50" not in read
