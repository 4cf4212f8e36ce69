"""Hard cases of single calls: before the next allocator is known, inside of others, the whole family, foreign blocks,
C++'s operators, plug-ins (groups 2, 3, 11 and 12)."""

import pathlib
import os
import shutil

import pytest
from conftest import ROOT
from record_help import CASES, TRACE, Count, accepted, blocks, calls_on, case, info, record, run, shell_status, sizes, sound, tapes_beside

LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
ALLOCATORS = {
    "jemalloc": LIBRARIES / "libjemalloc.so.2",
    "mimalloc": LIBRARIES / "libmimalloc.so.2.0",
    "tcmalloc": LIBRARIES / "libtcmalloc_minimal.so.4",
    "tbbmalloc": LIBRARIES / "libtbbmalloc_proxy.so.2",
}
PLUGIN = CASES / "record_plugin.so"


# ---- before the next allocator is known, and inside of calls ---------------------------------------------------


def test_calls_inside_of_dlsym(tmp_path):
    """From the bootstrap arena: not on the tape, but freed, resized and measured later by the program."""
    count = Count(tmp_path, "ifunc")
    set_up = [f"{name}={count.environment[name]}" for name in ("LD_PRELOAD", "RECORD_COUNT_FILE")]
    plain = run([case("calls")])  # without the recorder before it such an allocator cannot be preloaded
    done = record(tmp_path / "x.tape", ["env", *set_up, case("calls")], "-q")
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, b"")
    tape = sound(tmp_path / "x.tape")
    (calls,) = count.by_pid().values()
    assert calls_on(tape) == calls
    assert tape["by_kind"]["free_foreign"] == 0
    # 13 of the blocks, and no more, were moved into the real heap by realloc, where each is a new one
    plainly = record(tmp_path / "y.tape", [case("calls")], "-q")
    assert plainly.returncode == 0
    assert tape["by_kind"]["malloc"] - info(tmp_path / "y.tape")["by_kind"]["malloc"] == 13


def test_calls_while_the_loader_is_still_at_work(tmp_path):
    """Before libc knows its environment (so the count, which asks libc, has no file yet): recorded like all others."""
    plain = run([case("early")])
    done = record(tmp_path / "x.tape", [case("early")], "-q")
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    tape = sound(tmp_path / "x.tape")
    assert blocks(tmp_path / "x.tape", 1031) == blocks(tmp_path / "x.tape", 1047) == 10
    assert tape["by_kind"]["free"] == 15 and tape["live_at_end_blocks"] == 5 + 1  # and stdout's buffer


def test_an_allocator_that_is_not_ready_at_its_first_call(tmp_path):
    accepted(tmp_path, [case("calls")], library="lazy", plain_env=os.environ)


def test_an_allocator_that_calls_itself_by_the_public_names(tmp_path):
    done = accepted(tmp_path, [case("calls")], library="nested", plain_env=os.environ)
    assert done.tape["by_kind"]["realloc"] == 64


def test_a_preload_that_allocates_in_its_constructor(tmp_path):
    environment = dict(os.environ, LD_PRELOAD=str(PLUGIN))
    done = accepted(tmp_path, [case("calls")], env=environment)
    found = sizes(done.path)
    assert (found["malloc", 1127], found["malloc", 1143]) == (1, 20)  # its constructor's
    assert (found["malloc", 1159], found["malloc", 1175]) == (30, 1)  # its destructor's


def test_the_hooks_make_their_system_calls_themselves(tmp_path):
    """record_libc.so counts who uses libc's wrappers: nobody but the program, with us and without."""
    environment = dict(os.environ, LD_PRELOAD=str(CASES / "record_libc.so"))
    plain = run([case("threads"), 100], env=environment)
    done = record(tmp_path / "x.tape", [case("threads"), 100], "-q", env=environment)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    assert b"record_threads used libc's wrappers" in plain.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith(b"heaptape-record ")] == plain.stderr.splitlines()


# ---- the whole family, foreign blocks --------------------------------------------------------------------------


def test_the_whole_family(tmp_path):
    done = accepted(tmp_path, [case("family")], unseen={"failed": 1})  # reallocarray's overflow
    found = sizes(tmp_path / "x.tape")
    for kind, size in [
        ("malloc", 100001), ("calloc", 300009), ("realloc(NULL)", 100005), ("realloc", 100007), ("realloc", 140007),
        ("aligned_alloc", 100009), ("aligned_alloc", 8192 * 13), ("aligned_alloc", 100013), ("aligned_alloc", 100015),
        ("aligned_alloc", 100017), ("malloc", 5 << 30), ("realloc", (5 << 30) + (1 << 20)), ("calloc", (5 << 30) + 16),
        ("aligned_alloc", 5 << 30), ("malloc", 100019), ("realloc", 300023), ("realloc(p,0)", 0), ("free(NULL)", 0),
        ("malloc_usable_size", 0), ("failed", 100011),
    ]:
        assert found[kind, size] == 1, (kind, size, found)
    assert found["failed", 2**64 - 1] == 2  # what reallocarray and calloc were asked for has no number
    assert sum(n for (kind, _), n in found.items() if kind == "failed") == 5  # reallocarray, realloc, posix_memalign, malloc, calloc


def test_blocks_that_no_recorded_call_gave(tmp_path):
    """Freed: foreign, on the tape as such (and where realloc moves one, that is a new block). Freed past us: their
    addresses come again, which the resolver says."""
    done = accepted(tmp_path, [case("foreign")], foreign=10, sound_order=False)
    found = sizes(done.path)
    assert found["malloc", 1079] == 20
    resolved = run([TRACE, "resolve", "-o", tmp_path / "again.tape", f"{done.path}.raw"])
    assert resolved.returncode == 1 and b"10" in resolved.stderr, resolved.stderr


# ---- C++ -------------------------------------------------------------------------------------------------------


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
    assert b"live twice 0, frees of unknown addresses 0" in done.stderr
    tape = sound(tmp_path / "x.tape")
    found = sizes(tmp_path / "x.tape")
    for size in (1031, 1047, 1063, 1064, 1079, 1095, 1111):
        assert found["malloc", size] == 10, found
    aligned = [found["aligned_alloc", size] for size in (*range(64 * 21, 64 * 27, 64), 128 * 9)]
    assert aligned == [10] * 7, found
    assert found["malloc", 1127] == (done.returncode == 0)  # Debian's mimalloc aborts where new should throw
    if name:
        assert name in tape["allocator"]
    assert tape["by_kind"]["free"] >= 140


def test_cxx_operators_are_counted_to_the_last_call(tmp_path):
    accepted(tmp_path, [case("cxx")])


# ---- plug-ins --------------------------------------------------------------------------------------------------

ROUNDS = 25


@pytest.mark.parametrize("how", ["plain", "global"])
def test_plug_ins_that_come_and_go(how, tmp_path):
    done = accepted(tmp_path, [case("plugins"), PLUGIN, ROUNDS, how])
    found = sizes(done.path)
    per_round = {1031: 100, 1047: 1, 1127: 1, 1143: 20, 1159: 30, 1175: 1, 1191: 100, 1223: 1}
    assert {size: found["malloc", size] for size in per_round} == {size: n * ROUNDS for size, n in per_round.items()}
    assert found["realloc", 1207] == 100 * ROUNDS


def test_a_plug_in_in_cxx_for_a_program_in_c(tmp_path):
    done = accepted(tmp_path, [case("plugins"), CASES / "record_plugin_cxx.so", 3], lookups=20)
    found = sizes(done.path)
    assert found["malloc", 1319] == 3 and found["aligned_alloc", 256 * 5] == 3 and found["malloc", 1335] == 3


def test_a_plug_in_that_looks_in_libc_first(tmp_path):
    """RTLD_DEEPBIND: its calls go past every preload. The program's own are all there; blocks that it
    gave are foreign when the program frees them, and what it frees comes again without having been freed."""
    done = accepted(tmp_path, [case("plugins"), PLUGIN, ROUNDS, "deepbind"], foreign=None, sound_order=False)
    found = sizes(done.path)
    assert found["malloc", 1031] == 100 * ROUNDS and found["malloc", 1047] == ROUNDS
    assert found["malloc", 1191] == found["malloc", 1143] == 0


def test_a_plug_in_with_a_libc_of_its_own(tmp_path):
    """dlmopen: another libc, whose heap is none of ours and is not seen. The program goes on undisturbed."""
    done = accepted(tmp_path, [case("plugins"), PLUGIN, 8, "own"])
    found = sizes(done.path)
    assert found["malloc", 1031] == 100 * 8
    assert found["malloc", 1191] == found["malloc", 1143] == 0


def test_the_users_own_preload_stays_behind_ours(tmp_path):
    environment = dict(os.environ, LD_PRELOAD=f"{PLUGIN} {CASES}/record_count.so")
    done = record(tmp_path / "x.tape", ["sh", "-c", "echo $LD_PRELOAD"], "-q", env=environment)
    first, *others = done.stdout.decode().replace(":", " ").split()
    assert first.endswith("/libheaptape-record.so")
    assert others == [str(PLUGIN), f"{CASES}/record_count.so"]
    assert sizes(tmp_path / "x.tape")["malloc", 1127] == 1


def test_linked_with_another_allocator(tmp_path):
    """Not preloaded but linked, as Debian's redis-server is: recorded, and the tape says over what."""
    if not (ALLOCATORS["jemalloc"].exists() and shutil.which("cc")):
        pytest.skip("no jemalloc or no compiler")
    program = tmp_path / "churn"
    source = ROOT / "tests/stress/record_churn.c"
    built = run(["cc", "-D_GNU_SOURCE", "-O1", "-fno-builtin", "-pthread", source, "-o", program, ALLOCATORS["jemalloc"]])
    assert built.returncode == 0, built.stderr
    done = record(tmp_path / "x.tape", [program, 4, 200000, 20], "-q")
    assert done.returncode == 0, done.stderr
    words = dict(zip(*[iter(done.stdout.decode().split())] * 2))
    tape = sound(tmp_path / "x.tape")
    assert "jemalloc" in tape["allocator"]
    found = sizes(tmp_path / "x.tape")
    assert sum(n for (kind, size), n in found.items() if kind == "malloc" and size in range(1031, 2048, 16)) == int(
        words["allocations"])


def test_linked_with_jemalloc_by_debian(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    done = record(tmp_path / "x.tape", ["redis-server", "--version"], "-q")
    assert done.returncode == 0
    tape = sound(tmp_path / "x.tape")
    assert "jemalloc" in tape["allocator"] and tape["events"] > 10


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize("program", ["churn", "python3", "threads", "tls", "forks"])
def test_over_other_allocators(name, program, tmp_path):
    if not ALLOCATORS[name].exists():
        pytest.skip(f"{name} is not installed")
    if (name, program) == ("tbbmalloc", "forks"):
        pytest.skip("a child of a threaded program may hang in tbbmalloc by itself: 5 of 540 runs without any recorder")
    environment = dict(os.environ, LD_PRELOAD=str(ALLOCATORS[name]), PYTHONMALLOC="malloc")
    commands = {"churn": [case("churn"), 4, 200000, 20], "python3": ["/usr/bin/python3", "-c", "print(sum(range(9)))"],
                "threads": [case("threads"), 200], "tls": [case("tls"), 100], "forks": [case("forks"), 10]}
    done = record(tmp_path / "x.tape", commands[program], "-v", env=environment)
    assert done.returncode == 0, done.stderr
    assert b"live twice 0" in done.stderr
    for path in [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]:
        tape = sound(path)
        assert name in tape["allocator"] and tape["by_kind"]["free_foreign"] == 0
    if program == "churn":
        words = dict(zip(*[iter(done.stdout.decode().split())] * 2))
        found = sizes(tmp_path / "x.tape")
        assert sum(n for (kind, size), n in found.items() if kind == "malloc" and size in range(1031, 2048, 16)) == int(
            words["allocations"])
