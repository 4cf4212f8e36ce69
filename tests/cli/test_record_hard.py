"""The hard cases: each test program of tests/stress does one forbidden, rare or sudden thing."""

import collections
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import time

import pytest
from record_help import CASES, RECORD, TRACE, calls_on, case, counted, info, record, run, shell_status, sizes, sound, tapes_beside  # noqa: F401

LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
ALLOCATORS = {
    "jemalloc": LIBRARIES / "libjemalloc.so.2",
    "mimalloc": LIBRARIES / "libmimalloc.so.2.0",
    "tcmalloc": LIBRARIES / "libtcmalloc_minimal.so.4",
    "tbbmalloc": LIBRARIES / "libtbbmalloc_proxy.so.2",
}
OURS = range(1031, 2048, 16)


def ours(tape):
    """Calls of the test program itself, by size: libc's own have other sizes."""
    return sum(n for (kind, size), n in sizes(tape).items() if kind == "malloc" and size in OURS)


def resolve(raw, tape):
    done = run([TRACE, "resolve", "-o", tape, raw])
    assert done.returncode in (0, 1), done.stderr
    return info(tape)


# ---- order -----------------------------------------------------------------------------------------------------


def test_a_race_of_eight_threads_keeps_every_address_in_order(tmp_path):
    for i in range(50):
        done = record(tmp_path / "x.tape", [case("race"), 2000], "-v")
        assert done.returncode == 0
        assert b"addresses live twice 0, frees of unknown addresses 0" in done.stderr, (i, done.stderr)
    sound(tmp_path / "x.tape")


@pytest.mark.parametrize("options", [[], ["alternate"], ["jump"], ["alternate", "jump"]])
def test_signal_handlers_that_allocate(options, tmp_path):
    environment = dict(os.environ, LD_PRELOAD=str(CASES / "record_bump.so"))
    done = record(tmp_path / "x.tape", [case("signals"), *options], "-v", env=environment)
    assert done.returncode == 0, done.stderr
    assert b"live twice 0, frees of unknown addresses 0" in done.stderr
    words = {k: int(v) for k, v in zip(*[iter(done.stdout.split())] * 2)}
    found = sizes(tmp_path / "x.tape")
    assert words[b"signals"] > 100
    assert found["malloc", 1047] == words[b"handler"]
    # a call that a jump left may be on the tape or not: it completed, or it did not
    assert words[b"main"] <= found["malloc", 1031] <= words[b"asked"]
    sound(tmp_path / "x.tape")


# ---- threads, forks, programs that start others ----------------------------------------------------------------


def test_thousands_of_short_threads(counted, tmp_path):  # noqa: F811
    done = record(tmp_path / "x.tape", [case("threads"), 3000], "-q", env=counted.environment)
    assert done.returncode == 0, done.stderr
    tape = sound(tmp_path / "x.tape")
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 3000 * 11
    assert tape["lanes"] >= 3000
    ((_, calls),) = counted.images()
    assert calls_on(tape) == {**calls, "usable": 0}


@pytest.mark.parametrize("kind", [[], ["raw"]])
def test_forks_of_a_threaded_program(kind, tmp_path):
    done = record(tmp_path / "x.tape", [case("forks"), 60, *kind], "-q")
    assert done.returncode == 0, done.stderr
    beside = {info(p)["pid"]: p for p in tapes_beside(tmp_path / "x.tape").values()}
    children = re.findall(r"child (\d+) blocks (\d+)", done.stdout.decode())
    assert len(children) == 60
    for i, (pid, blocks) in enumerate(children):
        tape = sound(beside[int(pid)])
        assert sizes(beside[int(pid)])["malloc", 1031] == int(blocks)
        assert tape["exit_status"] == i % 7
        assert tape["lanes"] == 1
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 0  # no child wrote on the parent's tape
    assert sound(tmp_path / "x.tape")["by_kind"]["free_foreign"] == 0


def test_every_way_to_start_a_program(tmp_path):
    plain = run([case("spawn")])
    done = record(tmp_path / "x.tape", [case("spawn")], "-q")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    everywhere = collections.Counter()
    for path in [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]:
        sound(path)
        found = sizes(path)
        assert found["malloc", 1047] == 0  # the vfork child's
        everywhere[found["malloc", 1031], found["malloc", 1063]] += 1
    assert everywhere[20, 0] == 1  # before it became itself again
    assert everywhere[0, 50] == 6  # vfork, posix_spawn, system, popen, fork, itself


def test_an_empty_environment_is_no_harm(tmp_path):
    done = record(tmp_path / "x.tape", ["env", "-i", "/usr/bin/env"], "-q")
    assert (done.returncode, done.stdout) == (0, b"")
    sound(tmp_path / "x.tape")


# ---- ends ------------------------------------------------------------------------------------------------------

WAYS = {"return": 7, "exit": 3, "_exit": 4, "quick_exit": 5, "exit_group": 6, "abort": 128 + 6, "segv": 128 + 11,
        "kill": 128 + 9, "thread": 3}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end(way, tmp_path):
    done = record(tmp_path / "x.tape", [case("ends"), way], "-q")
    assert done.returncode == WAYS[way]
    tape = sound(tmp_path / "x.tape")
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 5000
    assert tape["complete"] is True and tape["exit_status"] == WAYS[way]


def completed(counts):
    """Calls that record_churn counted as completed: (allocations, frees)."""
    words = struct.iter_unpack("<8Q", counts.read_bytes())
    return tuple(map(sum, zip(*((w[0], w[1]) for w in words))))


def test_sigkill_at_random_moments_loses_nothing_that_completed(tmp_path):
    rng = random.Random(7)
    base = None
    for i in range(20):
        threads = rng.choice([1, 2, 4])
        counts = tmp_path / f"counts{i}"
        process = subprocess.Popen(
            [RECORD, "-q", "-o", tmp_path / "x.tape", "--", case("churn"), str(threads), "200000000", "20", counts],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        while not counts.exists() or completed(counts)[0] == 0:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.15)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGKILL
        tape = sound(tmp_path / "x.tape")
        allocations, frees = completed(counts)
        assert ours(tmp_path / "x.tape") in range(allocations, allocations + threads + 1)
        free_calls = tape["by_kind"]["free"]
        assert frees <= free_calls <= frees + threads + 64  # libc frees a little of its own
        assert tape["by_kind"]["free_foreign"] == 0
        counts.unlink()
    del base


def test_collector_killed_the_program_goes_on(tmp_path):
    out = tmp_path / "out"
    with open(out, "wb") as stdout:
        process = subprocess.Popen(
            [RECORD, "-q", "-o", tmp_path / "x.tape", "--", case("churn"), "2", "6000000", "10"],
            stdout=stdout, start_new_session=True,
        )
    time.sleep(0.15)
    os.kill(process.pid, signal.SIGKILL)
    # not waited for yet: a zombie collector must not keep the program waiting
    deadline = time.time() + 60
    while not out.read_bytes() and time.time() < deadline:
        time.sleep(0.05)
    process.wait()
    assert b"allocations 300" in out.read_bytes()
    tape = resolve(tmp_path / "x.tape.raw", tmp_path / "y.tape")
    assert tape["events"] > 0 and tape["complete"] is False and tape["cut_reason"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_disk_full(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small]).returncode:
        pytest.skip("cannot mount here")
    try:
        done = record(small / "x.tape", [case("churn"), 2, 1000000, 10])
        assert done.returncode == 0
        assert done.stdout.startswith(b"allocations 500")
        assert b"recording stopped early" in done.stderr and b"No space left" in done.stderr
        found = list(small.iterdir())
        assert found
        if (small / "x.tape").exists():
            assert info(small / "x.tape")["complete"] is False
    finally:
        run(["umount", small])


def test_file_size_limit(tmp_path):
    limited = f"ulimit -S -f 256; exec {RECORD} -o {tmp_path}/x.tape -- {case('churn')} 2 1000000 10"
    done = run(["bash", "-c", limited])
    assert done.returncode == 0 and done.stdout.startswith(b"allocations 500")
    assert b"recording stopped early" in done.stderr
    tape = info(tmp_path / "x.tape")
    assert tape["complete"] is False and tape["cut_reason"] and tape["events"] > 1000


# ---- everything else -------------------------------------------------------------------------------------------


def test_the_whole_family(tmp_path):
    plain = run([case("family")])
    done = record(tmp_path / "x.tape", [case("family")], "-q")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    sound(tmp_path / "x.tape")
    found = sizes(tmp_path / "x.tape")
    for kind, size in [
        ("malloc", 100001), ("calloc", 300009), ("realloc(NULL)", 100005), ("realloc", 100007), ("realloc", 140007),
        ("aligned_alloc", 100009), ("aligned_alloc", 8192 * 13), ("aligned_alloc", 100013), ("aligned_alloc", 100015),
        ("aligned_alloc", 100017), ("malloc", 5 << 30), ("malloc", 100019), ("realloc(p,0)", 0), ("free(NULL)", 0),
        ("malloc_usable_size", 0), ("failed", 100011),
    ]:
        assert found[kind, size] == 1, (kind, size, found)
    failed = sum(n for (kind, _), n in found.items() if kind == "failed")
    assert failed == 5  # reallocarray, realloc, posix_memalign, malloc, calloc


@pytest.mark.parametrize("name", [None, *ALLOCATORS])
def test_cxx_operators_over_any_allocator(name, tmp_path):
    environment = dict(os.environ)
    if name:
        if not ALLOCATORS[name].exists():
            pytest.skip(f"{name} is not installed")
        environment["LD_PRELOAD"] = str(ALLOCATORS[name])
    plain = run([case("cxx")], env=environment)
    done = record(tmp_path / "x.tape", [case("cxx")], "-v", env=environment)
    assert (done.returncode, done.stdout) == (shell_status(plain), plain.stdout)
    assert b"live twice 0" in done.stderr
    tape = sound(tmp_path / "x.tape")
    found = sizes(tmp_path / "x.tape")
    for size in (1031, 1047, 1063, 1079, 1095, 1111):
        assert found["malloc", size] == 10, found
    assert found["malloc", 1127] == (plain.returncode == 0)  # Debian's mimalloc aborts where new should throw
    assert found["aligned_alloc", 128 * 9] == 10
    if name:
        assert name in tape["allocator"]
    kinds = tape["by_kind"]
    assert kinds["free"] >= 70 and kinds["free_foreign"] == 0


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize("program", ["churn", "python3", "threads"])
def test_over_other_allocators(name, program, tmp_path):
    if not ALLOCATORS[name].exists():
        pytest.skip(f"{name} is not installed")
    environment = dict(os.environ, LD_PRELOAD=str(ALLOCATORS[name]), PYTHONMALLOC="malloc")
    commands = {"churn": [case("churn"), 4, 200000, 20], "python3": ["/usr/bin/python3", "-c", "print(sum(range(9)))"],
                "threads": [case("threads"), 200]}
    done = record(tmp_path / "x.tape", commands[program], "-v", env=environment)
    assert done.returncode == 0, done.stderr
    assert b"live twice 0" in done.stderr
    tape = sound(tmp_path / "x.tape")
    assert name in tape["allocator"]
    assert tape["by_kind"]["free_foreign"] == 0
    if program == "churn":
        words = dict(zip(*[iter(done.stdout.decode().split())] * 2))
        assert ours(tmp_path / "x.tape") == int(words["allocations"])


def test_hostile_surroundings(tmp_path):
    done = record(tmp_path / "x.tape", [case("hostile")], "-q")
    assert done.returncode == 0, done.stderr
    child = int(done.stdout.split()[1])
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 2000
    beside = tapes_beside(tmp_path / "x.tape")
    assert list(beside) == [f"x.{child}.tape"]
    assert sizes(beside[f"x.{child}.tape"])["malloc", 1031] == 500


def test_little_address_space(tmp_path):
    limited = f"ulimit -v 60000; exec {case('churn')} 4 100000 20"
    assert run(["bash", "-c", limited]).returncode == 0
    done = record(tmp_path / "x.tape", ["bash", "-c", limited], "-q")
    assert done.returncode == 0, done.stderr
    assert ours(tmp_path / "x.tape") == int(done.stdout.split()[1])


def test_linked_with_jemalloc(tmp_path):
    """Debian's redis-server is linked with jemalloc: recorded, and the tape says over what."""
    if not pathlib.Path("/usr/bin/redis-server").exists():
        pytest.skip("redis-server is not installed")
    done = record(tmp_path / "x.tape", ["redis-server", "--version"], "-q")
    assert done.returncode == 0
    tape = sound(tmp_path / "x.tape")
    assert "jemalloc" in tape["allocator"] and tape["events"] > 10
