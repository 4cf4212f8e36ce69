"""Memory mode: the engine's own memory never shows, the allocator's system calls are counted exactly, samples
carry faults and huge pages, and sampling keeps to its share of the time."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BUILD

ENGINE = BUILD / "libexec/heaptape/heaptape-engine"
MAKE_TAPE = BUILD / "tests/engine_tape"
CALLS = BUILD / "tests/engine_calls.so"
WINDOWS = ["--plan-memory=256k"]


def allocators() -> dict[str, str]:
    listed = subprocess.run([BUILD / "libexec/heaptape/heaptape-allocators", "--format=csv"],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [dict(zip(listed[0].split(","), line.split(","))) for line in listed[1:]]
    return {row["name"]: row["path"] for row in rows}


ALLOCATORS = allocators()


def tape_of(path: pathlib.Path, *how: str) -> pathlib.Path:
    subprocess.run([MAKE_TAPE, path, *how], capture_output=True, check=True)
    return path


def run_engine(tape, *options, preload="", wrap=(), **environment):
    """The figures, and the samples by column."""
    env = dict(os.environ, **environment)
    env.pop("LD_PRELOAD", None)
    command = [*wrap, ENGINE, "--tape", tape, "--mode=memory", "--series", *options]
    if preload and wrap:
        command[len(wrap) - 1:len(wrap) - 1] = ["-E", f"LD_PRELOAD={preload}"]
    elif preload:
        env["LD_PRELOAD"] = str(preload)
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("operation,"))
    values = {key: float(value) for key, value in (line.split() for line in lines[:header])}
    columns = lines[header].split(",")
    return values, [dict(zip(columns, map(int, line.split(",")))) for line in lines[header + 1:]]


def calls_of(values) -> dict[str, tuple[int, int, int]]:
    names = [key[5:-6] for key in values if re.fullmatch(r"call_.*_calls", key)]
    return {name: tuple(int(values[f"call_{name}_{what}"]) for what in ("calls", "failed", "bytes"))
            for name in names}


# ---- nothing of the engine's own shows ---------------------------------------------------------------------

NOTHING = {
    "empty": (("0", "1", "1", "0"), []),
    "nulls": (("20000", "1", "1", "0", "nulls"), []),
    "nulls, windows": (("200000", "1", "1", "0", "nulls"), WINDOWS),
    "nulls, four lanes": (("20000", "1", "4", "0", "nulls"), []),
    "nulls, four lanes, windows": (("200000", "1", "4", "0", "nulls"), WINDOWS),
    "nulls, 60 lanes that come and go": (("20000", "1", "60", "0", "nulls", "short"), []),
    "nulls, 600 lanes, windows": (("100000", "1", "600", "0", "nulls", "short"), WINDOWS),
}


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize("shape", NOTHING)
def test_a_tape_that_asks_for_nothing_shows_no_growth(tmp_path, shape, name):
    how, options = NOTHING[shape]
    tape = tape_of(tmp_path / "t.tape", *how)
    for _ in range(4):  # pages of the library's code that come from the disk in the middle of a run are its growth
        values, series = run_engine(tape, *options, preload=ALLOCATORS[name])
        if all(point["major_faults"] == 0 for point in series):
            break
    held = series[0]["held_bytes"]  # what the allocator had mapped at the start is in H
    # The hardened library is larger than what one fault maps: lanes may be the first on some pages of its code.
    code = 16384 if name == "htmalloc-hard" else 0
    grown = [point for point in series
             if point["requested_bytes"] or point["usable_bytes"] or point["resident_bytes"] > code
             or point["held_bytes"] != held or point["huge_bytes"] > 0]
    assert not grown, f"{len(grown)} of {len(series)}: {grown[0]}"
    assert 0 <= values["peak_resident_bytes"] - values["startup_resident_bytes"] <= code


def test_thousands_of_threads_ask_the_heap_for_nothing(tmp_path):
    """libc's table for each thread comes from the engine, again and again from the same room."""
    tape, counted = tmp_path / "t.tape", tmp_path / "counts"
    made = subprocess.run([MAKE_TAPE, tape, "60000", "300", "3000", "0", "short"], capture_output=True, text=True,
                          check=True).stdout
    run_engine(tape, preload=BUILD / "tests/engine_count.so", ENGINE_COUNT=str(counted))
    expected = dict(line.split() for line in made.splitlines())
    counts = dict(line.split() for line in counted.read_text().splitlines())
    assert {kind: counts[kind] for kind in ("calloc", "free")} == {kind: expected[kind] for kind in ("calloc", "free")}


# ---- system calls ------------------------------------------------------------------------------------------

PER_CALL = {
    "mmap": (1, 0, 8192), "mmap_reserve": (1, 0, 16384), "mremap": (1, 0, 12288), "mprotect": (1, 0, 4096),
    "madvise_dontneed": (1, 0, 4096), "madvise_free": (1, 0, 4096), "madvise_hugepage": (1, 0, 4096),
    "madvise_nohugepage": (1, 0, 4096), "madvise_other": (1, 0, 4096), "munmap": (3, 1, 12288 + 16384),
    "brk_query": (1, 0, 0), "brk_grow": (1, 0, 4096), "brk_shrink": (1, 0, 4096),
    "madvise_collapse": (0, 0, 0), "madvise_populate": (0, 0, 0),
}


@pytest.mark.parametrize("shape", [shape for shape in NOTHING if "windows" not in shape or "600" in shape])
def test_every_call_of_the_allocator_is_counted_and_none_of_the_engine(tmp_path, shape):
    """By libc, by an inlined instruction, with signals blocked; while threads come, go and are joined."""
    how, options = NOTHING[shape]
    how = (str(int(how[0]) // 10), *how[1:])
    values, series = run_engine(tape_of(tmp_path / "t.tape", *how), *options, preload=CALLS)
    times = int(values["operations"])
    assert times == int(how[0])
    assert values["system_calls_known"] == 1
    assert calls_of(values) == {name: tuple(times * each for each in one) for name, one in PER_CALL.items()}
    assert series[-1]["system_calls"] == times * sum(one[0] for one in PER_CALL.values())
    counts = [point["system_calls"] for point in series]
    assert counts == sorted(counts)


def strace_counts(log: pathlib.Path) -> dict[str, int]:
    """
    The calls in the windows. A window begins behind the engine's reset of the high-water mark and ends with
    its reading, and shows in the log by that.
    """
    total: dict[str, int] = {}
    window: list[str] = []
    counts = False
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if '"/proc/self/clear_refs"' in line:
            window, counts = [], True
        elif '"/proc/self/status"' in line:
            for name in window:
                total[name] = total.get(name, 0) + 1
            window, counts = [], False
        elif counts and match and match[1] not in ("openat", "exit_group"):
            window.append(match[1])
    return total


@pytest.mark.skipif(not shutil.which("strace"), reason="apt-get install strace")
@pytest.mark.parametrize("lanes", ["1", "3"])
@pytest.mark.parametrize("name", ALLOCATORS)
def test_counts_agree_with_strace(tmp_path, name, lanes):
    """An independent count. strace sees each call twice: as the filter stops it, and as the handler makes it;
    brk three times, since the handler asks where it was before."""
    tape = tape_of(tmp_path / "t.tape", "30000", "3000", lanes, "20")
    log = tmp_path / "log"
    names = "mmap,munmap,mremap,mprotect,madvise,brk"
    wrap = ["strace", "-f", "-o", str(log), "-e", f"trace={names},openat", "--"]
    values, _ = run_engine(tape, *WINDOWS, preload=ALLOCATORS[name], wrap=wrap)
    counts = dict.fromkeys(names.split(","), 0)
    for call, (calls, _, _) in calls_of(values).items():
        counts[call.split("_")[0]] += calls
    seen = strace_counts(log)
    assert {call: 3 * count if call == "brk" else 2 * count for call, count in counts.items()} == \
        {call: seen.get(call, 0) for call in counts}
    if name != "null":
        assert sum(counts.values()) > 0


def test_where_the_filter_is_not_permitted_counts_are_unknown(tmp_path):
    """strace answers for the kernel."""
    if not shutil.which("strace"):
        pytest.skip("apt-get install strace")
    tape = tape_of(tmp_path / "t.tape", "3000", "300", "1", "0")
    wrap = ["strace", "-f", "-o", "/dev/null", "-e", "inject=seccomp:error=EPERM", "--"]
    values, series = run_engine(tape, wrap=wrap)
    assert values["system_calls_known"] == 0
    assert not calls_of(values)
    assert {point["system_calls"] for point in series} == {-1}


def test_the_time_pass_has_no_filter(tmp_path):
    if not shutil.which("strace"):
        pytest.skip("apt-get install strace")
    tape = tape_of(tmp_path / "t.tape", "3000", "300", "2", "0")
    log = tmp_path / "log"
    subprocess.run(["strace", "-f", "-o", log, ENGINE, "--tape", tape, "--print"], check=True,
                   capture_output=True, timeout=60)
    text = log.read_text()
    assert "seccomp(" not in text and "SIGSYS" not in text


# ---- the samples -------------------------------------------------------------------------------------------

def test_faults_follow_what_is_touched(tmp_path):
    """Cumulative, and at least a fault for every new page but where huge pages come at once."""
    tape = tape_of(tmp_path / "t.tape", "30000", "3000", "1", "0")
    values, series = run_engine(tape)
    faults = [point["minor_faults"] for point in series]
    assert faults == sorted(faults)
    assert 0 < faults[-1] == values["minor_faults"]
    grown = series[-1]["resident_bytes"] / 4096
    assert faults[-1] >= grown
    assert {point["major_faults"] for point in series} == {0}


def test_huge_pages_are_told_where_they_were_read(tmp_path):
    tape = tape_of(tmp_path / "t.tape", "30000", "3000", "1", "0")
    plain, series = run_engine(tape)
    assert plain["huge_bytes_at_peak"] == 0
    read = [point for point in series if point["huge_bytes"] >= 0]
    assert 1 <= len(read) <= len(series)
    assert plain["huge_peak_resident_bytes"] == max(point["resident_bytes"] for point in read)
    thp = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not thp.exists() or "[never]" in thp.read_text():
        pytest.skip("no huge pages here")
    huge, series = run_engine(tape, GLIBC_TUNABLES="glibc.malloc.hugetlb=1")
    assert huge["huge_bytes_at_peak"] > 0
    assert all(point["huge_bytes"] <= point["resident_bytes"] for point in series)
    assert all(point["huge_bytes"] % (2 << 20) == 0 for point in series if point["huge_bytes"] >= 0)


def test_sampling_keeps_to_its_share(tmp_path):
    """A hundredth of the time beyond the points that are always taken; fewer points where they would cost more."""
    short, short_series = run_engine(tape_of(tmp_path / "s.tape", "60000", "300", "1", "0"))
    assert 600 <= len(short_series) <= 800
    assert 0 < short["sampling_ns"] < short["wall_ns"]
    assert 0 < short["accounting_ns"] < short["timed_ns"]
    tape = tape_of(tmp_path / "l.tape", "6000000", "20000", "1", "0")
    shares = []
    for _ in range(3):  # whoever else uses the machine may stop us in the middle of a sample
        values, series = run_engine(tape)
        assert 600 <= len(series) <= 4096
        shares.append(values["sampling_ns"] / values["timed_ns"])
    # 0.008 to 0.011 on a quiet machine; a sampler that ignored its share would be at 0.1 and more.
    assert 0 < min(shares) <= 0.03, shares
