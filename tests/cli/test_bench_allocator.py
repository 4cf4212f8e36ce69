"""make bench-allocator's harness: the shapes of what it prints, a failing program as a row, and that its figures
move with what they measure."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import BUILD, ROOT

FOLDER = ROOT / "allocator/bench"
sys.path.insert(0, str(FOLDER))

import gates  # noqa: E402
import results as res  # noqa: E402
from runs import Program, Sample, run_once  # noqa: E402

PROGRAMS = BUILD / "libexec/heaptape-bench"


@pytest.fixture(scope="session", autouse=True)
def built():
    """The programs of the bench are no part of `make`; the rest is built already."""
    wanted = [str(PROGRAMS / name) for name in ("measure", "workloads", "pair", "shrink", "bounded", "tiny")]
    subprocess.run(["make", f"B={BUILD}", "-s", *wanted], cwd=ROOT, check=True, capture_output=True)


def bench(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-B", FOLDER / "bench.py", "--build", BUILD, *arguments], capture_output=True, text=True,
        timeout=120, check=False, **more,
    )  # fmt: skip


def test_table_csv_and_json_of_two_programs(tmp_path):
    done = bench("--only", "tiny-two,covers,true", "--rounds", "1", "--allocators", "htmalloc")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # progress is for terminals
    lines = done.stdout.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert sum(line.split()[:1] == ["covers"] for line in lines) == 2  # CPU and resident
    assert sum(line.split()[:2] == ["all", "2"] for line in lines) == 2
    whole = json.loads((BUILD / "bench-allocator.json").read_text())
    assert whole["schema_version"] == 1
    assert [one["name"] for one in whole["allocators"]] == ["libc", "htmalloc"]
    covers = next(one for one in whole["programs"] if one["name"] == "covers")
    ours = covers["results"]["htmalloc"]
    assert covers["kind"] == "kernel" and ours["failure"] is None
    assert ours["rounds"][0]["cpu_s"] > 0.01 and 0.05 < ours["cpu_ratio"] < 5
    # The kernel holds a few hundred small blocks: a Python parent's peak would show here.
    assert 500e3 < ours["rounds"][0]["peak_resident_bytes"] < 6e6
    assert set(whole["means"]) == {"kernel", "tiny", "all"}
    # The section of DESIGN.md that is written from it is replaced, not added again.
    document = tmp_path / "DESIGN.md"
    document.write_text("# Design\n\ntext\n")
    for _ in range(2):
        command = [sys.executable, "-B", FOLDER / "design.py", BUILD / "bench-allocator.json", document]
        subprocess.run(command, check=True)
        text = document.read_text()
        assert text.startswith("# Design\n\ntext\n\n## The yardstick\n") and text.count("| covers: ") == 1


def test_another_htmalloc_beside_the_first(tmp_path):
    copy = shutil.copy(BUILD / "lib/heaptape/libhtmalloc.so", tmp_path / "libhtmalloc.so")
    done = bench("--only", "true", "--rounds", "1", "--allocators", "htmalloc", "--other", copy, "--format", "csv")
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[2] for row in rows[1:]] == ["libc", "htmalloc", "htmalloc-other"]
    assert rows[0][0] == "program" and all(len(row) == len(rows[0]) for row in rows)


@pytest.mark.parametrize("arguments, says", [
    (("--allocators", "nosuch"), "no allocator nosuch"),
    (("--other", "/nowhere/lib.so"), "/nowhere/lib.so: no such library"),
    (("--only", "nosuch"), "no program is called nosuch"),
])  # fmt: skip
def test_what_is_not_there_is_named(arguments, says):
    done = bench("--rounds", "1", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("bench-allocator: ") and says in done.stderr and done.stderr.count("\n") == 1


def launch(tmp_path, *argv, library="", **more):
    return run_once(PROGRAMS / "measure", Program("p", "tiny", "", argv, **more), library, tmp_path, 7)


def test_a_program_that_fails_is_a_row(tmp_path):
    assert launch(tmp_path, "sh", "-c", "exit 3") == "status 3"
    assert launch(tmp_path, "sh", "-c", "kill -SEGV $$") == "signal 11"
    assert launch(tmp_path, "/nowhere/program") == "status 127"
    assert isinstance(launch(tmp_path, "sh", "-c", "exit 3", statuses=(3,)), Sample)
    good, bad = Program("good", "kernel", "", ("a",)), Program("bad", "kernel", "", ("b",))
    results = res.Results([good, bad], ["libc", "htmalloc"])
    for name in ("libc", "htmalloc"):
        results.add("good", name, 0, Sample(1000, 2000, 30))
        results.add("bad", name, 0, "signal 11" if name == "htmalloc" else Sample(1000, 2000, 30))
    row = next(line for line in res.table(results).splitlines() if line.startswith("  bad"))
    assert "signal 11" in row
    assert results.ratio("bad", "htmalloc", "cpu_us") is None
    assert results.mean("all", "htmalloc", "cpu_us") == 1  # of the good one alone
    assert ",signal 11" in res.csv(results)


def test_the_client_is_not_counted_and_its_failure_is(tmp_path):
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done"
    sample = launch(tmp_path, "sleep", "60", client=busy)
    assert isinstance(sample, Sample) and sample.cpu_us < 50_000
    assert launch(tmp_path, "sh", "-c", busy).cpu_us > sample.cpu_us
    assert launch(tmp_path, "sleep", "60", client="exit 5") == "status 5"


def test_children_count_and_the_peak_is_the_largest_process(tmp_path):
    take = f"{sys.executable} -c 'x = bytes(range(256)) * (40 << 12)'"
    one, two = launch(tmp_path, "sh", "-c", f"{take}; :"), launch(tmp_path, "sh", "-c", f"{take} & {take} & wait; :")
    assert two.cpu_us > 1.3 * one.cpu_us
    assert 40_000 < one.resident_kib and two.resident_kib < 1.2 * one.resident_kib


def test_ratios_are_of_one_round_and_marked_above_the_limit():
    programs = [Program("phases", "kernel", "", ("a",)), Program("other", "kernel", "", ("a",))]
    results = res.Results(programs, ["libc", "htmalloc"])
    for number, base in enumerate((1000, 4000, 2000)):
        for program in programs:
            results.add(program.name, "libc", number, Sample(base, base, 1))
            results.add(program.name, "htmalloc", number, Sample(base * 1.2, base * 1.7, 1))
    assert results.ratio("other", "htmalloc", "cpu_us") == pytest.approx(1.2)
    rows = [line.split() for line in res.table(results).splitlines()]
    assert [(row[0], row[-1]) for row in rows if row[:1] in (["phases"], ["other"])] == [
        ("phases", "1.200!"), ("other", "1.200!"), ("phases", "1.700"), ("other", "1.700!"),
    ]  # fmt: skip


def test_gates_tell_one_allocator_from_another(tmp_path):
    chosen = [gates.Allocator("libc", "", ""), gates.Allocator("htmalloc", str(BUILD / "lib/heaptape/libhtmalloc.so"), "")]
    pairs = gates.pair_gates(PROGRAMS, chosen, tmp_path)
    if shutil.which("valgrind"):
        assert 100 < pairs[0].figures["libc"] < 170  # glibc 2.36: 135
        assert pairs[0].figures["htmalloc"] < pairs[0].figures["libc"]
        assert pairs[0].verdict("libc") == "miss"
    shrunk = gates.shrink_gates(PROGRAMS, chosen[:1], tmp_path)
    figures = {gate.name: gate.figures["libc"] for gate in shrunk}
    assert figures["shrunk, 64 bytes, 300 ms on"] > 100 > figures["shrunk, 64 bytes, malloc_trim"]
    table = gates.table(pairs + shrunk, ["libc", "htmalloc"])
    assert "135!" in table or not shutil.which("valgrind")
    assert f"of {len(pairs + shrunk)}" in table


def test_bounded_prints_live_held_and_resident():
    env = dict(os.environ, LD_PRELOAD=str(BUILD / "lib/heaptape/libhtmalloc.so"))
    done = subprocess.run([PROGRAMS / "bounded", "freers", "1"], env=env, capture_output=True, text=True, check=True)
    live, held, resident = map(int, done.stdout.split())
    assert 8 << 20 <= live < 13 << 20
    assert live < held < 4 * live and live < resident < 4 * live


def test_what_is_complete_is_kept_when_it_is_ended(tmp_path):
    copy = tmp_path / "build"
    copy.mkdir()
    for name in ("lib", "libexec"):
        (copy / name).symlink_to(BUILD / name)
    done = subprocess.Popen(
        [sys.executable, "-B", FOLDER / "bench.py", "--build", copy, "--only", "covers,graph", "--rounds", "1000",
         "--allocators", "htmalloc"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, TMPDIR=str(tmp_path)),
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(tmp_path.glob("heaptape-bench-*/usage")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(2)  # the first run has left its figures; they are read at once
    done.terminate()
    stdout, stderr = done.communicate(timeout=60)
    assert "interrupted; what is complete follows" in stderr
    assert done.returncode == 0 and "geometric means" in stdout
    programs = json.loads((copy / "bench-allocator.json").read_text())["programs"]
    assert 0 < sum(len(one["results"]["libc"]["rounds"]) for one in programs) < 2000
