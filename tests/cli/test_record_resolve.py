"""Long recordings are resolved while they are written: the tape is the same, and nothing is left lying about."""

import os
import signal
import subprocess
import time

from record_help import CASES, RECORD, TRACE, info, record, run, sound

CHURN = CASES / "record_churn"
MANY = "6000000"  # enough to be followed, see drain.c


def allocations(output):
    return int(output.split()[1])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_long_recording_is_whole(tmp_path):
    done = record(tmp_path / "x.tape", [CHURN, "2", MANY, "20"], "-v", "--keep-raw")
    assert done.returncode == 0 and b"live twice 0, frees of unknown addresses 0" in done.stderr
    tape = sound(tmp_path / "x.tape")
    assert tape["complete"] is True and tape["exit_status"] == 0
    assert allocations(done.stdout) <= tape["allocations"] <= allocations(done.stdout) + 100  # libc's own
    assert names(tmp_path) == ["x.tape", "x.tape.raw"]
    assert run([TRACE, "resolve", "-o", tmp_path / "y.tape", tmp_path / "x.tape.raw"]).returncode == 0
    again = info(tmp_path / "y.tape")
    for key in ("events", "by_kind", "peak_live_bytes", "lanes", "program", "arguments", "exit_status"):
        assert tape[key] == again[key], key


def test_its_name_may_change_meanwhile(tmp_path):
    """A shell that allocates for long and then becomes another program."""
    code = f"x = [[i] for i in range(6000000)]; import os; os.execv('{CHURN}', ['churn', '1', '1000', '0'])"
    done = record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", code], "-q", env=dict(os.environ, PYTHONMALLOC="malloc"))
    assert done.returncode == 0, done.stderr
    (before,) = [name for name in names(tmp_path) if name != "x.tape"]
    assert before.endswith(".1.tape")
    assert sound(tmp_path / before)["events"] > 5_000_000
    assert "churn" in sound(tmp_path / "x.tape")["program"]


def test_a_killed_collector_leaves_the_raw_tape(tmp_path):
    process = subprocess.Popen([RECORD, "-q", "-o", tmp_path / "x.tape", "--", CHURN, "1", "60000000", "0"],
                               stdout=subprocess.PIPE)
    while not (tmp_path / "x.tape.raw.part").exists() and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    output = process.communicate(timeout=120)[0]  # the program's, which goes on
    assert allocations(output) > 20_000_000
    done = run([TRACE, "resolve", "-o", tmp_path / "y.tape", tmp_path / "x.tape.raw"])
    assert done.returncode == 1 and info(tmp_path / "y.tape")["events"] > 1_000_000
