"""heaptape compare, and the command itself: the main job from the front door."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD, ROOT

pytestmark = pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")
QUERY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
    "SELECT count(*), max(s) FROM (SELECT group_concat(i) AS s FROM n GROUP BY i % 50);"
)


def test_compare_does_the_whole_job(heaptape, tmp_path):
    out = tmp_path / "a 'quoted' folder"
    done = heaptape("compare", "-o", out, "-n", "3", "-a", "libc", "-a", "htmalloc", "--", "sqlite3", ":memory:", QUERY)
    assert done.returncode == 0, done.stderr
    assert "50|" in done.stdout and "htmalloc" in done.stdout
    assert "[1/3]" in done.stderr and "[3/3]" in done.stderr
    assert (out / "tapes" / "sqlite3.tape").exists()
    results = json.loads((out / "results.json").read_text())
    assert {r["allocator"] for r in results["summary"]} == {"libc", "htmalloc", "null"}
    assert all(r["status"] == "ok" for r in results["summary"])
    assert (out / "report.html").stat().st_size > 10_000
    assert len(list((out / "charts").glob("*.png"))) >= 6
    again = heaptape("compare", "-o", out, "-n", "3", "-a", "libc", "--", "sqlite3", ":memory:", "select 1")
    assert again.returncode == 0, "an earlier result may be replaced: " + again.stderr


def test_compare_follows_children_and_goes_on_after_a_failure(heaptape, tmp_path):
    out = tmp_path / "out"
    script = f'sqlite3 :memory: "{QUERY}"; exit 3'
    done = heaptape("compare", "-o", out, "-n", "3", "-a", "libc", "--tapes=1", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert "status 3" in done.stderr
    results = json.loads((out / "results.json").read_text())
    assert [t["program"].rsplit("/", 1)[-1] for t in results["tapes"]] == ["sqlite3"], "the tape with most events"


@pytest.mark.parametrize(
    "arguments, status, word",
    [
        (["compare"], 2, "no program"),
        (["compare", "--wrong", "--", "ls"], 2, "unknown option"),
        (["compare", "-o"], 2, "needs a value"),
        (["compare", "--tapes=x", "--", "ls"], 2, "not a count"),
        (["compare", "-n", "x", "--", "ls"], 2, "-n x"),
        (["compare", "-a", "nonesuch", "--", "ls"], 2, "nonesuch"),
        (["compare", "-a", "x=/no/such.so", "--", "ls"], 4, "/no/such.so"),
        (["compare", "--", "no-such-program-here"], 127, "no such program"),
        (["compare", "-o", "/proc/nowhere", "--", "ls"], 4, "cannot write"),
        (["nonsense"], 2, "no command"),
        ([], 2, "Usage"),
    ],
)
def test_bad_input_is_one_line_and_a_documented_status(heaptape, tmp_path, arguments, status, word):
    done = heaptape(*arguments, cwd=tmp_path)
    assert done.returncode == status and word in done.stderr
    assert list(tmp_path.iterdir()) == [], "a failed start leaves nothing behind"


def test_a_folder_that_is_something_else_is_refused(heaptape, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    done = heaptape("compare", "-o", tmp_path, "--", "sqlite3", ":memory:", "select 1")
    assert done.returncode == 4 and "not a results folder" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_help_and_version(heaptape):
    assert heaptape("--help").stdout.startswith("Examples:")
    assert heaptape("compare", "--help").stdout.startswith("Examples:")
    assert heaptape("--version").stdout == "heaptape " + (ROOT / "VERSION").read_text()


def test_before_the_build_it_says_what_to_do(tmp_path):
    environment = dict(os.environ, B=str(tmp_path / "nothing"))
    done = subprocess.run([ROOT / "heaptape", "bench"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4 and "./heaptape demo" in done.stderr


def test_ctrl_c_keeps_what_was_measured(tmp_path):
    out = tmp_path / "out"
    running = subprocess.Popen(
        [ROOT / "heaptape", "compare", "-o", out, "-n", "500", "--", "sqlite3", ":memory:", QUERY],
        env=dict(os.environ, B=str(BUILD)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (out / "results.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(running.pid, signal.SIGINT)
    errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130 or running.returncode == -signal.SIGINT, errors
    assert json.loads((out / "results.json").read_text())["complete"] is False
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
