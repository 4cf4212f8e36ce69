"""Call sites: recorded stacks against stacks that are known, heaptape trace top."""

import collections
import json
import os
import re
import subprocess

import pytest
from record_help import CASES, TRACE, info, record, run, sound, tapes_beside

LEAVES = {1031: "leaf_malloc", 1047: "leaf_calloc", 1063: "leaf_realloc"}
BUILDS = ["sites_case", "sites_case_fp"]


def top(tape, *options):
    done = run([TRACE, "top", "--format=json", "--count=100000", *options, tape])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def frames(row):
    """Function names, innermost first."""
    return [frame.split()[0] for frame in row["site"].split(" < ")]


def ours(rows):
    """Rows of the test program's own leaves: function of the innermost frame -> rows."""
    found = collections.defaultdict(list)
    for row in rows["top"]:
        found[frames(row)[0]].append(row)
    return found


@pytest.mark.parametrize("case", BUILDS)
def test_stacks_are_what_the_program_did(case, tmp_path):
    done = record(tmp_path / "x.tape", [CASES / case], "--sites=16", "-q")
    assert done.returncode == 0, done.stderr
    sound(tmp_path / "x.tape")
    rows = ours(top(tmp_path / "x.tape"))
    for size, leaf in LEAVES.items():
        (row,) = rows[leaf]
        assert (row["allocations"], row["allocated_bytes"]) == (100, 100 * size)
        assert frames(row)[:6] == [leaf, "middle", "outer", "outer", "outer", "main"]
        assert re.search(rf"{leaf} sites_case.c:\d+", row["site"])


@pytest.mark.parametrize("case", BUILDS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_more_frames_than_asked_for(case, depth, tmp_path):
    record(tmp_path / "x.tape", [CASES / case], f"--sites={depth}", "-q")
    for leaf in LEAVES.values():
        (row,) = ours(top(tmp_path / "x.tape"))[leaf]
        assert frames(row) == [leaf, "middle", "outer"][:depth]
        assert row["allocations"] == 100


def test_lines_are_those_of_the_calls(tmp_path, root):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "--sites", "-q")
    source = (root / "tests/stress/sites_case.c").read_text().splitlines()
    for leaf, call in zip(LEAVES.values(), ("malloc(1031)", "calloc(1, 1047)", "realloc(NULL, 1063)")):
        (row,) = ours(top(tmp_path / "x.tape"))[leaf]
        line = int(re.search(rf"{leaf} sites_case.c:(\d+)", row["site"])[1])
        assert call in source[line - 1]


def test_threads(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case", "thread"], "--sites=8", "-q")
    sound(tmp_path / "x.tape")
    (row,) = ours(top(tmp_path / "x.tape"))["leaf_malloc"]
    assert row["allocations"] == 4 * 34
    assert frames(row)[:6] == ["leaf_malloc", "middle", "outer", "outer", "outer", "run_thread"]


def test_a_forked_child_has_sites_of_its_own(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case", "fork"], "--sites=4", "-q")
    (child,) = tapes_beside(tmp_path / "x.tape").values()
    parent_rows, child_rows = ours(top(tmp_path / "x.tape")), ours(top(child))
    assert sum(r["allocations"] for r in parent_rows["leaf_malloc"]) == 51
    assert "leaf_calloc" not in parent_rows and "leaf_malloc" not in child_rows
    (row,) = child_rows["leaf_calloc"]
    assert row["allocations"] == 50 and frames(row) == ["leaf_calloc", "middle", "outer", "outer"]


def test_on_another_stack_one_frame_is_told(tmp_path):
    done = record(tmp_path / "x.tape", [CASES / "sites_case", "otherstack"], "--sites=8", "-q")
    assert done.returncode == 0
    (row,) = ours(top(tmp_path / "x.tape"))["leaf_malloc"]
    assert row["allocations"] == 10 and frames(row) == ["leaf_malloc"]


@pytest.mark.parametrize("depth", [1, 5])
def test_operator_new_is_passed_over(depth, tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_cxx"], f"--sites={depth}", "-q")
    rows = ours(top(tmp_path / "x.tape"))
    for name in ("one_new", "array_new", "nothrow_new"):
        (found,) = [leaf for leaf in rows if leaf.startswith(name)]
        (row,) = rows[found]
        assert row["allocations"] == 100
        assert depth == 1 or frames(row)[1] == "main"


@pytest.mark.parametrize("allocator", ["libjemalloc.so.2", "libmimalloc.so.2.0"])
def test_over_another_allocator(allocator, tmp_path):
    path = f"/usr/lib/x86_64-linux-gnu/{allocator}"
    if not os.path.exists(path):
        pytest.skip(f"{allocator} is not installed")
    environment = dict(os.environ, LD_PRELOAD=path)
    record(tmp_path / "x.tape", [CASES / "sites_cxx"], "--sites=4", "-q", env=environment)
    rows = ours(top(tmp_path / "x.tape"))
    (found,) = [leaf for leaf in rows if leaf.startswith("one_new")]
    assert rows[found][0]["allocations"] == 100


def test_sums_are_the_tape_s(tmp_path):
    """Every allocation has a site, and what is live at the peak adds up to the peak."""
    environment = dict(os.environ, PYTHONMALLOC="malloc")
    code = "import json; print(len(json.dumps([{'a': i} for i in range(3000)])))"
    record(tmp_path / "x.tape", ["/usr/bin/python3", "-c", code], "--sites", "-q", env=environment)
    tape, rows = sound(tmp_path / "x.tape"), top(tmp_path / "x.tape")
    assert sum(r["live_at_peak_bytes"] for r in rows["top"]) == tape["peak_live_bytes"]
    assert sum(r["allocations"] for r in rows["top"]) == tape["allocations"] + tape["reallocs"]
    assert sum(r["live_at_end_bytes"] for r in rows["top"]) == tape["live_at_end_bytes"]
    unknown = [r for r in rows["top"] if r["site"] == "(not known)"]
    assert sum(r["allocations"] for r in unknown) < tape["allocations"] / 1000
    orders = {"allocations": "allocations", "bytes": "allocated_bytes", "short": "short_lived",
              "leaked": "live_at_end_bytes", "live": "live_at_peak_bytes"}
    for by, key in orders.items():
        values = [r[key] for r in top(tmp_path / "x.tape", f"--by={by}")["top"]]
        assert values == sorted(values, reverse=True) and values[0] > 0


def test_a_tape_is_the_same_apart_from_sites(tmp_path):
    for name, options in (("a", []), ("b", ["--sites"])):
        record(tmp_path / f"{name}.tape", [CASES / "sites_case"], "-q", *options)
    a, b = info(tmp_path / "a.tape"), info(tmp_path / "b.tape")
    assert a["by_kind"] == b["by_kind"] and a["peak_live_bytes"] == b["peak_live_bytes"]


def test_what_cannot_be_read_twice_is_told(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "--sites", "-q")
    with subprocess.Popen(["cat", tmp_path / "x.tape"], stdout=subprocess.PIPE) as cat:
        done = run([TRACE, "top", "/dev/stdin"], stdin=cat.stdout)
        cat.stdout.close()
    assert done.returncode == 3 and done.stdout == b"" and b"name a file, not a pipe" in done.stderr


def test_slices_keep_their_sites(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "--sites=3", "-q")
    done = run([TRACE, "slice", "--events=150:", "-o", tmp_path / "y.tape", tmp_path / "x.tape"])
    assert done.returncode == 0, done.stderr
    rows = ours(top(tmp_path / "y.tape"))
    for leaf in LEAVES.values():
        assert rows[leaf][0]["allocations"] == 100  # some before, which the slice begins with


def test_what_is_said_where_there_is_nothing(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "-q")
    done = run([TRACE, "top", tmp_path / "x.tape"])
    assert done.returncode == 3 and b"--sites" in done.stderr and done.stderr.count(b"\n") == 1
    for bad in ("--sites=0", "--sites=65", "--sites=x", "--sites=-1"):
        assert record(tmp_path / "y.tape", ["true"], bad).returncode == 2
    assert run([TRACE, "top", "--by=nothing", tmp_path / "x.tape"]).returncode == 2


def test_for_people_a_stack_stands_below_its_figures(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "--sites=3", "-q")
    lines = run([TRACE, "top", "--count=1", "--by=bytes", tmp_path / "x.tape"]).stdout.decode().splitlines()
    assert "live at the peak" in lines[0] and "by bytes" in lines[0]
    assert "100 allocations of 103.8 KiB" in lines[2]
    assert re.fullmatch(r" +leaf_realloc sites_case.c:\d+", lines[3])
    assert re.fullmatch(r" +< middle sites_case.c:\d+", lines[4])
    assert re.fullmatch(r" +< outer sites_case.c:\d+", lines[5])


def test_dump_shows_sites(tmp_path):
    record(tmp_path / "x.tape", [CASES / "sites_case"], "--sites=1", "-q")
    done = subprocess.run([TRACE, "dump", "--format=json", tmp_path / "x.tape"], capture_output=True, check=True)
    events = json.loads(done.stdout)
    by_site = collections.Counter(e["site"] for e in events if e["size_bytes"] in LEAVES)
    assert sorted(by_site.values()) == [100, 100, 100] and 0 not in by_site
