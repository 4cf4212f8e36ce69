"""One program on one allocator: what it is, how it is run, what it took."""
from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_S = 120


@dataclass(frozen=True)
class Program:
    """`argv` may hold {seed}; `client` is a shell command that uses the program as a server: it runs
    beside it on libc, is not measured, and the server is ended by SIGTERM when the client is done."""
    name: str
    kind: str  # "kernel", "application", "tape" or "tiny"
    what: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    client: str = ""
    stdin: str = ""  # a file of the inputs' folder
    runs: int = 1  # runs to a sample: more for programs of a millisecond
    in_repository: bool = False  # run in the git repository among the inputs
    statuses: tuple[int, ...] = ()  # exit statuses beside 0 that are no failure
    needs: tuple[str, ...] = ()  # commands beside argv[0]
    tape: str = ""  # replayed by argv[0] instead


@dataclass(frozen=True)
class Sample:
    cpu_us: float  # user and system, of the program, its threads and the children it waited for
    resident_kib: float  # the peak of the largest of its processes
    faults: float  # minor


def replay_once(program: Program, library: str) -> Sample | str:
    """The timed part of a replay, its own 3 to 4 ns a call included, and the peak resident memory."""
    spec = f"measured={library}" if library else "libc"
    done = subprocess.run([*program.argv, program.tape, "-a", spec, "--format=json"],
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        return f"replay: {done.returncode}"
    answer = json.loads(done.stdout)
    return Sample(answer["timed_seconds"] * 1e6, answer["peak_resident_bytes"] / 1024, answer["minor_faults"])


def run_once(launcher: Path, program: Program, library: str, folder: Path, seed: int) -> Sample | str:
    """One run in `folder`; a string says why there is no sample."""
    if program.tape:
        return replay_once(program, library)
    out = folder / "usage"
    out.unlink(missing_ok=True)
    env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    env.update(program.env, LC_ALL="C.UTF-8", HOME=str(folder))
    argv = [str(launcher), str(out), library or "-",
            *(part.replace("{seed}", str(seed)) for part in (program.client or "-", *program.argv))]
    cwd = folder / "repository" if program.in_repository else folder
    with open(folder / program.stdin if program.stdin else os.devnull, "rb") as stdin:
        try:
            subprocess.run(argv, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True)
        except subprocess.TimeoutExpired:
            return f"over {TIMEOUT_S} s"
        except subprocess.CalledProcessError as error:
            return f"launcher: {error.returncode}"
    status, user, system, resident, faults = map(int, out.read_text().split())
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    if status != 0 and os.WEXITSTATUS(status) not in program.statuses:
        return f"status {os.WEXITSTATUS(status)}"
    return Sample(user + system, resident, faults)


def run(launcher: Path, program: Program, library: str, folder: Path, seed: int) -> Sample | str:
    """program.runs times run_once(): of the time the least, since what disturbs so short a run can
    only add to it; of memory and faults the median."""
    samples = []
    for _ in range(program.runs):
        sample = run_once(launcher, program, library, folder, seed)
        if isinstance(sample, str):
            return sample
        samples.append(sample)
    return Sample(min(one.cpu_us for one in samples),
                  statistics.median(one.resident_kib for one in samples),
                  statistics.median(one.faults for one in samples))
