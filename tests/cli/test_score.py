"""heaptape score: the contest's formula over programs, against libc."""

import json
import math
import subprocess

import pytest

from driver_help import BROKEN, one_line

GROW = "perl -e '$h{$_} = $_ x 3 for 1..20000'"


def score(heaptape, *arguments, status=0):
    result = heaptape("score", "--format=json", *arguments)
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)["runs"]


def by_formula(runs, allocator):
    mine = [r for r in runs if r["allocator"] == allocator]
    libc = [r for r in runs if r["allocator"] == "libc"]
    total = 0.0
    for own, reference in zip(mine, libc):
        assert own["program"] == reference["program"]
        for key in ("cpu_seconds", "mean_heap_bytes", "largest_heap_bytes"):
            total += math.log2(reference[key] / own[key] + 1)
    return 100 * total / (3 * len(mine))


def test_the_formula(heaptape):
    runs = score(heaptape, "-a", "bump", "-a", "jemalloc", "-n", 2, "-c", GROW, "--", "sqlite3", ":memory:", "select hex(zeroblob(9999))")
    assert [(r["allocator"], r["status"]) for r in runs] == [(name, "ok") for name in ("libc", "bump", "jemalloc") for _ in (1, 2)]
    for allocator in ("bump", "jemalloc"):
        for run in runs:
            if run["allocator"] == allocator:
                assert run["score_percent"] == pytest.approx(by_formula(runs, allocator), abs=0.1)
    assert {r["score_percent"] for r in runs if r["allocator"] == "libc"} == {100}


def test_libc_again_is_about_a_hundred(heaptape):
    runs = score(heaptape, "-a", "again=libc,MALLOC_NONE=1", "-n", 3, "-c", GROW)
    own = runs[1]
    assert own["mean_heap_part"] == pytest.approx(1, abs=0.01) and own["largest_heap_part"] == pytest.approx(1, abs=0.01)


def test_a_waster_loses(heaptape, tmp_path):
    """Frees that do nothing, on a program that frees a lot."""
    source = "#include <stdlib.h>\nint main(void){for(int i=0;i<300000;i++){char*volatile p=malloc(100);*p=1;free(p);}return 0;}"
    subprocess.run(["cc", "-O1", "-fno-builtin", "-x", "c", "-", "-o", tmp_path / "p"], input=source, text=True, check=True)
    bump, first = (score(heaptape, "-a", name, "-n", 1, "--", tmp_path / "p")[1] for name in ("bump", "first-fit"))
    assert bump["largest_heap_part"] < 0.02 and bump["mean_heap_part"] < 0.03
    assert 0.6 < first["largest_heap_part"] < 2


def test_failures(heaptape):
    runs = score(heaptape, "-a", f"crash={BROKEN['crash']}", "-n", 1, "-c", GROW, status=1)
    assert runs[1]["status"] == "failed" and runs[1]["detail"] == "ended by a signal" and runs[1]["score_percent"] == 0
    result = heaptape("score", "-a", "bump", "-c", "kill -SEGV $$")
    assert result.returncode == 3 and "on libc" in one_line(result.stderr, "score")
    result = heaptape("score", "-a", "bump", "--limit-time=200ms", "-c", "exec sleep 50")
    assert result.returncode == 3 and "too long" in one_line(result.stderr, "score")


def test_input_is_read_anew_each_time(heaptape, tmp_path):
    text = tmp_path / "text"
    text.write_text("b\na\n" * 5000)
    runs = score(heaptape, "-a", "best-fit", "-n", 2, f"--input={text}", "-c", "[ $(wc -l) = 10000 ] && exit 5", status=0)
    assert {r["exit_status"] for r in runs} == {5}


def test_the_table_and_wrong_use(heaptape):
    result = heaptape("score", "-a", "bump", "-n", 1, "-c", GROW)
    assert "bump " in result.stdout and " %\n" in result.stdout and "perl -e" in result.stdout
    for wrong in (["-a", "bump"], ["-c", "true"], ["-a", "libc", "-c", "true"], ["-a", "nomalloc", "-c", "true"]):
        result = heaptape("score", *wrong)
        assert result.returncode == 2
        one_line(result.stderr, "score")
