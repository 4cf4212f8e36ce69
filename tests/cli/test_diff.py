"""heaptape diff, bench --against --fail-if: what got worse is told, and nothing else."""

import copy
import csv
import io
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, ROOT
from driver_help import BROKEN, make_tape, one_line

SLOW = BUILD / "tests/libbroken_slow.so"


def make_results(times, peaks=(1000, 1000, 1000), allocator="mine", libc=20.0, held=None):
    """A results.json of one tape by hand: ns per operation of each round, peaks of each memory round."""
    def run(name, mode, number, **figures):
        return dict(tape="t", allocator=name, mode=mode, round=number, status="ok", **figures)

    runs = []
    for number, ns in enumerate(times):
        runs += [run("libc", "time", number, ns_per_operation=libc, minor_faults=5),
                 run(allocator, "time", number, ns_per_operation=ns, minor_faults=7),
                 run("null", "time", number, ns_per_operation=2.0, minor_faults=0)]
    for number, peak in enumerate(peaks):
        runs += [run("libc", "memory", number, peak_resident_bytes=900, peak_held_bytes=950),
                 run(allocator, "memory", number, peak_resident_bytes=peak, peak_held_bytes=held)]
    summary = [dict(tape="t", allocator=name, status="ok", detail="", is_floor=name == "null")
               for name in ("libc", allocator, "null")]
    return dict(schema_version=1, tool=dict(version="1", engine_build_id="aa"),
                machine=dict(cpu_model="A", cores=2, kernel="k", libc="g", thp="never"),
                settings=dict(touch="first", order="causal", pace="asap"),
                tapes=[dict(name="t", events=100, peak_live_bytes=10)], runs=runs, summary=summary)


OLD = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0, 10.1]


def save(folder, results):
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def diff(heaptape, tmp_path):
    """Both results, the options; gives the process and what it said as JSON by metric."""
    def run(old, new, *options):
        folders = save(tmp_path / "old", old), save(tmp_path / "new", new)
        result = heaptape("diff", *folders, *options, "--format=json")
        changes = json.loads(result.stdout)["changes"] if result.stdout else []
        return result, {(c["allocator"], c["metric"]): c for c in changes}
    return run


def scaled(factor):
    return [ns * factor for ns in OLD]


def test_nothing_changed(diff):
    result, changes = diff(make_results(OLD), make_results(OLD), "--fail-if", "time>3%,peak_resident>1%")
    assert result.returncode == 0, result.stderr
    assert {c["verdict"] for c in changes.values()} == {"within_limit"}
    assert set(changes) == {("mine", "time"), ("mine", "peak_resident")}
    assert changes["mine", "time"]["old_median"] == pytest.approx(0.5)


def test_time_that_got_worse_fails(diff):
    result, changes = diff(make_results(OLD), make_results(scaled(1.1)), "--fail-if", "time>3%")
    change = changes["mine", "time"]
    assert result.returncode == 1 and change["verdict"] == "worse"
    assert change["change"]["median"] == pytest.approx(0.1, abs=0.01)
    assert 0.03 < change["change"]["ci_low"] <= 0.1 <= change["change"]["ci_high"] < 0.15
    # the same, but more is allowed
    result, changes = diff(make_results(OLD), make_results(scaled(1.1)), "--fail-if", "time > 20 %")
    assert result.returncode == 0 and changes["mine", "time"]["verdict"] == "within_limit"


def test_what_is_not_shown_does_not_fail(diff):
    """The median is 10 % higher, but the runs vary by far more."""
    wild = [8.0, 15.0, 9.0, 11.0, 11.0, 14.0, 8.5, 11.0]
    result, changes = diff(make_results(OLD), make_results(wild), "--fail-if", "time>3%")
    change = changes["mine", "time"]
    assert result.returncode == 0 and change["verdict"] == "not_shown"
    assert change["change"]["median"] > 0.03 > change["change"]["ci_low"]
    # nor do too few runs, however far they are
    result, changes = diff(make_results(OLD), make_results([30.0, 30.0]), "--fail-if", "time>3%")
    assert result.returncode == 0 and changes["mine", "time"]["verdict"] == "not_shown"
    assert "too few" in changes["mine", "time"]["detail"]


def test_a_slower_machine_is_no_regression(diff):
    """All times doubled, libc's too: relative time is the same, absolute time is not."""
    new = make_results(scaled(2), libc=40.0)
    result, changes = diff(make_results(OLD), new, "--fail-if", "time>3%,absolute_time>3%")
    assert changes["mine", "time"]["verdict"] == "within_limit"
    assert changes["mine", "absolute_time"]["verdict"] == "worse" and result.returncode == 1


def test_net_time_leaves_the_floor_out(diff):
    """10 of 20 ns become 11 with a floor of 2: (11 - 2) / (10 - 2) - 1 = 12.5 %."""
    _, changes = diff(make_results([10.0] * 8), make_results([11.0] * 8), "--fail-if", "net_time>1%")
    assert changes["mine", "net_time"]["change"]["median"] == pytest.approx(0.125)
    assert changes["mine", "net_time"]["old_median"] == pytest.approx(8 / 18)


def test_memory_is_judged_from_few_runs(diff):
    for peaks in ([1020], [1020, 1021], [1020, 1021, 1022]):
        result, changes = diff(make_results(OLD), make_results(OLD, peaks), "--fail-if", "peak_resident>1%")
        assert result.returncode == 1 and changes["mine", "peak_resident"]["verdict"] == "worse", peaks
    result, changes = diff(make_results(OLD), make_results(OLD, [1009, 1020, 1021]), "--fail-if", "peak_resident>1%")
    assert result.returncode == 0 and changes["mine", "peak_resident"]["verdict"] == "not_shown"
    result, changes = diff(make_results(OLD), make_results(OLD, [900] * 3), "--fail-if", "peak_resident>1%")
    assert result.returncode == 0 and changes["mine", "peak_resident"]["verdict"] == "better"


def test_held_that_is_not_known_is_said_to_be_so(diff):
    result, changes = diff(make_results(OLD, held=None), make_results(OLD, held=5), "--fail-if", "peak_held>1%")
    assert result.returncode == 0 and changes["mine", "peak_held"]["verdict"] == "unknown"
    assert "old results" in changes["mine", "peak_held"]["detail"]


def test_libc_is_the_measure_and_not_judged(diff):
    new = make_results(OLD, libc=25.0)
    result, changes = diff(make_results(OLD), new)
    assert {allocator for allocator, _ in changes} == {"mine"}
    assert {metric for _, metric in changes} == {"time", "peak_resident", "peak_held"}


def test_one_that_crashes_now_fails_whatever_was_asked(diff):
    new = make_results(OLD)
    new["summary"][1] |= dict(status="crashed", detail="SIGSEGV at about operation 5")
    result, changes = diff(make_results(OLD), new, "--fail-if", "peak_held>1%")
    change = changes["mine", None]
    assert result.returncode == 1 and change["verdict"] == "worse" and "SIGSEGV" in change["detail"]
    result, changes = diff(new, make_results(OLD), "--fail-if", "peak_held>1%")
    assert result.returncode == 0 and changes["mine", None]["verdict"] == "better"
    result, changes = diff(new, new, "--fail-if", "peak_held>1%")
    assert result.returncode == 0 and changes["mine", None]["verdict"] == "unknown"


def test_without_fail_if_nothing_fails(diff):
    result, changes = diff(make_results(OLD), make_results(scaled(2)))
    assert result.returncode == 0 and changes["mine", "time"]["verdict"] == "worse"


def test_missing_and_new_ones_are_named(diff):
    old, new = make_results(OLD), make_results(OLD)
    old["summary"].append(dict(tape="t", allocator="gone", status="ok", detail="", is_floor=False))
    new["summary"].append(dict(tape="t", allocator="fresh", status="ok", detail="", is_floor=False))
    result, changes = diff(old, new, "--fail-if", "time>3%")
    assert result.returncode == 0
    assert changes["gone", None]["verdict"] == "missing" and changes["fresh", None]["verdict"] == "new"
    assert diff(old, new, "--fail-missing")[0].returncode == 1
    assert diff(new, new, "--fail-missing")[0].returncode == 0


def test_nothing_in_common_is_an_error(diff):
    """Else a check that compares nothing would pass for ever."""
    result, _ = diff(make_results(OLD), make_results(OLD, allocator="other"), "--fail-if", "time>3%")
    assert result.returncode == 3 and "in common" in one_line(result.stderr, "diff")
    new = make_results(OLD)
    new["tapes"][0]["events"] = 101
    result, _ = diff(make_results(OLD), new, "--fail-if", "time>3%")
    assert result.returncode == 3


@pytest.mark.parametrize("place, value, word", [
    (("machine", "cpu_model"), "B", "another CPU"), (("machine", "cores"), 8, "number of cores"),
    (("machine", "libc"), "glibc 2.99", "another libc"), (("tool", "version"), "9", "another heaptape"),
    (("tool", "engine_build_id"), "bb", "another build of the engine"), (("settings", "touch"), "full", "--touch")])
def test_what_spoils_a_comparison_is_told(diff, place, value, word):
    new = copy.deepcopy(make_results(OLD))
    new[place[0]][place[1]] = value
    result, _ = diff(make_results(OLD), new)
    assert result.returncode == 0
    warnings = json.loads(result.stdout)["warnings"]
    assert len(warnings) == 1 and word in warnings[0] and warnings[0] in result.stderr


@pytest.mark.parametrize("text, at, word", [
    ("", 1, "metric"), ("tme>3%", 1, "peak_resident"), ("time<3%", 5, "'>'"), ("time>x%", 6, "number"),
    ("time>3", 7, "'%'"), ("time>3%,", 9, "metric"), ("time>3%;", 8, "','"), ("time>3%,time>4%", 9, "twice"),
    ("time>-3%", 6, "number"), ("time>nan%", 6, "number")])
def test_a_bad_list_is_told_with_its_place(diff, heaptape, tmp_path, text, at, word):
    result, _ = diff(make_results(OLD), make_results(OLD), "--fail-if", text)
    message = one_line(result.stderr, "diff")
    assert result.returncode == 2 and f"character {at}: " in message and word in message
    result = heaptape("bench", "x.tape", "--against", tmp_path / "old", "--fail-if", text)
    assert result.returncode == 2 and f"character {at}: " in one_line(result.stderr, "bench")


@pytest.mark.parametrize("content, status", [
    (None, 4), ("", 3), ("[]", 3), ("{}", 3), ('{"schema_version": 1}', 3), ('{"schema_version": 99}', 3),
    ('{"schema_version": 1, "runs": 5, "summary": []}', 3),
    ('{"schema_version": 1, "runs": [5, {}], "summary": [7, {"tape": []}]}', 3)])
def test_what_are_no_results(heaptape, tmp_path, content, status):
    save(tmp_path / "good", make_results(OLD))
    bad = tmp_path / "bad"
    bad.mkdir()
    if content is not None:
        (bad / "results.json").write_text(content)
    for folders in ((bad, tmp_path / "good"), (tmp_path / "good", bad)):
        result = heaptape("diff", *folders)
        assert result.returncode == status and str(bad) in one_line(result.stderr, "diff")


def test_table_and_csv(heaptape, tmp_path):
    old, new = save(tmp_path / "old", make_results(OLD)), save(tmp_path / "new", make_results(scaled(1.2)))
    result = heaptape("diff", old, new, "--fail-if", "time>3%,peak_resident>1%")
    lines = result.stdout.splitlines()
    assert result.returncode == 1 and lines[0].startswith("FAILED against") and "1 worse" in lines[0]
    assert lines[-1].split()[:3] == ["t", "mine", "time"] and lines[-1].endswith("worse")
    assert not any("peak_resident " in line for line in lines[3:])  # what is well is counted, not listed
    result = heaptape("diff", old, old)
    assert "no change shown" in result.stdout and "FAILED" not in result.stdout
    rows = list(csv.DictReader(io.StringIO(heaptape("diff", old, new, "--format=csv").stdout)))
    assert [row["metric"] for row in rows] == ["time", "peak_resident", "peak_held"]
    assert rows[0]["verdict"] == "worse" and float(rows[0]["change_median"]) == pytest.approx(0.2, abs=0.02)


# ---- through bench -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "one.tape", events=40000)


@pytest.fixture(scope="module")
def earlier(heaptape, tape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier") / "r"
    assert heaptape("bench", tape, "-a", "mine=htmalloc", "-n", 6, "-o", folder).returncode == 0
    return folder


def test_a_bench_finds_the_allocator_that_got_worse(heaptape, tape, earlier, tmp_path):
    check = ["--against", earlier, "--fail-if", "time>60%,peak_resident>5%"]
    result = heaptape("bench", tape, "-a", "mine=htmalloc", "-n", 6, "-o", tmp_path / "same", *check)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"against {earlier}: 2 compared" in result.stdout
    result = heaptape("bench", tape, "-a", f"mine={SLOW}", "-n", 6, "-o", tmp_path / "slow", *check)
    assert result.returncode == 1, result.stdout + result.stderr
    worse = re.findall(r"^  one +mine +(\w+) .*worse$", result.stdout, re.M)
    assert sorted(worse) == ["peak_resident", "time"]
    result = heaptape("diff", earlier, tmp_path / "slow", *check[2:], "--format=json")
    assert result.returncode == 1 and json.loads(result.stdout)["counts"]["worse"] == 2
    # an allocator that crashes now
    result = heaptape("bench", tape, "-a", f"mine={BROKEN['crash']}", "-n", 6, "-o", tmp_path / "c", *check,
                      "--format=json")
    assert result.returncode == 1 and "SIGSEGV" in json.loads(result.stdout)["against"]["changes"][0]["detail"]


def test_single_calls_are_checked_too(heaptape, tape, tmp_path):
    """A percentile in the list brings the rounds that an interval needs."""
    first, check = tmp_path / "first", ["--fail-if", "p50>100%,p90>100%"]
    assert heaptape("bench", tape, "-a", "mine=htmalloc", "--quick", "--latency-rounds=5", "-o", first).returncode == 0
    result = heaptape("bench", tape, "-a", f"mine={SLOW}", "--quick", "--against", first, *check, "-o", tmp_path / "r",
                      "--format=json")
    changes = {c["metric"]: c for c in json.loads(result.stdout)["against"]["changes"]}
    assert changes["p50"]["old_runs"] == changes["p50"]["new_runs"] == 5
    # half of all calls are frees, which are not slow: the tenth slowest are mallocs
    assert changes["p90"]["verdict"] == "worse" and result.returncode == 1


def test_results_may_be_replaced_by_the_ones_they_are_compared_with(heaptape, tape, tmp_path):
    folder = tmp_path / "r"
    for options in ([], ["--against", folder]):
        result = heaptape("bench", tape, "-a", "mine=htmalloc", "--quick", "-o", folder, *options, "--format=csv")
        assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("tape,allocator,metric,")


def steps_of_the_readme():
    """The commands of the workflow in README.md, by the name of their step."""
    block = re.search(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S).group(1)
    found = re.findall(r"^ +- name: (.*)\n(?: +env: .*\n)?( +)run: \|\n((?:\2 +.*\n)+)", block, re.M)
    return {name: "\n".join(line.strip() for line in body.splitlines()) for name, _, body in found}


MAKEFILE = "libmine.so: mine.c\n\t$(CC) -O2 -shared -fPIC -o $@ $<\n"
MINE = """
#include <stddef.h>
void *__libc_malloc(size_t size);
void *malloc(size_t size) { return __libc_malloc(%s); }
"""


@pytest.mark.parametrize("after, status", [("size + 0", 0), ("4 * size + 256", 1)])
def test_the_workflow_of_the_readme_works(tape, tmp_path, after, status):
    """All but its first step, which needs a network: an allocator's repository, and a branch that changes it."""
    steps = steps_of_the_readme()
    assert list(steps) == ["heaptape", "the allocator before and after", "bench and compare"]
    assert "make -C heaptape" in steps["heaptape"] and "--fail-if" in steps["bench and compare"]
    upstream, work = tmp_path / "upstream", tmp_path / "work"
    environment = dict(os.environ, GITHUB_BASE_REF="main", GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="a",
                       GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")

    def sh(text, where):
        return subprocess.run(["bash", "-e", "-c", text], cwd=where, env=environment, capture_output=True, text=True,
                              timeout=120)

    (upstream / "tapes").mkdir(parents=True)
    (upstream / "Makefile").write_text(MAKEFILE)
    (upstream / "mine.c").write_text(MINE % "size")
    (upstream / "tapes/one.tape").write_bytes(tape.read_bytes())
    assert sh("git init -q -b main && git add . && git commit -qm one", upstream).returncode == 0
    assert sh(f"git clone -q {upstream} work", tmp_path).returncode == 0
    (work / "mine.c").write_text(MINE % after)
    assert sh("git checkout -q -b change && git commit -qam two", work).returncode == 0
    (work / "heaptape").symlink_to(ROOT)
    assert sh(steps["the allocator before and after"], work).returncode == 0
    # this machine may be busy with other tests, and time is no part of what was changed
    ran = sh(steps["bench and compare"].replace("time>3%", "time>300%"), work)
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert ("FAILED against before" in ran.stdout) == bool(status)


def test_a_check_needs_something_to_check_against(heaptape, tape, tmp_path):
    result = heaptape("bench", tape, "--fail-if", "time>3%", cwd=tmp_path)
    assert result.returncode == 2 and "--against" in one_line(result.stderr, "bench")
    result = heaptape("bench", tape, "--against", "gone", cwd=tmp_path)
    assert result.returncode == 4 and "gone" in one_line(result.stderr, "bench")
    assert not list(tmp_path.iterdir())
