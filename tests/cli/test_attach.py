"""heaptape record --pid: a running process is attached to and does not notice; who cannot be is told why."""

import collections
import ctypes
import os
import pathlib
import pwd
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ROOT
from record_help import CASES, RECORD, TRACE, info, run, sizes, sound, tapes_beside

OURS = range(1031, 2048, 16)
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
SCOPE = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and SCOPE.exists() and SCOPE.read_text().strip() != "0", reason="ptrace is not allowed here"
)


class Target:
    """A program of tests/stress that has said "up"; the line that is its start sign is still to come."""

    def __init__(self, *command, **options):
        options.setdefault("stdin", subprocess.PIPE)
        command = [str(CASES / command[0]) if str(command[0]).startswith("attach_") else command[0], *map(str, command[1:])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        assert line == b"up\n", (line, self.process.poll())

    def go(self):
        """Gives the sign; what the program printed after "up", and its exit status."""
        out, err = self.process.communicate(b"\n", timeout=120)
        assert err == b"", err
        return out.decode(), self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                stream.close()


class Recorder:
    """heaptape record --pid, waited for until it is attached (or has refused)."""

    def __init__(self, tape, pid, *options, **popen):
        command = [RECORD, "-v", "-o", tape, f"--pid={pid}", *options]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line.decode())
            if b": attached in " in line:
                break

    @property
    def attached(self):
        return bool(self.said) and ": attached in " in self.said[-1]

    def end(self, interrupt=False):
        """Waits for its end (after Ctrl-C, where asked for). All that it said; its exit status must be 0."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=120)
        said = "".join(self.said) + err.decode()
        assert self.process.returncode == 0, said
        return said


def attach(tape, target, *options, **popen):
    recorder = Recorder(tape, target.pid, *options, **popen)
    if not recorder.attached:
        recorder.process.wait()
        pytest.fail(f"status {recorder.process.returncode}: {''.join(recorder.said)}")
    return recorder


def ours(tape, kind="malloc"):
    return sum(n for (k, size), n in sizes(tape).items() if k == kind and size in OURS)


def live_twice(said):
    return int(re.search(r"addresses live twice (\d+)", said).group(1))


# ---- what is recorded ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["attach_churn", "attach_lazy", "attach_fixed"])
@pytest.mark.parametrize("threads", [1, 4, 13])
def test_every_call_after_attaching_is_on_the_tape(program, threads, tmp_path):
    calls = 20000 // threads
    with Target(program, threads, calls) as target:
        recorder = attach(tmp_path / "x.tape", target)
        out, status = target.go()
        said = recorder.end()
    assert (out, status) == (f"blocks {threads * calls} spoilt 0\n", 5)
    tape = sound(tmp_path / "x.tape")
    assert ours(tmp_path / "x.tape") == threads * calls
    assert live_twice(said) == 0
    assert tape["overwritten"] == 0 and tape["orphans"] == 0
    assert tape["exit_status"] in (5, None) and tape["complete"] is True
    assert tape["program"].endswith(program) and tape["pid"] == target.pid and tape["start_order"] == 0
    assert tape["lanes"] >= threads


def test_blocks_from_before_are_freed_as_unknown_ones(tmp_path):
    with Target("attach_churn", 2, 1000) as target:
        recorder = attach(tmp_path / "x.tape", target)
        target.go()
        said = recorder.end()
    foreign = info(tmp_path / "x.tape")["by_kind"]["free_foreign"]
    assert info(tmp_path / "x.tape")["attached"] is True
    assert foreign >= 256 and f"frees of unknown addresses {foreign}" in said  # what the threads had live


def test_cxx(tmp_path):
    with Target("attach_cxx") as target:
        recorder = attach(tmp_path / "x.tape", target)
        assert target.go() == ("caught 2\n", 0)
        recorder.end()
    found = sizes(tmp_path / "x.tape")
    assert [found["malloc", n] for n in (1031, 1047, 1063)] == [10, 10, 10]
    assert found["aligned_alloc", 1152] == 10
    assert sum(n for (kind, _), n in found.items() if kind == "failed") == 1
    sound(tmp_path / "x.tape")


# mimalloc, built as C, aborts where new should throw
@pytest.mark.parametrize("library,program", [
    ("libjemalloc.so.2", "attach_churn"), ("libjemalloc.so.2", "attach_cxx"), ("libmimalloc.so.2.0", "attach_churn"),
    ("libtcmalloc_minimal.so.4", "attach_churn"), ("libtcmalloc_minimal.so.4", "attach_cxx"),
])
def test_over_other_allocators(library, program, tmp_path):
    if not (LIBRARIES / library).exists():
        pytest.skip(f"{library} is not installed")
    arguments = (4, 5000) if program == "attach_churn" else ()
    with Target(program, *arguments, env=dict(os.environ, LD_PRELOAD=str(LIBRARIES / library))) as target:
        recorder = attach(tmp_path / "x.tape", target)
        out, status = target.go()
        said = recorder.end()
    if program == "attach_churn":
        assert (out, status) == ("blocks 20000 spoilt 0\n", 5)
        assert ours(tmp_path / "x.tape") == 20000
    else:
        assert (out, status) == ("caught 2\n", 0)
        assert [sizes(tmp_path / "x.tape")["malloc", n] for n in (1031, 1047, 1063)] == [10, 10, 10]
    assert live_twice(said) == 0
    assert library.split(".")[0] in sound(tmp_path / "x.tape")["allocator"]


def test_python(tmp_path):
    script = ("import sys\nprint('up', flush=True)\nsys.stdin.readline()\nimport json, decimal\n"
              "blocks = [bytearray(5000) for _ in range(1000)]\nprint(len(json.dumps(list(range(1000)))))")
    with Target("/usr/bin/python3", "-c", script, env=dict(os.environ, PYTHONMALLOC="malloc")) as target:
        recorder = attach(tmp_path / "x.tape", target)
        assert target.go() == ("4890\n", 0)
        recorder.end()
    found = sizes(tmp_path / "x.tape")
    assert sum(n for (_, size), n in found.items() if size == 5001) >= 1000
    assert sound(tmp_path / "x.tape")["allocations"] > 5000


def test_a_server_in_the_middle_of_its_work(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    socket = tmp_path / "redis.sock"
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""],
                              stdout=subprocess.DEVNULL, cwd=tmp_path)
    cli = ["redis-cli", "-s", str(socket)]
    try:
        while run([*cli, "ping"]).stdout != b"PONG\n":
            time.sleep(0.05)
        recorder = Recorder(tmp_path / "x.tape", server.pid)
        assert recorder.attached, recorder.said
        assert run([*cli, "eval", "for i=1,2000 do redis.call('set', i, string.rep('x', i)) end return redis.call('dbsize')", "0"]).stdout == b"2000\n"
        recorder.end(interrupt=True)
        assert run([*cli, "get", "7"]).stdout == b"xxxxxxx\n"
        run([*cli, "shutdown", "nosave"])
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
    assert sound(tmp_path / "x.tape")["allocations"] > 2000


@pytest.mark.parametrize("by", ["path", "name"])
def test_libraries_that_are_loaded_later(by, tmp_path):
    plugin = CASES / "attach_plugin.so" if by == "path" else "attach_plugin.so"
    with Target("attach_loads", plugin) as target:
        recorder = attach(tmp_path / "x.tape", target)
        assert target.go() == ("worked\n", 0)
        recorder.end()
    found = sizes(tmp_path / "x.tape")
    assert (found["malloc", 1031], found["malloc", 1047]) == (10, 10)


@pytest.mark.parametrize("follow", [None, "children", "none"])
def test_children(follow, tmp_path):
    with Target("attach_forks") as target:
        recorder = attach(tmp_path / "x.tape", target, *([f"--follow={follow}"] if follow else []))
        assert target.go() == ("handled 1 statuses 3 8 9\n", 0)
        said = recorder.end()
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 2000
    assert live_twice(said) == 0
    children = list(tapes_beside(tmp_path / "x.tape").values())
    assert len(children) == (0 if follow == "none" else 2)
    for child in children:
        assert sizes(child)["malloc", 1047] == 1000
        tape = sound(child)
        assert tape["parent_pid"] == target.pid and tape["start_order"] > 0
    sound(tmp_path / "x.tape")


# ---- what the program notices ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["read", "poll", "select", "epoll", "nanosleep", "futex", "sigsuspend", "sigtimedwait", "msgrcv", "wait"])
def test_waiting_programs_are_not_woken(kind, tmp_path):
    with Target("attach_waits", kind) as target:
        time.sleep(0.2)
        recorder = attach(tmp_path / "x.tape", target)
        if kind in ("sigsuspend", "sigtimedwait"):
            time.sleep(0.1)
            target.process.send_signal(signal.SIGUSR1)
        assert target.go() == ("result 1 errno 0\n", 6)
        recorder.end()
    assert sizes(tmp_path / "x.tape")["malloc", 1031] == 100


def test_registers_errno_and_signals(tmp_path):
    with Target("attach_state") as target:
        for i in range(6):
            attach(tmp_path / "x.tape", target).end(interrupt=True)
        target.process.send_signal(signal.SIGTERM)
        assert target.go() == ("turned 1 wrong 0\n", 0)


def test_twenty_times_at_random_moments_in_the_allocator(tmp_path):
    chance = random.Random(7)
    for i in range(20):
        with Target("attach_tight", 0.6) as target:
            time.sleep(chance.random() * 0.2)
            recorder = attach(tmp_path / "x.tape", target)
            assert target.go() == ("wrong 0\n", 7), i
            said = recorder.end()
        assert live_twice(said) == 0
        assert info(tmp_path / "x.tape")["events"] > 1000
    sound(tmp_path / "x.tape")


def test_ten_times_in_a_storm(tmp_path):
    """Loading, forking, threads that begin and end, locks held everywhere, signals: at random moments."""
    chance = random.Random(11)
    for i in range(10):
        with Target("attach_storm", 1 if i < 9 else 4, CASES / "attach_plugin.so") as target:
            time.sleep(chance.random() * 0.3)
            recorder = attach(tmp_path / "x.tape", target, "--follow=none", *(["--stop-after=1M"] if i == 9 else []))
            assert target.go() == ("stormed\n", 4), i
            recorder.end()
        assert sound(tmp_path / "x.tape")["events"] > 100
    plugins = run(["sh", "-c", f"{TRACE} dump --format=csv {tmp_path}/x.tape | grep -c ',malloc,.*,1047,'"])
    assert int(plugins.stdout) > 0  # the library that comes and goes


def protections(pid):
    """Of all file mappings but the recorder's own."""
    found = collections.Counter()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[5].startswith("/") and "heaptape" not in words[5].replace(str(ROOT), ""):
            low, high = (int(x, 16) for x in words[0].split("-"))
            for page in range(low, high, 4096):
                found[page, words[1]] += 1
    return found


@pytest.mark.parametrize("program", ["attach_churn", "attach_lazy"])
def test_protections_descriptors_and_environment_are_as_before(program, tmp_path):
    with Target(program, 2, 1000) as target:
        process = pathlib.Path(f"/proc/{target.pid}")

        def seen():
            masks = [line for line in (process / "status").read_text().splitlines() if line[:4] in ("SigP", "ShdP", "SigB", "SigI", "SigC")]
            files = sorted((p.name, os.readlink(p)) for p in (process / "fd").iterdir())
            return protections(target.pid), files, (process / "environ").read_bytes(), masks, (process / "cwd").resolve()

        before = seen()
        recorder = attach(tmp_path / "x.tape", target)
        assert seen() == before
        assert "TracerPid:\t0" in (process / "status").read_text()
        assert target.go() == ("blocks 2000 spoilt 0\n", 5)
        recorder.end()


def test_a_stop_and_its_end_are_passed_on(tmp_path):
    with Target("attach_churn", 3, 1000) as target:
        recorder = attach(tmp_path / "x.tape", target)
        target.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        assert "State:\tT" in pathlib.Path(f"/proc/{target.pid}/status").read_text()
        target.process.send_signal(signal.SIGCONT)
        assert target.go() == ("blocks 3000 spoilt 0\n", 5)
        recorder.end()
    assert ours(tmp_path / "x.tape") == 3000


# ---- the recording's end ---------------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_program_running_and_it_can_be_attached_to_again(tmp_path):
    with Target("attach_churn", 4, 2500) as target:
        for i in range(4):
            first = attach(tmp_path / f"{i}.tape", target)
            time.sleep(0.1)
            first.end(interrupt=True)
            tape = sound(tmp_path / f"{i}.tape")
            assert tape["complete"] is False and "ran on" in tape["cut_reason"] and tape["events"] > 1000
            assert target.process.poll() is None
        last = attach(tmp_path / "x.tape", target)
        assert target.go() == ("blocks 10000 spoilt 0\n", 5)
        assert live_twice(last.end()) == 0
    assert ours(tmp_path / "x.tape") == 10000
    sound(tmp_path / "x.tape")


def test_one_that_was_recorded_from_its_start_can_be_attached_to_later(tmp_path):
    outer = subprocess.Popen([RECORD, "-q", "-o", tmp_path / "a.tape", "--", CASES / "attach_churn", "3", "1000"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert outer.stdout.readline() == b"up\n"
    (child,) = (int(p) for p in pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split())
    try:
        done = run([RECORD, "-o", tmp_path / "b.tape", f"--pid={child}"])
        assert done.returncode == 4 and b"recorded already, by process %d" % outer.pid in done.stderr, done.stderr
        assert not (tmp_path / "b.tape").exists()
        outer.kill()  # the recorder: the program goes on unrecorded
        outer.wait()
        recorder = Recorder(tmp_path / "c.tape", child)
        assert recorder.attached, recorder.said
        out, _ = outer.communicate(b"\n", timeout=60)
        assert out == b"blocks 3000 spoilt 0\n"
        recorder.end()
    finally:
        if os.path.exists(f"/proc/{child}"):
            os.kill(child, signal.SIGKILL)
    assert ours(tmp_path / "c.tape") == 3000
    sound(tmp_path / "c.tape")


def test_the_recorder_killed(tmp_path):
    with Target("attach_churn", 4, 5000) as target:
        recorder = attach(tmp_path / "x.tape", target)
        recorder.process.kill()
        recorder.process.communicate()
        assert target.go() == ("blocks 20000 spoilt 0\n", 5)


def test_the_program_killed(tmp_path):
    with Target("attach_churn", 4, 5000) as target:
        recorder = attach(tmp_path / "x.tape", target)
        time.sleep(0.1)
        target.process.kill()
        recorder.end()
    assert sound(tmp_path / "x.tape")["events"] > 1000


def test_the_recorder_killed_in_the_middle_of_attaching(tmp_path):
    chance = random.Random(5)
    for i in range(20):
        with Target("attach_churn", 3, 1000) as target:
            recorder = subprocess.Popen([RECORD, "-q", "-o", tmp_path / "x.tape", f"--pid={target.pid}"])
            time.sleep(chance.random() * 0.03)
            recorder.kill()
            recorder.wait()
            assert target.go() == ("blocks 3000 spoilt 0\n", 5), i


def test_the_program_killed_in_the_middle_of_attaching(tmp_path):
    chance = random.Random(6)
    for _ in range(20):
        with Target("attach_churn", 3, 1000) as target:
            recorder = subprocess.Popen([RECORD, "-q", "-o", tmp_path / "x.tape", f"--pid={target.pid}"], stderr=subprocess.PIPE)
            time.sleep(chance.random() * 0.03)
            target.process.kill()
            target.process.wait()
            _, err = recorder.communicate(timeout=30)
            assert recorder.returncode == 0 or (recorder.returncode == 4 and err.count(b"\n") == 1), err


# ---- who cannot be attached to ---------------------------------------------------------------------------------


def refuses(tmp_path, pid, *words, status=4, **options):
    done = run([RECORD, "-o", tmp_path / "no.tape", f"--pid={pid}"], **options)
    assert done.returncode == status, done
    assert done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"heaptape record: "), done.stderr
    for word in words:
        assert word in done.stderr.decode(), done.stderr
    assert not list(tmp_path.glob("no.tape*"))


def test_no_such_process_and_no_number(tmp_path):
    refuses(tmp_path, 2**22 - 3, "there is none")
    for text in ("x", "", "-1", "0", "12k", "99999999999"):
        refuses(tmp_path, text, "--pid", status=2)
    done = run([RECORD, "--pid=1", "--", "true"])
    assert done.returncode == 2 and b"exclude" in done.stderr
    done = run([RECORD, "--pid=1", "--follow=exec"])
    assert done.returncode == 2 and b"--follow=exec" in done.stderr
    assert b"--pid=PID" in run([RECORD, "--help"]).stdout


def test_threads_zombies_and_stopped_ones(tmp_path):
    with Target("attach_churn", 1, 1) as target:
        thread = max(int(p.name) for p in pathlib.Path(f"/proc/{target.pid}/task").iterdir())
        refuses(tmp_path, thread, f"a thread of process {target.pid}")
        target.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        refuses(tmp_path, target.pid, "stopped", "kill -CONT")
        target.process.send_signal(signal.SIGCONT)
        assert target.go() == ("blocks 1 spoilt 0\n", 5)
    zombie = subprocess.Popen(["true"])
    while pathlib.Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.01)
    refuses(tmp_path, zombie.pid, "has ended already")
    zombie.wait()
    if pathlib.Path("/proc/2/comm").exists() and pathlib.Path("/proc/2/comm").read_text() == "kthreadd\n":
        refuses(tmp_path, 2, "thread of the kernel")


def test_static_programs(tmp_path):
    with Target("attach_static", "read") as target:
        refuses(tmp_path, target.pid, "static")
        assert target.go() == ("result 1 errno 0\n", 6)


def test_one_that_is_traced_already(tmp_path):
    with Target("attach_churn", 1, 1) as target:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ptrace(0x4206, target.pid, None, None) == 0  # PTRACE_SEIZE
        refuses(tmp_path, target.pid, f"traced already, by process {os.getpid()}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_users(tmp_path):
    nobody = pwd.getpwnam("nobody")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    probe = run([RECORD, "--version"], user=nobody.pw_uid, group=nobody.pw_gid)
    if probe.returncode:
        pytest.skip("the build cannot be reached by other users")
    with Target("attach_churn", 1, 1) as target:
        refuses(open_to_all, target.pid, "belongs to the user root", user=nobody.pw_uid, group=nobody.pw_gid)
        assert target.go() == ("blocks 1 spoilt 0\n", 5)
    with Target("attach_churn", 2, 500, user=nobody.pw_uid, group=nobody.pw_gid) as target:  # their own they may
        recorder = Recorder(open_to_all / "x.tape", target.pid, user=nobody.pw_uid, group=nobody.pw_gid)
        assert target.go() == ("blocks 1000 spoilt 0\n", 5)
        if recorder.attached:
            recorder.end()
            assert ours(open_to_all / "x.tape") == 1000
        else:
            recorder.process.communicate()
            assert "ptrace_scope" in recorder.said[-1]
    # and root attaches to theirs, which could not open root's files itself
    with Target("attach_churn", 2, 500, user=nobody.pw_uid, group=nobody.pw_gid) as target:
        recorder = attach(tmp_path / "x.tape", target)
        assert target.go() == ("blocks 1000 spoilt 0\n", 5)
        recorder.end()
    assert ours(tmp_path / "x.tape") == 1000


def test_a_place_that_cannot_be_written_is_told_before_anything_is_touched(tmp_path):
    with Target("attach_churn", 1, 1) as target:
        done = run([RECORD, "-o", tmp_path / "no/such/x.tape", f"--pid={target.pid}"])
        assert done.returncode == 4 and done.stderr.count(b"\n") == 1
        assert "heaptape" not in pathlib.Path(f"/proc/{target.pid}/maps").read_text().replace(str(ROOT), "")
        assert target.go() == ("blocks 1 spoilt 0\n", 5)


@pytest.mark.parametrize("limit,value,word", [("NOFILE", 3, "socketpair"), ("AS", 4096, "ulimit -v"), ("AS", 24 << 20, "")])
def test_tight_limits(limit, value, word, tmp_path):
    """No descriptor free, no address space at all, none for the rings: told, and the program goes on."""
    which = getattr(resource, f"RLIMIT_{limit}")
    with Target("attach_cxx") as target:
        if value > 1 << 20:
            value += 4096 * int(pathlib.Path(f"/proc/{target.pid}/statm").read_text().split()[0])
        before = resource.prlimit(target.pid, which)
        resource.prlimit(target.pid, which, (value, before[1]))
        if word:
            refuses(tmp_path, target.pid, word)
        else:  # fewer lanes do
            recorder = attach(tmp_path / "x.tape", target)
        resource.prlimit(target.pid, which, before)
        assert target.go() == ("caught 2\n", 0)
        if not word:
            recorder.end()
            assert sizes(tmp_path / "x.tape")["malloc", 1031] == 10
