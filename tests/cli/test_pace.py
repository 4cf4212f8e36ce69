"""--pace: replay keeps the recorded moments, waits without being measured, and says how late it ran."""

import collections
import csv
import ctypes.util
import json
import math
import os
import re
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT
from test_engine import ENGINE, read_series, run_engine

sys.path.insert(0, str(ROOT / "analysis"))
from report import snapshots  # noqa: E402

PACE_CASE = BUILD / "tests/pace_case"


@pytest.fixture(scope="module")
def record(heaptape, tmp_path_factory):
    def recorded(name, *arguments):
        path = tmp_path_factory.mktemp("pace") / f"{name}.tape"
        done = heaptape("record", "-q", "-o", path, "--", PACE_CASE, *arguments)
        assert done.returncode == 0, done.stderr
        return path

    return recorded


@pytest.fixture(scope="module")
def pauses(record):
    """Five pauses of 40 ms between little work."""
    return record("pauses", 1, 40, 5)


@pytest.fixture(scope="module")
def turns(record):
    """The same by two threads, half a pause apart."""
    return record("turns", 1, 40, 5, "threads")


def info(heaptape, tape):
    return json.loads(heaptape("trace", "info", "--format=json", tape).stdout)


def recorded_seconds(tape):
    """From the first event to the last: what counts, since nothing is waited for before the first."""
    done = subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "dump", "--format=csv", tape],
                          capture_output=True, text=True, check=True)
    header, *rows = done.stdout.splitlines()
    column = header.split(",").index("time_ns")
    return (int(rows[-1].split(",")[column]) - int(rows[0].split(",")[column])) / 1e9


def paced_seconds(result):
    assert result["paced_ns"] >= result["timed_ns"] + result["pace_idle_ns"]
    return result["paced_ns"] / 1e9


def on_time(wanted, run, most=0.05, tries=8):
    """A run that took the seconds wanted. None may take less; on a busy machine most may take more."""
    for _ in range(tries):
        result = run()
        seconds = paced_seconds(result) if "paced_ns" in result else result["paced_seconds"]
        assert wanted * 0.99 <= seconds
        if seconds <= wanted + most:
            return result
    raise AssertionError(f"{seconds} s instead of {wanted} in each of {tries} runs, {result}")


@pytest.mark.parametrize("pace, speed", [("recorded", 1), ("1", 1), ("2", 2), ("0.5", 0.5), ("10", 10)])
def test_a_factor_says_how_many_times_as_fast(pauses, pace, speed):
    wanted = recorded_seconds(pauses) / speed
    assert wanted * speed > 0.2
    result = on_time(wanted, lambda: run_engine(pauses, f"--pace={pace}"))
    assert result["wall_ns"] / 1e9 >= paced_seconds(result)
    assert result["failed_calls"] == 0


def test_waiting_is_not_measured(pauses):
    """What is timed is the calls, with and without pauses between them; the rest is told apart."""
    asap = min((run_engine(pauses) for _ in range(3)), key=lambda result: result["timed_ns"])
    paced = min((run_engine(pauses, "--pace=recorded") for _ in range(5)), key=lambda result: result["timed_ns"])
    assert asap["operations"] == paced["operations"]
    assert asap["pace_idle_ns"] == asap["paced_ns"] == asap["pace_max_lag_ns"] == asap["pace_late"] == 0
    assert paced["pace_idle_ns"] > 0.18e9
    assert paced["timed_ns"] < asap["timed_ns"] * 4 + 5e6  # of some 2 ms; caches are cold after pauses
    assert paced["timed_cpu_ns"] < 0.05e9


@pytest.mark.parametrize("options", [[], ["--order=strict"], ["--mode=memory"], ["--mode=latency"], ["--mode=verify"],
                                     ["--plan-memory=256k"]],
                         ids=lambda options: options[0] if options else "plain")
@pytest.mark.parametrize("tape", ["pauses", "turns"])
def test_lanes_and_windows_have_one_clock(request, tape, options):
    tape = request.getfixturevalue(tape)
    wanted = recorded_seconds(tape)
    result = on_time(wanted, lambda: run_engine(tape, "--pace=recorded", *options))
    assert result["timed_ns"] < 0.5 * wanted * 1e9
    assert result["failed_calls"] == 0


def test_the_tapes_need_several_lanes_and_windows(heaptape, pauses, turns):
    assert info(heaptape, pauses)["lanes"] == 1 and info(heaptape, turns)["lanes"] == 3
    assert info(heaptape, pauses)["events"] * 8 > 256 << 10  # of one window


def test_a_plan_is_kept_for_its_pace_alone(pauses, tmp_path):
    def run(*options):
        with open(tmp_path / "plan", "a+b") as plan:
            fd = plan.fileno()
            done = subprocess.run([ENGINE, "--tape", pauses, "--print", f"--plan-fd={fd}", *options], pass_fds=[fd],
                                  capture_output=True, text=True, check=True, timeout=60)
        return {key: float(value) for key, value in (line.split() for line in done.stdout.splitlines())}

    wanted = recorded_seconds(pauses)
    assert run("--pace=2", "--plan-only")["paced_ns"] == 0
    assert (tmp_path / "plan").stat().st_size > 100000
    on_time(wanted / 2, lambda: run("--pace=2"))
    on_time(wanted, lambda: run("--pace=recorded"))
    assert min(run()["wall_ns"] for _ in range(5)) / 1e9 < wanted / 2


def test_a_replay_that_cannot_keep_up_says_so(heaptape, tmp_path):
    """A million calls recorded as 50 ms apart from end to end, a thousand times as fast: most are late."""
    tape = tmp_path / "fast.tape"
    heaptape("trace", "synth", "-o", tape, "--events=1M", "--live=1000")
    result = run_engine(tape, "--pace=1000")
    assert result["pace_max_lag_ns"] > 1e6
    assert 0.3 < result["pace_late"] / result["operations"] <= 1
    assert result["pace_idle_ns"] < 0.5 * result["timed_ns"]
    done = heaptape("bench", tape, "--pace=1000", "-n", "1", "-a", "null", "-o", tmp_path / "results")
    assert "did not keep up with its pace" in done.stderr
    results = json.loads((tmp_path / "results/results.json").read_text())
    assert "late" in {warning["code"] for warning in results["warnings"]}
    assert any(run["late_share"] > 0.3 and run["max_lag_seconds"] > 0.001 for run in results["runs"])


# ---- what pauses change -------------------------------------------------------------------------


@pytest.mark.skipif(not ctypes.util.find_library("jemalloc"), reason="no jemalloc here")
def test_an_allocator_that_gives_back_in_pauses_is_seen_to(record):
    """jemalloc purges what has been unused for a while (here 150 ms). As fast as it goes, 32 MiB of freed blocks stay
    resident to the end, at the recorded pace next to nothing does."""
    tape = record("decay", 32, 30, 20)
    left = collections.defaultdict(list)
    for pace in ("asap", "recorded") * 3:
        done = subprocess.run([ENGINE, "--tape", tape, "--mode=memory", "--series", f"--pace={pace}"], check=True,
                              env=dict(os.environ, LD_PRELOAD=ctypes.util.find_library("jemalloc"),
                                       MALLOC_CONF="dirty_decay_ms:150,muzzy_decay_ms:0"),
                              capture_output=True, text=True, timeout=60)
        *_, last = done.stdout.splitlines()
        left[pace].append(int(last.split(",")[5]))
    assert max(left["asap"]) > 24 << 20  # of three: on a busy machine even this may take so long
    assert max(left["recorded"]) < 8 << 20


def test_pauses_are_sampled(pauses):
    """The series goes on while every thread waits: an allocator may have threads of its own at work."""
    slept_through = []
    for _ in range(5):
        values, series = read_series(pauses, "--pace=recorded")
        times = [point[1] / 1e9 for point in series]
        assert times[-1] == pytest.approx((values["timed_ns"] + values["pace_idle_ns"]) / 1e9, rel=0.2)
        slept_through.append(sum(after - before > 0.035 for before, after in zip(times, times[1:])))
    assert min(slept_through) <= 2  # of five pauses of 40 ms; a busy machine may be late for some


def ends_of_pauses(tape):
    """Calls before each stretch without an event, of a millisecond and a 256th of the tape at least."""
    done = subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "dump", "--format=csv", tape],
                          capture_output=True, text=True, check=True)
    times = [int(row["time_ns"]) for row in csv.DictReader(done.stdout.splitlines())]
    least = max(1e6, times[-1] / 256)
    return [i for i in range(1, len(times)) if times[i] - times[i - 1] >= least], len(times)


def test_as_fast_as_it_goes_there_is_a_point_at_each_pause(pauses):
    """So that memory over recorded time is exact where the program waited."""
    found, events = ends_of_pauses(pauses)
    values, series = read_series(pauses)
    assert len(found) >= 5 and values["operations"] == events  # all of its events are calls
    assert set(found) <= {point[0] for point in series}


def test_a_pause_is_no_chance_for_a_snapshot(heaptape, turns, tmp_path):
    """Only at a chance do the other threads wait until the snapshot is taken. Chances are evenly spread."""
    done = heaptape("replay", turns, f"--snapshots={tmp_path}/turns.heap")
    assert done.returncode == 0, done.stderr
    taken = [s.event for s in snapshots.read(tmp_path / "turns.heap") if s.kinds == snapshots.GRID]
    assert len(taken) > 20 and math.gcd(*taken) >= 64, taken


# ---- as it is told ------------------------------------------------------------------------------


def test_replay_states_its_pace(heaptape, pauses):
    asap = json.loads(heaptape("replay", pauses, "--format=json").stdout)
    assert asap["pace"] == "asap" and asap["paced_seconds"] is asap["max_lag_seconds"] is asap["late_share"] is None
    for given, told in (("recorded", "recorded"), ("1.0", "recorded"), ("2.50", "2.5")):
        paced = on_time(recorded_seconds(pauses) / (2.5 if told == "2.5" else 1), lambda pace=given: json.loads(
            heaptape("replay", pauses, f"--pace={pace}", "--format=json").stdout))
        assert paced["pace"] == told and 0 <= paced["late_share"] <= 1 and paced["max_lag_seconds"] >= 0
    assert "asap" in heaptape("replay", pauses).stdout


def test_bench_and_report_state_their_pace(heaptape, pauses, tmp_path):
    done = heaptape("bench", pauses, "--pace=4", "-n", "3", "-a", "null", "-o", tmp_path / "results")
    assert done.returncode == 0 and "pace 4" in done.stdout
    results = json.loads((tmp_path / "results/results.json").read_text())
    assert results["settings"]["pace"] == "4"
    seconds = recorded_seconds(pauses) / 4
    took = [run["paced_seconds"] for run in results["runs"]]
    assert seconds * 0.99 <= min(took) <= seconds + 0.05
    # A minute, the events and the recording's time at its pace.
    events = results["tapes"][0]["events"]
    assert results["settings"]["timeout_seconds"] == pytest.approx(
        60 + events / 1e6 + results["tapes"][0]["duration_seconds"] / 4, abs=1e-3)
    report = heaptape("report", tmp_path / "results", "-o", tmp_path / "report")
    assert report.returncode == 0, report.stderr
    assert re.search(r"<dt>pace</dt>\s*<dd>4</dd>", (tmp_path / "report/report.html").read_text())
    chart, = (tmp_path / "report/charts").glob("*.growth.svg")  # pauses have a length there
    assert "milliseconds of replay" in chart.read_text() and "operations replayed" not in chart.read_text()


@pytest.mark.parametrize("pace", ["", "fast", "0", "0.49", "1001", "-2", "nan", "inf", "2x"])
@pytest.mark.parametrize("tool", ["replay", "bench"])
def test_paces_of_no_sense(heaptape, pauses, tool, pace):
    done = heaptape(tool, pauses, f"--pace={pace}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"heaptape {tool}: --pace={pace}: not asap, recorded or a factor from 0.5 to 1000")
    assert done.stderr.count("\n") == 1


def test_a_cut_tape_has_its_time(heaptape, pauses, tmp_path):
    """Without an end block the length is found by reading; the limit allows for it."""
    cut = tmp_path / "cut.tape"
    cut.write_bytes(pauses.read_bytes()[:-400])
    paced = json.loads(heaptape("replay", cut, "--pace=recorded", "--format=json").stdout)
    assert paced["status"] == "ok" and paced["paced_seconds"] > 0.15


def test_what_is_held_in_a_pause_counts_for_all_of_it(heaptape, record, tmp_path):
    """Mean resident by recorded time, of a replay that does not wait: 16 MiB are given back right before the first pause."""
    tape = record("held", 16, 150, 4)
    done = heaptape("bench", tape, "-n", 1, "--latency-rounds=0", "-a", "libc", "-a", "bump", "-o", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    rows = {row["allocator"]: row for row in json.loads((tmp_path / "r/results.json").read_text())["summary"]}
    share = {name: row["over_time"]["mean_resident_by_time_bytes"] / row["peak_resident_bytes"]["median"]
             for name, row in rows.items()}
    assert share["libc"] < 0.3 and share["bump"] > 0.5, share  # bump never uses memory again
