"""What survives: every way to end, SIGKILL at random moments, a collector that is killed or stopped, full disks, no
shared memory, and what programs do to their surroundings (groups 6, 8 and 9).

A promise is: what had completed is on the tape. Two independent counts say what had: record_churn's own, in a file
mapping that outlives it, and record_count.so's behind the recorder.
"""

import mmap
import os
import pathlib
import random
import select
import shutil
import signal
import struct
import subprocess
import time

import pytest
from record_help import (
    FULL, RECORD, TRACE, Count, accepted, blocks, calls_on, case, info,
    record, run, shell_status, sizes, sound, survival, tapes_beside,
)

CUT = "program untouched, tape cut and marked"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a file system")

# ---- every way to end ------------------------------------------------------------------------------------------

WAYS = {"return": 7, "exit": 3, "_exit": 4, "quick_exit": 5, "exit_group": 6, "abort": 128 + 6, "segv": 128 + 11,
        "kill": 128 + 9, "term": 128 + 15, "overflow": 128 + 11, "fault_handler": 9, "handler": 10, "noexec": 7}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end(way, tmp_path):
    done = accepted(tmp_path, [case("ends"), way])
    assert done.done.returncode == done.tape["exit_status"] == WAYS[way]
    found = sizes(done.path)
    assert found["malloc", 1031] == 5000
    assert found["malloc", 1047] == (way in ("handler", "fault_handler"))
    survival(f"ends by {way}", 1, sum(sum(c.values()) for c in done.calls.values()), 0)


@pytest.mark.parametrize("way,status", [("thread", 3), ("main", 8)])
def test_ends_while_other_threads_allocate(way, status, tmp_path):
    plain = run([case("ends"), way])
    done = record(tmp_path / "x.tape", [case("ends"), way], "-q")
    assert done.returncode == shell_status(plain) == status
    assert sound(tmp_path / "x.tape")["exit_status"] == status
    assert blocks(tmp_path / "x.tape", 1031) == 5000


@pytest.mark.parametrize("way,status", [("uncaught", 134), ("noexcept", 134), ("terminate", 134), ("handler", 11)])
def test_ends_by_exceptions(way, status, tmp_path):
    done = accepted(tmp_path, [case("throw"), way])
    assert done.done.returncode == done.tape["exit_status"] == status
    assert blocks(done.path, 1031) == 5000


# ---- SIGKILL of the program ------------------------------------------------------------------------------------


class Churn:
    """record_churn with its count of completed calls, killed when that reaches a number."""

    words = struct.Struct("<8Q")

    def __init__(self, folder, threads, events):
        self.threads, self.tape = threads, folder / "x.tape"
        self.path = folder / "counts"
        self.path.write_bytes(bytes(self.words.size * 64))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.process = subprocess.Popen(
            [RECORD, "-q", "-o", self.tape, "--", case("churn"), str(threads), str(events), "20", self.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def completed(self):
        """(allocations, frees, bytes) of all threads."""
        counts = [self.words.unpack_from(self.map, i * self.words.size)[:3] for i in range(self.threads)]
        return tuple(map(sum, zip(*counts)))

    def kill_at(self, events):
        deadline = time.time() + 120
        while sum(self.completed()[:2]) < events:
            assert time.time() < deadline and self.process.poll() is None, self.process.stderr.read()
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        _, err = self.process.communicate(timeout=300)
        assert (self.process.returncode, err) == (128 + signal.SIGKILL, b"")


def check_killed(churn):
    """Every completed call is on the tape; beyond them at most the one that each thread was in. Returns (completed,
    lost): all of the tape's mallocs and frees are the program's, see record_churn.c."""
    tape, by = sound(churn.tape), info(churn.tape)["by_kind"]
    allocations, frees, size = churn.completed()
    lost = max(0, allocations - by["malloc"]) + max(0, frees - by["free"])
    assert by["malloc"] in range(allocations, allocations + churn.threads + 1), (allocations, by)
    assert by["free"] in range(frees, frees + churn.threads + 1), (frees, by)
    own_bytes = tape["allocated_bytes"] - by["calloc"] * 288  # a thread's table, by libc
    assert own_bytes <= size + 2047 * churn.threads and own_bytes >= size - 2047 * churn.threads
    assert by["free_foreign"] == by["realloc"] == by["realloc_new"] == by["aligned"] == by["failed"] == 0
    assert tape["exit_status"] == 128 + signal.SIGKILL and tape["complete"] is True
    return allocations + frees, lost


def test_sigkill_at_random_moments_loses_nothing_that_completed(tmp_path):
    rng = random.Random(7)
    runs, promised, lost = 200 if FULL else 25, 0, 0
    for _ in range(runs):
        churn = Churn(tmp_path, rng.choice([1, 2, 4, 8]), 2000000)
        churn.kill_at(rng.randrange(1, 1999000))
        completed, missing = check_killed(churn)
        promised, lost = promised + completed, lost + missing
    survival("SIGKILL in a run of 2 million events", runs, promised, lost)


@pytest.mark.skipif(not FULL, reason="make stress-recorder runs it: 40 million events, five times")
def test_sigkill_in_a_long_run(tmp_path):
    rng = random.Random(8)
    promised, lost = 0, 0
    for _ in range(5):
        churn = Churn(tmp_path, rng.choice([1, 2, 4]), 40000000)
        churn.kill_at(rng.randrange(20000000, 39900000))
        completed, missing = check_killed(churn)
        promised, lost = promised + completed, lost + missing
    survival("SIGKILL in a run of 40 million events", 5, promised, lost)


# ---- the collector ---------------------------------------------------------------------------------------------


def start_churn(tape, stdout, *arguments):
    return subprocess.Popen([RECORD, "-q", "-o", tape, "--", case("churn"), *arguments], stdout=stdout,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def child_of(process):
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.time() + 20
    while not children.read_text().split() and time.time() < deadline:
        time.sleep(0.001)
    return int(children.read_text().split()[0])


@pytest.mark.parametrize("after", [0.005, 0.05, 0.2])
def test_collector_killed_the_program_goes_on(after, tmp_path):
    """Its output and its exit status are its own; the raw tape holds what was drained and says where it was cut.

    A shell around the recorder's child notes the status, since the recorder, which would pass it on, is dead.
    """
    script = f"{case('churn')} 2 12000000 10; echo status $?; {case('calls')}; echo status $?; exec {case('ends')} exit"
    plain = run(["sh", "-c", f"{case('calls')}"])
    out = tmp_path / "out"
    with open(out, "wb") as stdout:
        process = subprocess.Popen([RECORD, "-q", "-o", tmp_path / "x.tape", "--", "sh", "-c", script], stdout=stdout,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    child = os.pidfd_open(child_of(process))
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    # not waited for yet: a zombie collector must not keep the program waiting
    ended = select.poll()
    ended.register(child, select.POLLIN)
    assert ended.poll(60000), "the program hangs"
    os.close(child)
    process.wait()
    lines = out.read_bytes().splitlines()
    assert lines[0].startswith(b"allocations 600") and lines[1] == b"status 0", lines
    assert lines[2:] == [*plain.stdout.splitlines(), b"status 0"]
    raws = list(tmp_path.glob("*.raw"))
    for raw in raws:
        done = run([TRACE, "resolve", "-o", tmp_path / "y.tape", raw])
        if done.returncode == 3 and after < 0.01:  # killed before its first words were written
            assert raw.stat().st_size < 4096, done.stderr
            continue
        assert done.returncode == 1, done.stderr
        tape = info(tmp_path / "y.tape")
        assert tape["complete"] is False and tape["cut_reason"]
    survival(f"SIGKILL of the collector after {after} s", 1, verdict=CUT)


def test_a_stopped_collector_is_waited_for(tmp_path):
    """A full ring waits, it never drops."""
    out = tmp_path / "out"
    with open(out, "wb") as stdout:
        process = start_churn(tmp_path / "x.tape", stdout, "4", "1500000", "10")
    child_of(process)
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(0.7)
    assert not out.read_bytes()  # it waits
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(60) == 0
    words = dict(zip(*[iter(out.read_text().split())] * 2))
    tape = sound(tmp_path / "x.tape")
    assert tape["complete"] is True
    assert tape["by_kind"]["malloc"] - 1 == int(words["allocations"])  # and stdout's buffer
    survival("SIGSTOP of the collector", 1, int(words["allocations"]) + int(words["frees"]), 0)


# ---- no room ---------------------------------------------------------------------------------------------------


@ROOT_ONLY
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
        survival("disk full", 1, verdict=CUT)
    finally:
        run(["umount", small])


def test_file_size_limit(tmp_path):
    limited = f"ulimit -S -f 256; exec {RECORD} -o {tmp_path}/x.tape -- {case('churn')} 2 1000000 10"
    done = run(["bash", "-c", limited])
    assert done.returncode == 0 and done.stdout.startswith(b"allocations 500")
    assert b"recording stopped early" in done.stderr
    tape = info(tmp_path / "x.tape")
    assert tape["complete"] is False and tape["cut_reason"] and tape["events"] > 1000
    survival("RLIMIT_FSIZE of the collector", 1, verdict=CUT)


def test_a_hard_file_size_limit(tmp_path):
    """Too low for our memory: said before the program starts (or lifted, where one may)."""
    done = run(["bash", "-c", f"ulimit -f 256; exec {RECORD} -o {tmp_path}/x.tape -- {case('churn')} 2 1000000 10"])
    if done.returncode == 0:
        assert b"recording stopped early" in done.stderr and info(tmp_path / "x.tape")["complete"] is False
    else:
        assert done.returncode == 4 and b"ulimit -f" in done.stderr and done.stderr.count(b"\n") == 1


ABSENT = """mount -t tmpfs tmpfs "$DEV" && for n in null zero full random urandom; do
touch "$DEV/$n" && mount --bind /dev/$n "$DEV/$n" || exit 1; done; mount --rbind "$DEV" /dev && test ! -e /dev/shm"""
FULL_UP = "mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full"


@ROOT_ONLY
@pytest.mark.parametrize("how", [ABSENT, FULL_UP], ids=["absent", "full"])
def test_no_shared_memory_file_system(how, tmp_path, request):
    """In a mount namespace of its own. Our memory is a memfd, which needs none."""
    (tmp_path / "dev").mkdir()
    environment = dict(os.environ, DEV=str(tmp_path / "dev"))
    if not shutil.which("unshare") or run(["unshare", "-m", "sh", "-c", how], env=environment).returncode:
        pytest.skip("no mount namespace to be had")
    script = f"{how} || exit 99; exec {RECORD} -q -o {tmp_path}/x.tape -- {case('churn')} 4 200000 20"
    done = run(["unshare", "-m", "sh", "-c", script], env=environment)
    assert done.returncode == 0, done.stderr
    tape = sound(tmp_path / "x.tape")
    assert tape["complete"] is True
    assert tape["by_kind"]["malloc"] - 1 == int(done.stdout.split()[1])  # and stdout's buffer
    survival(f"/dev/shm {request.node.callspec.id}", 1, tape["allocations"] + tape["frees"], 0)


# ---- surroundings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["", "close", "dup", "chdir", "chroot", "setuid", "umask", "files", "size", "space", "stack"])
def test_hostile_surroundings(what, tmp_path):
    command = [case("hostile"), *filter(None, [what])]
    plain = run(command)
    count = Count(tmp_path)
    done = record(tmp_path / "x.tape", command, "-q", env=count.environment)
    assert done.returncode == shell_status(plain) == 0, done.stderr
    child = int(done.stdout.split()[1])
    tapes = {tmp_path / "x.tape": 2000, tmp_path / f"x.{child}.tape": 500}
    assert set(tapes_beside(tmp_path / "x.tape").values()) == {tmp_path / f"x.{child}.tape"}
    for path, number in tapes.items():
        tape = sound(path)
        assert blocks(path, 1031) == number and tape["complete"] is True
        assert calls_on(tape) == count.by_pid()[tape["pid"]]
    survival(f"surroundings: {what or 'all at once'}", 1, sum(sum(c.values()) for c in count.by_pid().values()), 0)


def test_little_address_space(tmp_path):
    limited = f"ulimit -v 60000; exec {case('churn')} 4 100000 20"
    assert run(["bash", "-c", limited]).returncode == 0
    done = record(tmp_path / "x.tape", ["bash", "-c", limited], "-q")
    assert done.returncode == 0, done.stderr
    assert sound(tmp_path / "x.tape")["by_kind"]["malloc"] - 1 == int(done.stdout.split()[1])


def test_less_address_space_than_the_recorder_needs(tmp_path):
    """80 threads and no room for a second chunk of rings: those that cannot be recorded are counted, on the tape."""
    plain = run([case("cramped")])
    done = record(tmp_path / "x.tape", [case("cramped")])
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout) == (0, b"done\n")
    tape = info(tmp_path / "x.tape")
    found = blocks(tmp_path / "x.tape", 1031)
    assert tape["complete"] is False and "could not be recorded" in tape["cut_reason"]
    assert 64 * 90 < found < 81 * 100
