"""The engine by itself: no heap call of its own, exact counts, an empty tape shows no growth, a crash leaves
where it happened."""

import os
import pathlib
import struct
import subprocess

import pytest

from conftest import BUILD

ENGINE = BUILD / "libexec/heaptape/heaptape-engine"
NULL = BUILD / "lib/heaptape/libheaptape-null.so"
COUNT = BUILD / "tests/engine_count.so"
MAKE_TAPE = BUILD / "tests/engine_tape"

# Events, live ids, lanes, percent of uses by another lane, how.
SHAPES = {
    "one lane": ("60000", "300", "1", "0"),
    "two apart": ("60000", "300", "2", "0"),
    "four crossing": ("40000", "300", "4", "20"),
    "forty crossing": ("20000", "300", "40", "30"),
    "600 short": ("40000", "300", "600", "0", "short"),
    "300 at once": ("20000", "300", "300", "10"),
    "empty": ("0", "1", "1", "0"),
}
MODES = {
    "time": [],
    "strict": ["--order=strict"],
    "serial": ["--order=serial"],
    "serial memory": ["--mode=memory", "--order=serial", "--plan-memory=256k"],
    "windows": ["--touch=page", "--plan-memory=256k"],
    "memory": ["--mode=memory"],
    "memory windows": ["--mode=memory", "--plan-memory=256k"],
    "none": ["--touch=none"],
    "full": ["--touch=full"],
    "paced": ["--pace=recorded", "--plan-memory=256k"],
    "memory paced": ["--mode=memory", "--pace=0.5"],
}


def make_tape(path: pathlib.Path, shape: str) -> dict[str, int]:
    result = subprocess.run([MAKE_TAPE, path, *SHAPES[shape]], capture_output=True, text=True, check=True)
    return {word: int(number) for word, number in (line.split() for line in result.stdout.splitlines())}


def run_engine(tape, *options, preload=None, check=True, **environment) -> dict[str, float]:
    env = dict(os.environ, **{key: str(value) for key, value in environment.items()})
    env.pop("LD_PRELOAD", None)
    if preload:
        env["LD_PRELOAD"] = str(preload)
    result = subprocess.run([ENGINE, "--tape", tape, "--print", *options], env=env, capture_output=True,
                            text=True, timeout=120)
    if check:
        assert result.returncode == 0, result.stderr
    return {key: float(value) for key, value in (line.split() for line in result.stdout.splitlines())}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_heap_call_is_the_tapes(tmp_path, shape, mode):
    """Calls of the whole process from main() to its end, whoever makes them, are those of the tape."""
    tape, counted = tmp_path / "t.tape", tmp_path / "counts"
    expected = make_tape(tape, shape)
    skipped = expected.pop("skipped")
    result = run_engine(tape, *MODES[mode], preload=COUNT, ENGINE_COUNT=counted)
    counts = {word: int(number) for word, number in (line.split() for line in counted.read_text().splitlines())}
    if "memory" in mode:
        # U is asked of the allocator once for each block it gives: the measurement, not the replay.
        assert counts.pop("usable") >= expected.pop("usable")
    assert counts == expected
    assert result["skipped"] == skipped
    assert result["failed_calls"] == 0
    assert result["phase"] == 3


@pytest.mark.parametrize("preload", [None, NULL], ids=["libc", "null"])
def test_an_empty_tape_shows_no_growth(tmp_path, preload):
    tape = tmp_path / "t.tape"
    make_tape(tape, "empty")
    result = run_engine(tape, "--mode=memory", preload=preload)
    assert result["operations"] == 0
    assert result["peak_requested_bytes"] == 0
    assert result["peak_usable_bytes"] == 0
    assert result["peak_resident_bytes"] == result["startup_resident_bytes"]


def read_series(tape, *options):
    result = subprocess.run([ENGINE, "--tape", tape, "--mode=memory", "--series", *options],
                            capture_output=True, text=True, check=True, timeout=120)
    lines = result.stdout.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("operation,"))
    values = {key: float(value) for key, value in (line.split() for line in lines[:header])}
    return values, [tuple(map(int, line.split(","))) for line in lines[header + 1:]]


def test_the_series_agrees_with_the_peaks(tmp_path):
    tape = tmp_path / "t.tape"
    make_tape(tape, "one lane")
    values, series = read_series(tape)
    assert 500 <= len(series) <= 4096
    assert [point[0] for point in series] == sorted(point[0] for point in series)
    assert [point[1] for point in series] == sorted(point[1] for point in series)
    assert series[-1][0] == values["operations"]
    assert values["timed_ns"] * 0.9 < series[-1][1] < values["wall_ns"]
    assert max(point[2] for point in series) == values["peak_requested_bytes"]
    assert max(point[3] for point in series) == values["peak_usable_bytes"]
    assert all(usable >= requested for _, _, requested, usable, *_ in series)


def test_both_orders_and_all_windows_see_the_same_live_bytes(tmp_path):
    """R by operation is the tape's own, whatever the order and the windows."""
    tape = tmp_path / "t.tape"
    make_tape(tape, "one lane")
    seen = {}
    for options in ([], ["--order=strict"], ["--plan-memory=256k"]):
        for point in read_series(tape, *options)[1]:
            assert seen.setdefault(point[0], point[2]) == point[2]
    make_tape(tape, "four crossing")
    ends, peaks = set(), set()
    for options in ([], ["--order=strict"], ["--order=serial"], ["--plan-memory=256k"]):
        values, series = read_series(tape, *options)
        ends.add(series[-1][:1] + series[-1][2:3])
        peaks.add((values["peak_requested_bytes"], max(point[2] for point in series)))
    assert len(ends) == 1
    # At the event at which R is highest all lanes stand still: the sample there is exact.
    assert all(values["peak_requested_bytes"] <= sampled for _, sampled in peaks)


def test_one_thread_does_what_all_did(tmp_path):
    """Serial order: no thread is made, nothing waits, and R is the tape's at every point."""
    tape = tmp_path / "t.tape"
    make_tape(tape, "forty crossing")
    values, series = read_series(tape, "--order=serial")
    assert values["lanes"] == 1 and values["waits"] == 0
    strict, in_order = read_series(tape, "--order=strict")
    assert values["operations"] == strict["operations"] and strict["lanes"] == 40
    assert series[-1][:1] + series[-1][2:3] == in_order[-1][:1] + in_order[-1][2:3]
    assert values["peak_requested_bytes"] <= strict["peak_requested_bytes"]


def test_resident_is_what_is_touched(tmp_path):
    """Large live blocks of libc: P follows R to the page when every page is touched, and not otherwise."""
    tape = tmp_path / "t.tape"
    make_tape(tape, "one lane")
    touched = run_engine(tape, "--mode=memory", "--touch=page")
    untouched = run_engine(tape, "--mode=memory", "--touch=none")
    assert touched["peak_resident_bytes"] > touched["peak_requested_bytes"] * 0.9
    assert untouched["peak_resident_bytes"] < touched["peak_resident_bytes"] * 0.8


def test_held_is_known_or_said_not_to_be(tmp_path):
    """libc holds what it maps; the null allocator has a terabyte mapped, which says nothing: P stands in."""
    tape = tmp_path / "t.tape"
    make_tape(tape, "one lane")
    libc = run_engine(tape, "--mode=memory")
    assert libc["held_known"] == 1
    assert libc["peak_usable_bytes"] <= libc["peak_held_bytes"] < 3 * libc["peak_usable_bytes"]
    null = run_engine(tape, "--mode=memory", preload=NULL)
    assert null["held_known"] == 0
    assert null["peak_held_bytes"] + null["startup_resident_bytes"] == null["peak_resident_bytes"]


def crash_progress(tape, at) -> int:
    """Through the shared mapping, as the driver reads it."""
    fd = os.memfd_create("result")
    os.ftruncate(fd, 1 << 20)
    env = dict(os.environ, LD_PRELOAD=str(COUNT), ENGINE_COUNT="/dev/null", ENGINE_CRASH=str(at))
    result = subprocess.run([ENGINE, "--tape", tape, "--result-fd", str(fd)], env=env, pass_fds=[fd],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == -6, result.stderr
    magic, _, phase, _, progress = struct.unpack("<QQIIQ", os.pread(fd, 32, 0))
    os.close(fd)
    assert magic == 0x3152475441504548
    assert phase == 2, "still replaying"
    return progress


def test_a_crash_leaves_the_operation(tmp_path):
    tape = tmp_path / "t.tape"
    make_tape(tape, "one lane")
    early, late = crash_progress(tape, 100), crash_progress(tape, 10000)
    assert 100 <= early < 1000  # the hundredth malloc among other calls
    assert early * 50 < late < 60000
    # With one malloc more the crash comes a little later, not elsewhere.
    assert 0 <= crash_progress(tape, 10001) - late < 60


def test_bad_input(tmp_path):
    def run(*arguments):
        return subprocess.run([ENGINE, *arguments], capture_output=True, text=True, timeout=20)

    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\0" * 4096)
    for arguments, status in [
        (["--tape", tmp_path / "none"], 3),
        (["--tape", garbage], 3),
        ([], 2),
        (["--tape", garbage, "--touch=some"], 2),
        (["--tape", garbage, "--result-fd", "77"], 2),
        (["--nonsense"], 2),
    ]:
        result = run(*arguments)
        assert result.returncode == status, (arguments, result.stderr)
        assert result.stderr.startswith("heaptape engine: ") and result.stderr.count("\n") == 1
    assert run("--help").returncode == 0
    assert run("--version").stdout.startswith("heaptape engine ")


def test_a_damaged_tape_still_makes_sound_calls(tmp_path):
    """Torn and flipped tapes: what is left replays, and the result says so."""
    tape, hurt = tmp_path / "t.tape", tmp_path / "hurt.tape"
    make_tape(tape, "four crossing")
    data = tape.read_bytes()
    damaged = 0
    for i in range(1, 40):
        at = len(data) * i // 40
        flipped = bytearray(data)
        flipped[at] ^= 0x40
        hurt.write_bytes(flipped if i % 2 else data[:at])
        result = subprocess.run([ENGINE, "--tape", hurt, "--print", "--mode=memory" if i % 3 else "--mode=time"],
                                capture_output=True, text=True, timeout=60)
        assert result.returncode in (0, 3), result.stderr
        damaged += "damaged 1" in result.stdout
    assert damaged > 5


def test_null_hands_out_writable_memory(tmp_path):
    tape = tmp_path / "t.tape"
    for shape in ("one lane", "four crossing", "600 short"):
        make_tape(tape, shape)
        for touch in ("first", "page", "full"):
            assert run_engine(tape, f"--touch={touch}", preload=NULL)["failed_calls"] == 0


@pytest.mark.parametrize("shape", ["one lane", "four crossing", "600 short", "empty"])
@pytest.mark.parametrize("mode", ["time", "memory"])
@pytest.mark.parametrize("window", ["16M", "256k"])
def test_a_kept_plan_replays_the_same(tmp_path, shape, mode, window):
    """--plan-fd: the second run does the same calls from the first one's plan, of one window or of several, and
    another tape's plan is not used."""
    tape, other, counted = tmp_path / "t.tape", tmp_path / "other.tape", tmp_path / "counts"
    make_tape(tape, shape)
    make_tape(other, "two apart")
    fd = os.memfd_create("plan")

    def run(path, *options):
        env = dict(os.environ, LD_PRELOAD=str(COUNT), ENGINE_COUNT=str(counted))
        result = subprocess.run([ENGINE, "--tape", path, "--print", f"--mode={mode}", "--plan-fd", str(fd),
                                 "--plan-memory", window, *options],
                                env=env, pass_fds=[fd], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        values = dict(line.split() for line in result.stdout.splitlines())
        same = ["operations", "skipped", "peak_requested_bytes", "lanes", "failed_calls", "damaged"]
        return counted.read_text(), [values[key] for key in same], os.fstat(fd).st_size

    first, second = run(tape), run(tape)
    assert first == second and first[2] > 0
    kept = os.pread(fd, second[2], 0)
    assert run(other)[:2] != first[:2] and os.pread(fd, second[2], 0) == kept
    # Planned by a run of its own: the same file, and no call made.
    os.truncate(fd, 0)
    planned = run(tape, "--plan-only")
    assert planned[2] == first[2] and planned[0] != first[0] or shape == "empty"
    assert run(tape) == first
    os.close(fd)
