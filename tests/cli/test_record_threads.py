"""Hard cases of threads: order, threads that come and go, signal handlers and cancellation, what runs around main()
(groups 1, 4, 7 and 13)."""

import os

import pytest
from record_help import CASES, FULL, Count, accepted, blocks, calls_on, case, record, run, sizes, sound, survival, tapes_beside

BUMP = dict(os.environ, LD_PRELOAD=str(CASES / "record_bump.so"))  # an allocator that may be left anywhere


def words_of(output):
    """"made 3 asked 4" as numbers by name."""
    return {name.decode(): int(number) for name, number in zip(*[iter(output.split())] * 2)}


# ---- order -----------------------------------------------------------------------------------------------------


def test_a_race_of_eight_threads_keeps_every_address_in_order(tmp_path):
    runs = 1000 if FULL else 50
    wrong = []
    for i in range(runs):
        done = record(tmp_path / "x.tape", [case("race"), 2000], "-v")
        assert done.returncode == 0, done.stderr
        if b"addresses live twice 0, frees of unknown addresses 0" not in done.stderr:
            wrong.append((i, done.stderr))
    survival("race of 8 threads, addresses in order", runs, runs * 8 * 2000 * 2, len(wrong))
    assert not wrong, wrong[0]
    sound(tmp_path / "x.tape")


def test_a_race_is_counted_to_the_last_call(tmp_path):
    accepted(tmp_path, [case("race"), 5000], steady=False)


# ---- threads that come and go ----------------------------------------------------------------------------------


def test_thousands_of_short_threads(tmp_path):
    """On stacks of PTHREAD_STACK_MIN, half of them detached, each with a key's destructor; blocks stay behind."""
    done = accepted(tmp_path, [case("threads"), 3000], steady=False)
    assert blocks(done.path, 1031) == 3000 * 11
    assert done.tape["lanes"] >= 3000
    assert done.tape["live_at_end_blocks"] >= 3000


def test_thread_local_objects_and_keys_that_allocate_to_the_end(tmp_path):
    done = accepted(tmp_path, [case("tls"), 300], steady=False)
    found = sizes(done.path)
    # std::string takes one byte more than its text
    assert found["malloc", 1048] == 600 and found["malloc", 1063] == found["malloc", 1095] == 300
    assert found["malloc", 1079] == 300 * 4  # a key's destructor, four rounds
    assert found["malloc", 1112] == 300


# ---- handlers and cancellation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["alternate"], ["small"], ["jump"], ["alternate", "jump"]], ids="-".join)
def test_signal_handlers_that_allocate(options, tmp_path):
    done = record(tmp_path / "x.tape", [case("signals"), *options], "-v", env=BUMP)
    assert done.returncode == 0, done.stderr
    assert b"live twice 0, frees of unknown addresses 0" in done.stderr
    words = words_of(done.stdout)
    found = sizes(tmp_path / "x.tape")
    assert words["signals"] > 100
    assert found["malloc", 1047] == words["handler"]
    # a call that a jump left may be on the tape or not: it completed, or it did not
    assert words["main"] <= found["malloc", 1031] <= words["asked"]
    assert sound(tmp_path / "x.tape")["complete"] is True


@pytest.mark.parametrize("how", ["stay", "jump", "fork"])
def test_handlers_inside_of_the_hooks(how, tmp_path):
    """Over glibc's malloc, which bears handlers there: the fast path, left and entered anywhere."""
    done = record(tmp_path / "x.tape", [case("midhook"), how], "-v")
    assert done.returncode == 0, done.stderr
    assert b"live twice 0" in done.stderr
    words = words_of(done.stdout)
    found = sizes(tmp_path / "x.tape")
    assert found["malloc", 1047] == words["handler"] >= 900
    assert words["made"] <= found["malloc", 1031] <= words["asked"]
    tape = sound(tmp_path / "x.tape")
    assert tape["by_kind"]["free_foreign"] == 0
    # every third hit jumps, out of malloc (asked for, not made) or out of free, perhaps before it was recorded
    jumps = words["handler"] // 9 if how == "jump" else 0
    left_free = jumps - (words["asked"] - words["made"])
    calls = words["made"] + words["handler"]
    assert left_free >= 0 and calls - left_free <= tape["by_kind"]["free"] <= calls + words["asked"] - words["made"]
    if how != "jump":
        assert words["made"] == words["asked"]
    children = tapes_beside(tmp_path / "x.tape").values()
    assert words["children"] == len(children) == (20 if how == "fork" else 0)
    for path in children:
        assert blocks(path, 1063) == blocks(path, 1079) == 10
        assert sound(path)["by_kind"]["free_foreign"] <= 1  # of the block that the parent had in hand


def test_waits_are_interrupted_as_without_us_and_errno_stays(tmp_path):
    plain = run([case("eintr")], env=BUMP)
    done = record(tmp_path / "x.tape", [case("eintr")], "-q", env=BUMP)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout) == (0, b"ok\n")
    assert blocks(tmp_path / "x.tape", 1031) == 300 * 1000
    sound(tmp_path / "x.tape")


def test_no_call_is_a_cancellation_point(tmp_path):
    done = accepted(tmp_path, [case("cancel"), 50], steady=False)
    words = words_of(done.done.stdout)
    assert blocks(done.path, 1031) == words["made"] == words["asked"] == 50 * 500
    assert blocks(done.path, 1047) == words["cleaned"] == 100


def test_threads_cancelled_at_any_instruction(tmp_path):
    """Over an allocator that bears it. The last call of a thread may be on the tape, or not, if it did not return."""
    threads = 1000 if FULL else 200
    done = record(tmp_path / "x.tape", [case("cancel"), threads, "asynchronous"], "-q", env=BUMP)
    assert done.returncode == 0, done.stderr
    words = words_of(done.stdout)
    found = sizes(tmp_path / "x.tape")
    assert words["cleaned"] == found["malloc", 1047] == 2 * threads
    assert words["made"] <= found["malloc", 1031] <= words["asked"]
    assert words["asked"] - words["made"] <= threads
    sound(tmp_path / "x.tape")


# ---- around main() ---------------------------------------------------------------------------------------------


def test_constructors_handlers_and_destructors_that_allocate_while_threads_do(tmp_path):
    plain = run([case("atexit")])
    done = record(tmp_path / "x.tape", [case("atexit")], "-q")
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    tape = sound(tmp_path / "x.tape")
    found = sizes(tmp_path / "x.tape")
    assert found["malloc", 1031] == 64 and found["malloc", 1047] >= 1000
    assert tape["complete"] is True and tape["exit_status"] == 8


def test_leaving_while_threads_allocate_counts_them_to_the_last_call(tmp_path):
    """A thread's call that is cut off by the exit reached the allocator, perhaps, and not the tape."""
    count = Count(tmp_path)
    done = record(tmp_path / "x.tape", [case("ends"), "thread"], "-q", env=count.environment)
    assert done.returncode == 3
    (calls,) = count.by_pid().values()
    on_tape = calls_on(sound(tmp_path / "x.tape"))
    assert calls["malloc"] - 4 <= on_tape["malloc"] <= calls["malloc"]
    assert calls["free"] <= on_tape["free"] <= calls["free"] + 4
