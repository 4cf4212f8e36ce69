"""heaptape bench where allocators go wrong, and where it is interrupted: rows that say so, nothing lost."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD
from driver_help import BROKEN, make_tape, results_of

ONLY = ["-a", "htmalloc"]

STATUSES = {"ok", "crashed", "timeout", "out_of_memory", "error"}


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "one.tape")


@pytest.fixture(scope="module")
def long_tape(tmp_path_factory):
    """Many runs' worth of time, for what must happen in the middle."""
    return make_tape(tmp_path_factory.mktemp("tapes") / "long.tape", events=3_000_000, live=2000)


@pytest.fixture(scope="module")
def threads_tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "threads.tape", lanes=2, cross=5)


@pytest.fixture(scope="module")
def broken(heaptape, tape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken") / "results"
    named = [word for name, path in BROKEN.items() for word in ("-a", f"b-{name}={path}")]
    result = heaptape("bench", tape, *named, "--quick", "--timeout=2s", "--memory-limit=150M", "-o", folder)
    assert result.returncode == 0, result.stderr
    return results_of(folder), result


@pytest.mark.parametrize("name, status, words", [
    ("abort", "crashed", "SIGABRT"), ("crash", "crashed", "SIGSEGV"), ("exit", "error", "status 42"),
    ("greedy", "out_of_memory", "memory limit of 150.0 MiB"), ("hang", "timeout", "not done after 2 s"),
    ("null", "out_of_memory", "returned NULL"), ("start", "crashed", "before the replay's main()"),
    ("leak", "out_of_memory", "memory limit of 150.0 MiB"), ("ending", "crashed", "after its last operation"),
    ("loud", "crashed", "the real reason"), ("forks", "crashed", "SIGSEGV")])
def test_what_goes_wrong_is_a_row(broken, name, status, words):
    results, result = broken
    row = next(row for row in results["summary"] if row["allocator"] == f"b-{name}")
    assert row["status"] == status and words in row["detail"], row
    assert row["rounds_ok"] == 0
    for key in ("ns_per_operation", "net_ns_per_operation", "relative_time", "peak_resident_bytes", "fragmentation"):
        assert set(row[key].values()) == {None}
    assert row["series_csv"] is None
    line = next(line for line in result.stdout.splitlines() if line.startswith(f"  b-{name} "))
    assert f"{status}: " in line and words in line


def test_one_that_is_broken_in_threads_only(heaptape, tape, threads_tape, tmp_path):
    result = heaptape("bench", tape, threads_tape, "-a", f"bad={BROKEN['thread']}", "--quick", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    rows = {row["tape"]: row for row in results_of(tmp_path / "r")["summary"] if row["allocator"] == "bad"}
    assert rows["one"]["status"] == "ok"
    assert rows["threads"]["status"] == "crashed" and "SIGSEGV at about operation" in rows["threads"]["detail"]


def test_what_they_printed_last_is_kept(broken):
    results, _ = broken
    run = next(run for run in results["runs"] if run["allocator"] == "b-loud")
    lines = run["output"].splitlines()
    assert lines[-1] == "broken_loud: the real reason" and len(lines) > 30
    assert all(line == "broken_loud: a check that means nothing" for line in lines[1:-1])
    assert all(run["output"] is None for run in results["runs"] if run["status"] == "ok")


def test_nothing_is_left_behind(broken):
    """The process that broken_forks left was in the group that was ended."""
    left = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and "libbroken_forks" in (entry / "maps").read_text():
                left.append(entry.name)
        except OSError:
            continue
    assert not left


@pytest.mark.parametrize("name, stop", [
    ("crash", r"received signal SIGSEGV.*broken_malloc"), ("abort", r"received signal SIGABRT.*broken_malloc"),
    ("exit", r"Catchpoint 1 \(call to syscall exit_group\).*broken_malloc"),
    ("ending", r"received signal SIGABRT.*ending \("), ("start", r"received signal SIGABRT.*start \(")])
def test_the_debugger_stops_where_it_died(broken, name, stop):
    """The very command that the results give, with "backtrace" and "quit" for the person in front of it."""
    results, result = broken
    if not shutil.which("gdb"):
        pytest.skip("no gdb here")
    run = next(run for run in results["runs"] if run["allocator"] == f"b-{name}")
    assert run["debugger"].startswith("gdb -q ") and run["debugger"] in result.stderr
    command = run["debugger"].replace("gdb -q", "gdb -q -nx -ex 'set pagination off'", 1).replace(
        " --args ", " -ex backtrace -ex kill -ex quit --args ", 1)
    gdb = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                         env={k: v for k, v in os.environ.items() if k != "DEBUGINFOD_URLS"})
    assert re.search(stop, gdb.stdout, re.S), gdb.stdout + gdb.stderr


def test_the_others_are_measured_all_the_same(broken):
    results, _ = broken
    rows = {row["allocator"]: row for row in results["summary"]}
    assert rows["libc"]["status"] == rows["null"]["status"] == "ok"
    assert {run["status"] for run in results["runs"]} <= STATUSES


def test_the_words_and_the_place_are_kept(broken):
    results, _ = broken
    run = next(run for run in results["runs"] if run["allocator"] == "b-abort")
    assert run["signal"] == signal.SIGABRT and "free list is corrupt" in run["detail"]
    assert 5000 <= run["operations_done"] <= 60000
    run = next(run for run in results["runs"] if run["allocator"] == "b-exit")
    assert run["exit_code"] == 42 and "giving up" in run["detail"]


def test_hopeless_ones_are_not_tried_again_and_again(broken):
    results, _ = broken
    def count(name):
        return sum(run["allocator"] == f"b-{name}" for run in results["runs"])
    assert count("hang") == count("greedy") == 1
    assert count("crash") == 2


def test_strict_tells_by_the_exit_status(heaptape, tape, tmp_path):
    named = ["-a", f"crash={BROKEN['crash']}", "--quick", "-o", tmp_path / "r"]
    assert heaptape("bench", tape, *named).returncode == 0
    assert heaptape("bench", tape, *named, "--strict").returncode == 1
    assert heaptape("bench", tape, *ONLY, "--quick", "--strict", "-o", tmp_path / "r").returncode == 0


# ---- Ctrl-C ------------------------------------------------------------------------------------------------


def engines_of(pid):
    """Processes whose parent is `pid`, or that run the engine for it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_measured(long_tape, tmp_path, number):
    folder = tmp_path / "results"
    process = subprocess.Popen([BUILD / "libexec/heaptape/heaptape-bench", long_tape, "-n", "200", "-o", folder],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    children = []
    while time.monotonic() < deadline:
        children = engines_of(process.pid)
        if children and (folder / "results.json").exists() and len(results_of(folder)["runs"]) >= 8:
            break
        time.sleep(0.02)
    process.send_signal(number)
    begin = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert process.returncode == 128 + number
    assert not any(pathlib.Path(f"/proc/{child}/exe").exists() for child in children)
    results = results_of(folder)
    assert results["complete"] is False and len(results["runs"]) >= 8
    assert all(run["status"] == "ok" for run in results["runs"])
    assert all(row["status"] in STATUSES for row in results["summary"])
    assert "interrupted" in err and str(folder) in err and out


def test_children_die_with_a_killed_bench(long_tape, tmp_path):
    process = subprocess.Popen([BUILD / "libexec/heaptape/heaptape-bench", long_tape, "-o", tmp_path / "r"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = []
    deadline = time.monotonic() + 60
    while not (children and (tmp_path / "r/results.json").exists()) and time.monotonic() < deadline:
        children = engines_of(process.pid)
        time.sleep(0.01)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while any(pathlib.Path(f"/proc/{child}/exe").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children and not any(pathlib.Path(f"/proc/{child}/exe").exists() for child in children)
    assert results_of(tmp_path / "r")["complete"] is False
