"""One run of one program: a fresh folder, a watchdog, and everything that it left behind.

The runner is the reaper of orphans in its process, so that daemons that cut loose come back to it: whatever is left
after a program is known, said and ended by its process id. Nothing else is ever signalled."""

import ctypes
import dataclasses
import os
import pathlib
import pwd
import resource
import shutil
import signal
import stat
import subprocess
import time

from program import Program, content

PR_SET_CHILD_SUBREAPER = 36
MEMORY_LIMIT = 3 << 30  # resident, of all processes of a run together
LEFTOVER_SECONDS = 5.0
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"


@dataclasses.dataclass
class Outcome:
    """What a run gave."""

    status: int  # as a shell has it: 128 + n for signal n
    stdout: bytes
    stderr: bytes
    files: dict  # name: (kind, permissions, content) of what lies in the work folder
    seconds: float
    trouble: list  # of the run itself: time, memory, processes left behind


def become_reaper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list:
    """Process ids of all that this process has started and that still is, children before grandchildren."""
    found, queue = [], [os.getpid()]
    while queue:
        pid = queue.pop(0)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
                found += map(int, children)
                queue += map(int, children)
        except OSError:
            continue
    return found


def resident_bytes(pids) -> int:
    total = 0
    for pid in pids:
        try:
            total += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):
            continue
    return total


def _command_line(pid) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80].strip()
    except OSError:
        return ""


def _kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _end_leftovers() -> list:
    """Waits for what the program left running, then ends it and says what it was."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        _reap()
        left = descendants()
        if not left:
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    names = [_command_line(pid) for pid in left]
    while left:
        _kill(left)
        time.sleep(0.02)
        _reap()
        left = descendants()
    return [f"left running: {'; '.join(names)}"]


class Place:
    """The folders of one entry; the same paths in each run, so that paths in the output are the same."""

    def __init__(self, base: pathlib.Path, program: Program):
        self.root = base / program.name
        self.work, self.home, self.temporary, self.tapes = (self.root / n for n in ("work", "home", "tmp", "tapes"))
        self.program = program
        self.user = pwd.getpwnam(program.user) if program.user and os.geteuid() == 0 else None

    def refill(self):
        """Empty folders, then the entry's files. Everything of the last run is removed."""
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in (self.work, self.home, self.temporary, self.tapes):
            folder.mkdir(parents=True)
        for name, value in self.program.files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(value))
        for path in self.root.rglob("*"):
            os.utime(path, (1700000000, 1700000000))
        if self.user:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def environment(self, ports) -> dict:
        return {
            "PATH": SYSTEM_PATH,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "dumb",
            "PORT": str(ports[0]),
            "PORT2": str(ports[1]),
            **self.program.environment,
        }

    def argv(self, before) -> list:
        """The whole command; who the entry is run as, the recorder is run as too."""
        command = [*map(str, before), *self.program.argv]
        if not self.user:
            return command
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups", *command]

    def snapshot(self) -> dict:
        files = {}
        for path in sorted(self.work.rglob("*")):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                value = path.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                value = os.readlink(path).encode()
            else:
                value = b""
            files[str(path.relative_to(self.work))] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), value)
        return files


def _limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)


def _watch(process, seconds) -> list:
    """Waits for its end; ends it, and says why, when it takes too long or too much."""
    began, looked = time.monotonic(), 0.0
    while process.poll() is None:
        now = time.monotonic()
        if now - began > seconds:
            trouble = f"not done after {seconds} s"
        elif now - looked > 0.25 and resident_bytes(descendants()) > MEMORY_LIMIT:
            trouble = f"more than {MEMORY_LIMIT >> 30} GiB resident"
        else:
            looked = now if now - looked > 0.25 else looked
            time.sleep(0.005)
            continue
        _kill([*descendants(), process.pid])
        process.wait()
        return [trouble]
    return []


def execute(place: Place, ports, before=(), seconds=None) -> Outcome:
    """Runs the entry in refilled folders with the words of `before` in front of its command."""
    place.refill()
    environment = place.environment(ports)
    if place.program.prepare:
        done = subprocess.run(
            ["sh", "-euc", place.program.prepare], cwd=place.work, env=environment, capture_output=True,
            stdin=subprocess.DEVNULL, preexec_fn=_limit, timeout=place.program.seconds, check=False,
        )  # fmt: skip
        if done.returncode:
            return Outcome(done.returncode, b"", done.stderr, {}, 0, ["its preparation failed"])
    stdin, out, err = (place.root / name for name in ("stdin", "stdout", "stderr"))
    stdin.write_bytes(content(place.program.stdin))
    began = time.monotonic()
    with open(stdin, "rb") as i, open(out, "wb") as o, open(err, "wb") as e:
        process = subprocess.Popen(
            place.argv(before), cwd=place.work, env=environment, stdin=i, stdout=o, stderr=e,
            preexec_fn=_limit, start_new_session=True,
        )  # fmt: skip
        trouble = _watch(process, seconds or place.program.seconds)
    elapsed = time.monotonic() - began
    trouble += _end_leftovers()
    if not stat.S_ISCHR(os.stat(os.devnull).st_mode):
        trouble.append(f"{os.devnull} is a device no more")  # a server run by root that removes its pid file, say
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Outcome(status, out.read_bytes(), err.read_bytes(), place.snapshot(), elapsed, trouble)
