"""What the recorder's tests share: record something, read its tapes, read the independent count."""

import collections
import csv
import json
import os
import pathlib
import struct
import subprocess

import pytest
from conftest import BUILD

RECORD = BUILD / "libexec/heaptape/heaptape-record"
TRACE = BUILD / "libexec/heaptape/heaptape-trace"
CASES = BUILD / "tests"

KINDS = ("malloc", "calloc", "aligned", "realloc", "free", "free_null", "usable", "failed")
SLOT = struct.Struct("<16Q")


def case(name: str) -> str:
    return str(CASES / f"record_{name}")


def run(command, **options):
    options.setdefault("timeout", 120)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(c) for c in command], capture_output=True, check=False, **options)


def record(tape, command, *options, **run_options):
    """heaptape record -o TAPE OPTIONS -- COMMAND, as a CompletedProcess of bytes."""
    return run([RECORD, "-o", tape, *options, "--", *command], **run_options)


def info(tape) -> dict:
    done = run([TRACE, "info", "--format=json", tape])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sound(tape) -> dict:
    """The tape's info, after `trace check` found nothing wrong with it."""
    done = run([TRACE, "check", tape])
    assert done.returncode == 0, done.stdout + done.stderr
    return info(tape)


def tapes_beside(tape) -> dict:
    """All tapes of a recording but the program's own, by file name."""
    tape = pathlib.Path(tape)
    return {p.name: p for p in tape.parent.glob(tape.stem + ".*.tape")}


def sizes(tape) -> collections.Counter:
    """(kind, size) of the events of a tape, counted."""
    done = run([TRACE, "dump", "--format=csv", tape])
    assert done.returncode == 0, done.stderr
    lines = csv.reader(done.stdout.decode().splitlines())
    header = next(lines)
    kind, size = header.index("kind"), next(i for i, h in enumerate(header) if h.startswith("size"))
    return collections.Counter((line[kind], int(line[size] or 0)) for line in lines)


def shell_status(done) -> int:
    """A return code as a shell and heaptape have it: 128 + n where subprocess says -n."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


class Count:
    """The independent count of record_count.so, preloaded behind the recorder."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "counts"
        self.path.write_bytes(bytes(SLOT.size * 1024))
        self.environment = dict(os.environ, LD_PRELOAD=str(CASES / "record_count.so"), RECORD_COUNT_FILE=str(self.path))

    def images(self):
        """[(pid, {kind: count})] in the order in which the images began."""
        found = []
        for words in SLOT.iter_unpack(self.path.read_bytes()):
            if words[0]:
                found.append((words[0], dict(zip(KINDS, words[1:]))))
        return found


def calls_on(tape_info: dict) -> dict:
    """The same kinds as the count has, from a tape's info."""
    by = tape_info["by_kind"]
    return {
        "malloc": by["malloc"],
        "calloc": by["calloc"],
        "aligned": by["aligned"],
        "realloc": by["realloc_new"] + by["realloc"] + by["realloc_free"],
        "free": by["free"] + by["free_foreign"],
        "free_null": by["free_null"],
        "usable": 0,
        "failed": by["failed"],
    }


@pytest.fixture
def counted(tmp_path):
    return Count(tmp_path)
