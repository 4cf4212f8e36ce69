"""heaptape live: a real program under allocators, and what replay predicted."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD
from driver_help import BROKEN, make_tape, one_line, results_of

pytestmark = pytest.mark.skipif(not shutil.which("hyperfine"), reason="hyperfine is not installed")
# 30 MB in one string, whatever the allocator.
PROGRAM = ["sh", "-c", "x=$(head -c 30000000 /dev/zero | tr '\\0' x); test ${#x} = 30000000"]


def live_of(folder):
    return json.loads((folder / "live.json").read_text())


def test_times_and_peaks(heaptape, tmp_path):
    result = heaptape("live", "-n", 2, "-a", "htmalloc", "-o", tmp_path / "r", "--", *PROGRAM)
    assert result.returncode == 0, result.stderr
    live = live_of(tmp_path / "r")
    assert live["schema_version"] == 1 and live["complete"] is True and live["program"] == PROGRAM
    assert [entry["allocator"] for entry in live["entries"]] == ["libc", "htmalloc"]
    for entry in live["entries"]:
        assert entry["status"] == "ok"
        assert set(entry["time_seconds"]) == {"mean", "stddev", "median", "min", "max"}
        assert 0 < entry["time_seconds"]["min"] <= entry["time_seconds"]["median"] <= entry["time_seconds"]["max"]
        assert entry["peak_resident_bytes"] > 30_000_000 and len(entry["peak_resident_bytes_runs"]) == 2
        assert entry["predicted_peak_resident_bytes"] is None
    assert live["entries"][0]["relative_time"] == live["entries"][0]["relative_peak_resident"] == 1
    assert "htmalloc" in result.stdout


def test_prediction_from_results_is_the_stated_formula(heaptape, tmp_path):
    tape = make_tape(tmp_path / "t.tape")
    folder = tmp_path / "r"
    assert heaptape("bench", tape, "-a", "htmalloc", "--quick", "-o", folder).returncode == 0
    result = heaptape("live", "-n", 2, "-a", "htmalloc", "-o", folder, "--", *PROGRAM)
    assert result.returncode == 0 and "has no tape of sh" in result.stderr
    replayed = {row["allocator"]: row["peak_resident_bytes"]["median"] for row in results_of(folder)["summary"]}
    entries = {entry["allocator"]: entry for entry in live_of(folder)["entries"]}
    assert entries["htmalloc"]["predicted_peak_resident_bytes"] == pytest.approx(
        entries["libc"]["peak_resident_bytes"] + replayed["htmalloc"] - replayed["libc"], abs=1)
    assert entries["libc"]["predicted_peak_resident_bytes"] == entries["libc"]["peak_resident_bytes"]


def test_prediction_from_tapes(heaptape, tmp_path):
    tape = make_tape(tmp_path / "t.tape")
    result = heaptape("live", "-n", 2, "-a", "htmalloc", "-o", tmp_path / "r", "--format=json", tape, "--", *PROGRAM)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == live_of(tmp_path / "r")
    assert live_of(tmp_path / "r")["entries"][1]["predicted_peak_resident_bytes"] > 0


def test_arguments_and_input_arrive_unchanged(heaptape, tmp_path):
    """By hyperfine too, which splits its command line itself."""
    odd = ["a b", "c'd", 'e"f', "$HOME", "\\", "*", ""]
    (tmp_path / "input's file").write_text("given\n")
    script = tmp_path / "check.sh"
    script.write_text('#!/bin/sh\nread line\nprintf "%s|" "$line" "$@" >> "$OUT"\necho >> "$OUT"\n')
    script.chmod(0o755)
    env = dict(os.environ, OUT=str(tmp_path / "out"))
    result = heaptape("live", "-n", 2, "-a", "htmalloc", "-o", tmp_path / "r", f"--input={tmp_path}/input's file", "--",
                      script, *odd, env=env)
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "out").read_text().splitlines()
    assert len(lines) == 2 * (2 + 1 + 2)  # on each allocator: two for the peak, a warm-up, two for the time
    assert set(lines) == {"|".join(["given", *odd]) + "|"}


def test_what_goes_wrong_is_a_row(heaptape, tmp_path):
    source = ("#include <stdlib.h>\nint main(void)\n"
              "{ for (int i = 0; i < 30000; i++) { void *volatile p = malloc(100); free(p); } return 0; }\n")
    program = tmp_path / "program"
    subprocess.run(["cc", "-x", "c", "-", "-o", program], input=source, text=True, check=True)
    named = [word for name in ("crash", "exit", "hang") for word in ("-a", f"{name}={BROKEN[name]}")]
    result = heaptape("live", "-n", 2, *named, "--timeout=1s", "-o", tmp_path / "r", "--", program)
    assert result.returncode == 0, result.stderr
    entries = {entry["allocator"]: entry for entry in live_of(tmp_path / "r")["entries"]}
    assert {name: entry["status"] for name, entry in entries.items()} == {
        "libc": "ok", "crash": "crashed", "exit": "error", "hang": "timeout"}
    assert entries["crash"]["time_seconds"] is None and entries["crash"]["peak_resident_bytes"] is None
    assert "SIGSEGV" in result.stdout and "status 42" in result.stdout


def test_an_interrupt_keeps_what_is_there_and_leaves_no_child(tmp_path):
    mark = "47.11"
    process = subprocess.Popen([BUILD / "libexec/heaptape/heaptape-live", "-n", "2", "-a", "htmalloc", "-o", tmp_path / "r",
                                "--", "sleep", mark], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def sleepers():
        found = subprocess.run(["pgrep", "-f", f"^sleep {mark}"], capture_output=True, text=True)
        return found.stdout.split()

    if not shutil.which("pgrep"):
        process.kill()
        pytest.skip("no pgrep")
    deadline = time.monotonic() + 20
    while not sleepers() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert live_of(tmp_path / "r")["complete"] is False
    assert not sleepers()


@pytest.mark.parametrize("arguments, status", [
    (["--"], 2), ([], 2), (["-n", "1", "--", "true"], 2), (["-a", "null", "--", "true"], 2),
    (["--", "no-such-program"], 127), (["-o", "/proc/nowhere", "--", "true"], 4),
    (["-o", "/dev/null", "--", "true"], 4), (["--input=/no/such", "--", "true"], 4)])
def test_bad_input(heaptape, tmp_path, arguments, status):
    result = heaptape("live", *arguments, cwd=tmp_path)
    assert result.returncode == status
    one_line(result.stderr, "live")


def test_torn_results(heaptape, tmp_path):
    (tmp_path / "results.json").write_text('{"summary": [')
    result = heaptape("live", "-n", 2, "-a", "htmalloc", "-o", tmp_path, "--", "true")
    assert result.returncode == 3 and "results.json" in one_line(result.stderr, "live")


def test_without_hyperfine(heaptape, tmp_path):
    for tool in ("sh", "true", "readlink", "dirname", "cat", "basename"):
        os.symlink(shutil.which(tool), tmp_path / tool)
    result = heaptape("live", "--", "true", env=dict(os.environ, PATH=str(tmp_path)), cwd=tmp_path)
    assert result.returncode == 4 and "apt-get install hyperfine" in one_line(result.stderr, "live")
