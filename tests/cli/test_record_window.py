"""What part of a recording is kept (--start-after, --stop-after), and the marks in it."""

import json
import os
import signal
import subprocess
import time

import pytest
from record_help import CASES, RECORD, TRACE, info, record, run, sizes, sound

CHURN = CASES / "record_churn"


def events(tape):
    done = subprocess.run([TRACE, "dump", "--format=json", tape], capture_output=True, check=True)
    return json.loads(done.stdout)


# ---- marks -----------------------------------------------------------------------------------------------------


def test_marks_stand_between_the_calls(tmp_path):
    plain = run([CASES / "marks_case"])
    done = record(tmp_path / "x.tape", [CASES / "marks_case"], "-q")
    assert plain.stdout == done.stdout == b"done\n"
    tape = sound(tmp_path / "x.tape")
    found = events(tmp_path / "x.tape")
    marks = tape["marks"]
    longest = "".join(chr(ord("a") + i % 26) for i in range(120))
    assert [m["text"] for m in marks] == ["begin", 'phäse 2, "quoted"\nand more', longest, ""]
    at = [m["event"] for m in marks]
    allocated = lambda size: [i for i, e in enumerate(found) if e["size_bytes"] == size]  # noqa: E731
    assert at[0] <= min(allocated(1031)) and max(allocated(1031)) < at[1] <= min(allocated(1047))
    assert max(allocated(1047)) < at[2] == at[3] <= min(allocated(1063))
    assert [m["seconds"] for m in marks] == sorted(m["seconds"] for m in marks)


def test_marks_of_threads(tmp_path):
    record(tmp_path / "x.tape", [CASES / "marks_case", "threads"], "-q")
    tape = sound(tmp_path / "x.tape")
    found = events(tmp_path / "x.tape")
    for name in ("one", "two", "three", "four"):
        mine = [m for m in tape["marks"] if m["text"] == name]
        assert len(mine) == 50 and len({m["lane"] for m in mine}) == 1
        lane = [i for i, e in enumerate(found) if e["lane"] == mine[0]["lane"] and e["size_bytes"] == 1031]
        for i, mark in enumerate(mine):  # three allocations of its own follow each
            assert sum(mark["event"] <= at < (mine[i + 1]["event"] if i < 49 else 10**9) for at in lane) == 3


def test_marks_without_a_recorder_do_nothing():
    assert run([CASES / "marks_case"]).stdout == b"done\n"


# ---- windows ---------------------------------------------------------------------------------------------------


def test_stop_after_events_is_exact_and_leaves_the_program_alone(tmp_path):
    plain = run([CHURN, "1", "300000", "0"])
    done = record(tmp_path / "x.tape", [CHURN, "1", "300000", "0"], "--stop-after=100000")
    counts = [output.split(b"ns_per_event")[0] for output in (plain.stdout, done.stdout)]
    assert done.returncode == plain.returncode == 0 and counts[0] == counts[1]
    tape = sound(tmp_path / "x.tape")
    assert tape["events"] == 100000 and tape["complete"] is True and tape["stop_after"] == "100000"
    assert b"stopped early" not in done.stderr


def test_a_window_is_what_a_slice_of_the_whole_is(tmp_path):
    for name, options in (("whole", []), ("part", ["--start-after=20k", "--stop-after=50k"])):
        assert record(tmp_path / f"{name}.tape", [CHURN, "1", "300000", "0"], "-q", *options).returncode == 0
    run([TRACE, "slice", "--events=20k:50k", "-o", tmp_path / "slice.tape", tmp_path / "whole.tape"])
    part, cut = sound(tmp_path / "part.tape"), sound(tmp_path / "slice.tape")
    assert part["by_kind"] == cut["by_kind"] and part["peak_live_bytes"] == cut["peak_live_bytes"]
    strip = lambda tape: [(e["kind"], e["object"], e["size_bytes"]) for e in events(tmp_path / tape)]  # noqa: E731
    assert strip("part.tape") == strip("slice.tape")
    assert part["by_kind"]["free_foreign"] == 0  # what was live before is there


def test_a_window_of_bytes(tmp_path):
    record(tmp_path / "x.tape", [CASES / "marks_case"], "-q", "--start-after=150kB", "--stop-after=200KiB")
    tape = sound(tmp_path / "x.tape")
    found = sizes(tmp_path / "x.tape")
    assert found["malloc", 1031] == 0 or found["malloc", 1047] > 0
    asked = sum(size * n for (kind, size), n in found.items() if kind == "malloc")
    assert 200 * 1024 - 150000 - 2000 < asked < 200 * 1024 - 150000 + 80000  # and what was live before
    assert tape["start_after"] == "150kB"


@pytest.mark.parametrize("options, low, high", [(["--stop-after=300ms"], 0, 0.7), (["--start-after=400ms"], 0, 10)])
def test_a_window_of_time(options, low, high, tmp_path):
    script = "for i in range(100):\n x = bytearray(5000 + i)\n time.sleep(0.01)\n"
    done = record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", "import time\n" + script], "-q", *options,
                  env=dict(os.environ, PYTHONMALLOC="malloc"))
    assert done.returncode == 0
    tape = sound(tmp_path / "x.tape")
    assert low <= tape["duration_seconds"] <= high
    seen = sum(n for (_, size), n in sizes(tmp_path / "x.tape").items() if 5000 <= size <= 5110)
    assert 10 < seen < 95


def test_a_window_that_never_begins_is_told(tmp_path):
    done = record(tmp_path / "x.tape", ["true"], "--start-after=5M")
    assert done.returncode == 0 and b"before --start-after=5M was reached" in done.stderr
    assert sound(tmp_path / "x.tape")["events"] == 0


def test_children_have_windows_of_their_own(tmp_path):
    command = ["sh", "-c", f"{CHURN} 1 100000 0 >{tmp_path}/a; {CHURN} 1 200000 0 >{tmp_path}/b"]
    record(tmp_path / "x.tape", command, "-q", "--stop-after=30000")
    counts = [info(p)["events"] for p in sorted(tmp_path.glob("x*.tape"))]
    assert counts.count(30000) == 2


def test_attached_recording_ends_at_the_limit(tmp_path):
    program = subprocess.Popen([CHURN, "1", "400000000", "0"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.2)
        done = subprocess.run([RECORD, "-q", f"--pid={program.pid}", "--stop-after=50000", "-o", tmp_path / "x.tape"],
                              capture_output=True, timeout=60)
        if done.returncode == 4:
            pytest.skip(done.stderr.decode())
        assert done.returncode == 0, done.stderr
        assert info(tmp_path / "x.tape")["events"] == 50000
        assert program.poll() is None
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()


def test_bad_limits():
    for bad in ("--stop-after=soon", "--start-after=", "--stop-after=-1", "--start-after=10 --stop-after=5"):
        done = run([RECORD, *bad.split(), "--", "true"])
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1


# ---- the truth beside it ---------------------------------------------------------------------------------------


def test_samples_tell_resident_held_and_requested(tmp_path):
    code = ("import time\nx = [b'x' * (100000 + i) for i in range(400)]\ntime.sleep(0.4)\n"
            "del x\ntime.sleep(0.3)\n")
    record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", code], "-q", env=dict(os.environ, PYTHONMALLOC="malloc"))
    tape = sound(tmp_path / "x.tape")
    requested = tape["recorded_peak_requested_bytes"]
    assert 40_000_000 < requested <= tape["peak_live_bytes"]
    assert requested < tape["recorded_peak_held_bytes"] and requested < tape["recorded_peak_resident_bytes"]


def test_hints(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONMALLOC"}
    code = """import mmap, time
m = mmap.mmap(-1, 300 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, 300 << 20, 4096):
    m[i] = 1
time.sleep(0.3)"""
    done = record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", code], env=environment)
    assert b"PYTHONMALLOC=malloc shows them all" in done.stderr
    assert b"is not on the tape" in done.stderr and b"hint:" in done.stderr
    done = record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", "1"], env=dict(environment, PYTHONMALLOC="malloc"))
    assert b"hint:" not in done.stderr
