"""What the recorder's tests share: record something, read its tapes, read the independent count.

accepted() is the acceptance of every hard case: the tapes read, their counts equal the independent count, the
program's output and exit status are what they are without us.

HEAPTAPE_STRESS=full (make stress-recorder) runs the long forms; survival() notes a line of the table printed then.
"""

import collections
import json
import os
import pathlib
import struct
import subprocess
import types

import pytest
from conftest import BUILD

RECORD = BUILD / "libexec/heaptape/heaptape-record"
TRACE = BUILD / "libexec/heaptape/heaptape-trace"
CASES = BUILD / "tests"

FULL = os.environ.get("HEAPTAPE_STRESS") == "full"

KINDS = ("malloc", "calloc", "aligned", "realloc", "free", "free_null", "usable", "failed")
SLOT = struct.Struct("<16Q")


def case(name: str) -> str:
    return str(CASES / f"record_{name}")


def run(command, **options):
    options.setdefault("timeout", 120)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(c) for c in command], capture_output=True, check=False, **options)


def survival(name, runs, promised=None, lost=None, verdict=None):
    """A line of the survival table: events that had completed, and how many of them are on no tape; where the recorder
    could promise nothing about them, only what it kept: the program untouched, and a tape that says where it was cut."""
    if os.environ.get("HEAPTAPE_SURVIVAL"):
        with open(os.environ["HEAPTAPE_SURVIVAL"], "a", encoding="utf-8") as table:
            table.write(json.dumps({"case": name, "runs": runs, "promised": promised, "lost": lost, "verdict": verdict}) + "\n")


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


# Counts in awk: a tape may have millions of events.
COUNT_SIZES = """NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "kind") kind = i; if ($i ~ /^size/) size = i }; next }
/"/ { gsub(/"realloc.p,0."/, "realloc(p.0)") }
{ count[$kind "," ($size == "" ? 0 : $size)]++ } END { for (key in count) print count[key] "," key }"""


def sizes(tape) -> collections.Counter:
    """(kind, size) of the events of a tape, counted."""
    dump = subprocess.Popen([TRACE, "dump", "--format=csv", tape], stdout=subprocess.PIPE)
    counted_by = subprocess.run(["awk", "-F,", COUNT_SIZES], stdin=dump.stdout,
                                capture_output=True, text=True, check=True, timeout=120)
    dump.stdout.close()
    assert dump.wait() == 0
    lines = (line.split(",") for line in counted_by.stdout.splitlines())
    return collections.Counter({(kind.replace("p.0", "p,0"), int(size)): int(n) for n, kind, size in lines})


def shell_status(done) -> int:
    """A return code as a shell and heaptape have it: 128 + n where subprocess says -n."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


class Count:
    """The independent count of record_count.so, or another that counts, preloaded behind the recorder."""

    def __init__(self, folder, library="count", environment=None):
        self.path = pathlib.Path(folder) / "counts"
        self.path.write_bytes(bytes(SLOT.size * 2048))
        environment = os.environ if environment is None else environment
        behind = " ".join(filter(None, [str(CASES / f"record_{library}.so"), environment.get("LD_PRELOAD")]))
        self.environment = dict(environment, LD_PRELOAD=behind, RECORD_COUNT_FILE=str(self.path))

    def images(self):
        """[(pid, {kind: count})] in the order in which the images began."""
        found = []
        for words in SLOT.iter_unpack(self.path.read_bytes()):
            if words[0]:
                found.append((words[0], dict(zip(KINDS, words[1:]))))
        return found

    def by_pid(self):
        """All images of a process together."""
        counts = collections.defaultdict(collections.Counter)
        for pid, calls in self.images():
            counts[pid].update(calls)
        return counts


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
        "usable": by["usable_size"],
        "failed": by["failed"],
    }


@pytest.fixture
def counted(tmp_path):
    return Count(tmp_path)


def resolved_soundly(raw) -> bool:
    """Complete, undamaged, no address live twice: what trace resolve's exit status says."""
    done = run([TRACE, "resolve", "-o", f"{raw}.again", raw])
    pathlib.Path(f"{raw}.again").unlink(missing_ok=True)
    return done.returncode == 0


def check_tapes(path, done, plain, same, foreign, sound_order):
    """A recording's program did what it did plainly, and its tapes are sound. Returns them and their calls by pid."""
    assert done.returncode == shell_status(plain), done.stderr
    assert same(done.stdout) == same(plain.stdout), f"{plain.stdout} became {done.stdout}"
    assert same(done.stderr) == same(plain.stderr), f"{plain.stderr} became {done.stderr}"
    tapes = {p: sound(p) for p in [path, *tapes_beside(path).values()]}
    found_foreign = sum(tape["by_kind"]["free_foreign"] for tape in tapes.values())
    assert foreign in (found_foreign, None), f"{found_foreign} foreign frees"
    calls = collections.defaultdict(collections.Counter)
    for p, tape in tapes.items():
        assert tape["complete"] is True and tape["damaged_blocks"] == 0
        assert not sound_order or resolved_soundly(f"{p}.raw"), p
        calls[tape["pid"]].update(calls_on(tape))
    return tapes, calls


def accepted(folder, command, env=None, plain_env=None, library="count", foreign=0, same=None, sound_order=True,
             lookups=0, unseen=None, steady=True):
    """Runs COMMAND plainly and recorded, with an independent count behind the recorder, and holds the two against each
    other; then once more with nothing behind, because over glibc's own malloc the recorder has another, faster way.

    foreign: frees of unknown blocks that there have to be, None where that is chance; same: makes outputs comparable
    (pids); library: what counts; plain_env: where the plain run differs; lookups: names that the recorder looks up in
    vain while the program runs, whose messages the loader may allocate past the tape; unseen: calls by kind that end in
    the recorder; steady: the program makes the same calls each time. Returns done, path, tape, tapes (by path), calls
    (by pid), of the run with nothing behind where it is steady, else of the counted one.
    """
    same = same or (lambda output: output)
    plain = run(command, env=env if plain_env is None else plain_env)
    count = Count(folder, library, env)
    path = pathlib.Path(folder) / "counted.tape"
    done = record(path, command, "-q", "--keep-raw", env=count.environment)
    tapes, calls = check_tapes(path, done, plain, same, foreign, sound_order)
    counts, own = count.by_pid(), tapes[path]["pid"]
    surplus = collections.Counter(counts[own])
    surplus.subtract(calls[own])
    if 0 < surplus["free_null"] <= lookups:  # what a message takes besides depends on how long the paths in it are
        for kind in ("malloc", "free", "realloc", "free_null"):
            assert 0 <= surplus[kind] <= 6 * surplus["free_null"], surplus
            counts[own][kind] -= surplus[kind]
        assert surplus["malloc"] == surplus["free"], surplus
    counts[own].update(unseen or {})
    if not sound_order:  # the resolver frees what is live twice
        assert calls[own]["free"] >= counts[own]["free"]
        counts[own]["free"] = calls[own]["free"]
    assert calls == counts, f"on the tapes: {dict(calls)}; counted: {dict(counts)}"
    if plain_env is None:
        counted_calls, fast = calls, pathlib.Path(folder) / "x.tape"
        fast_done = record(fast, command, "-q", "--keep-raw", env=env)
        fast_tapes, fast_calls = check_tapes(fast, fast_done, plain, same, foreign, sound_order)
        if steady:
            done, path, tapes, calls = fast_done, fast, fast_tapes, fast_calls
            assert by_size(calls) == by_size(counted_calls), f"{dict(calls)} and with a count {dict(counted_calls)}"
    return types.SimpleNamespace(done=done, path=path, tape=tapes[path], tapes=tapes, calls=calls, count=count)


def by_size(calls) -> list:
    """The calls of all processes in an order that does not hang on their pids."""
    return sorted(sorted(counter.items()) for counter in calls.values())


def blocks(path, size, kind="malloc") -> int:
    """How many events of a kind have this size."""
    return sizes(path)[kind, size]
