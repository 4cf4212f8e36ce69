"""replay --verify and bench --verify: every allocator in tests/wrong/ is found out and its bug named rightly, and
those that are sound pass on every tape."""

import csv
import io
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT
from driver_help import one_line, results_of

ENGINE = BUILD / "libexec/heaptape/heaptape-engine"
MAKE_TAPE = BUILD / "tests/engine_tape"
COUNT = BUILD / "tests/engine_count.so"
CORPUS = sorted((ROOT / "traces/corpus").glob("*.tape"))
# Events, live ids, lanes, percent of uses by another lane, how.
SHAPES = {
    "one": ("60000", "300", "1", "0"),
    "four": ("60000", "300", "4", "20", "seed=2"),
    "forty": ("20000", "300", "40", "30", "seed=3"),
    "short": ("40000", "300", "600", "0", "short"),
    "huge": ("20000", "100", "1", "0", "huge", "zero", "seed=3"),
    "huge four": ("10000", "60", "4", "20", "huge", "zero", "seed=4"),
    "zero": ("60000", "300", "2", "20", "zero", "seed=5"),
    "empty": ("0", "1", "1", "0"),
}
SYNTH = ("--events=200k", "--lanes=4", "--cross-frees=20%", "--reallocs=10%", "--callocs=20%", "--aligned=15%",
         "--size=1..50k", "--sizes=log", "--live=3k")
SOUND = ("libc", "htmalloc", "htmalloc-hard", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc")
# What a sound allocator may do all the same. Debian's mimalloc (2.0.9): a call of posix_memalign(&p, 256, 256)
# gives addresses that are no multiples of 256, as a program of ten lines shows (test_mimalloc_by_itself).
KNOWN = {"mimalloc": {"misaligned"}}
NOTES = {"null_errno", "free_errno"}

# Bug: the tape that shows it, its kind, and the kinds that may follow from it.
WRONG = {
    "aligned_to_8": ("one", "misaligned", ()),
    "memalign_half": ("one", "misaligned", ()),
    "overlap_by_one": ("one", "overlap", ()),
    "same_twice": ("one", "duplicate", ()),
    "freed_early": ("one", "duplicate", ("damaged", "overlap", "crashed")),
    "realloc_copies_less": ("one", "realloc_lost", ()),
    "realloc_shifts": ("one", "realloc_lost", ()),
    "realloc_clears_tail": ("one", "realloc_lost", ()),
    "realloc_shrinks": ("one", "realloc_lost", ()),
    "realloc_null_frees": ("one", "realloc_freed", ("realloc_changed", "duplicate", "damaged", "crashed")),
    "realloc_null_changes": ("one", "realloc_changed", ()),
    "calloc_dirty": ("one", "not_zero", ()),
    "calloc_dirty_end": ("one", "not_zero", ()),
    "calloc_overflows": ("one", "impossible", ()),
    "usable_small": ("one", "usable_small", ()),
    "usable_large": ("one", "usable_overlap", ()),
    "usable_metadata": ("one", "usable_unwritable", ()),
    "header_behind": ("one", "damaged", ()),
    "link_in_live": ("one", "damaged", ()),
    "null_sometimes": ("one", "null", ()),
    "zero_shared": ("one", "duplicate", ()),
    "on_stack": ("one", "not_heap", ("duplicate",)),
    "free_crashes": ("one", "crashed", ()),
    "huge_read_only": ("huge", "inaccessible", ()),
    "huge_unmapped": ("huge", "inaccessible", ()),
    "truncates_to_4g": ("huge", "usable_small", ("impossible",)),
    "truncates_to_2m": ("huge", "overlap", ("impossible", "not_heap")),
    "cross_free": ("four", "damaged", ()),
    "race": ("four", "duplicate", ("damaged", "realloc_lost", "overlap", "crashed", "inaccessible", "not_heap")),
}


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    made = {}
    for name, shape in SHAPES.items():
        made[name] = folder / f"{name.replace(' ', '_')}.tape"
        subprocess.run([MAKE_TAPE, made[name], *shape], capture_output=True, check=True)
    made["synth"] = folder / "synth.tape"
    subprocess.run([ROOT / "heaptape", "trace", "synth", "-o", made["synth"], *SYNTH], check=True,
                   env={**os.environ, "B": str(BUILD)}, capture_output=True)
    for path in CORPUS:
        made[path.stem] = path
    return made


def wrong(name: str) -> str:
    return f"wrong={BUILD}/tests/libwrong_{name}.so"


def verify(heaptape, tape, allocator, *options):
    """The result, and the kinds that fail with their counts."""
    result = heaptape("replay", "--verify", tape, "-a", allocator, "--format=json", *options)
    assert result.stdout, result.stderr
    answer = json.loads(result.stdout)
    found = {kind: count for kind, count in answer["violations_by_kind"].items() if count and kind not in NOTES}
    assert answer["violations"] == sum(found.values())
    assert result.returncode == (answer["status"] != "ok"), answer["detail"]
    return answer, found


def is_there(heaptape, name):
    listed = json.loads(heaptape("allocators", "--format=json").stdout)
    return any(row["name"] == name for row in listed["allocators"])


def test_every_wrong_allocator_is_tested():
    assert {path.stem for path in (ROOT / "tests/wrong").glob("*.c")} == {*WRONG, "free_errno"}
    assert len(WRONG) >= 14


@pytest.mark.parametrize("name", WRONG)
def test_a_bug_is_found_and_named(heaptape, tapes, name):
    shape, kind, follows = WRONG[name]
    for _ in range(10 if name == "race" else 1):  # which needs its moment
        answer, found = verify(heaptape, tapes[shape], wrong(name))
        if kind in found:
            break
    assert kind in found, answer
    assert set(found) <= {kind, *follows}, found
    assert answer["status"] == ("crashed" if kind == "crashed" else "failed")
    if name == "race":
        return
    first = next(violation for violation in answer["violations_listed"] if violation["fails"])
    assert first["kind"] == kind
    assert answer["detail"] == answer["detail"].strip()
    assert kind == "crashed" or f"{kind}: {first['what']}" in answer["detail"]


# Those that leave a heap in which anything may happen next.
SPOILS = {"freed_early", "race", "realloc_null_frees", "usable_metadata"}
# Those that need a call or a size that the tape does not have.
NOT_IN_FOUR = {"huge_read_only", "huge_unmapped", "truncates_to_4g", "truncates_to_2m"}


@pytest.mark.parametrize("name", WRONG)
def test_threads_change_no_name(heaptape, tapes, name):
    """On four lanes, too, a bug is found, and taken for nothing but itself and what follows from it."""
    _, kind, follows = WRONG[name]
    answer, found = verify(heaptape, tapes["four"], wrong(name))
    if name in SPOILS:
        kinds = [violation["kind"] for violation in answer["violations_listed"] if violation["fails"]]
        # malloc_usable_size() may read what was written over before anything else notices.
        assert not kinds or kinds[0] in {kind, "crashed", "usable_small", *follows}
    else:
        # A block that two lanes have may be grown by one between the other's calls.
        also = {"usable_overlap"} if kind == "overlap" else set()
        assert set(found) <= {kind, *follows, *also}
    if name not in NOT_IN_FOUR and name != "race":
        assert found  # which of a bug's consequences comes first is up to the threads
    if name in ("on_stack", "aligned_to_8", "realloc_shifts", "link_in_live", "header_behind", "overlap_by_one"):
        assert kind in found


def dump(heaptape, tape):
    """Lane, call and the rest (object, size) of each event."""
    events = {}
    for line in heaptape("trace", "dump", tape).stdout.splitlines():
        index, _, lane, call, rest = (line.split(None, 4) + [""])[:5]
        events[int(index)] = (int(lane), call, rest.split())
    return events


@pytest.mark.parametrize("name", ("aligned_to_8", "cross_free", "calloc_dirty", "free_crashes", "realloc_shifts"))
def test_the_event_named_is_the_one(heaptape, tapes, name):
    """Index, call, lane and size are those of the tape, also with several lanes."""
    for shape in ("one", "four"):
        dumped = dump(heaptape, tapes[shape])
        answer, _ = verify(heaptape, tapes[shape], wrong(name))
        for violation in answer["violations_listed"]:
            if violation["event"] is None:
                continue
            lane, call, rest = dumped[violation["event"]]
            assert (violation["lane"], violation["call"]) == (lane, call)
            if violation["kind"] in ("misaligned", "not_zero"):
                assert str(violation["size_bytes"]) in rest
            if violation["kind"] in ("realloc_lost", "damaged"):
                assert dumped[violation["block_event"]][2][0] == rest[0]  # the object
                assert violation["block_event"] <= violation["sound_event"] <= violation["event"]


def test_the_event_named_is_the_one_in_every_window(heaptape, tapes):
    dumped = dump(heaptape, tapes["four"])
    result = run_engine(tapes["four"], "--plan-memory=256k", preload=BUILD / "tests/libwrong_null_sometimes.so")
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("null ")]
    named = [dict(zip(words[1::2], words[2::2])) for words in lines]
    assert len(named) >= 5
    assert max(int(violation["event"]) for violation in named) > 40000  # a window of 256 KiB has some 20,000
    for violation in named:
        lane, call, rest = dumped[int(violation["event"])]
        assert lane == int(violation["lane"]) and call in ("malloc", "realloc(NULL)")
        assert violation["size"] in rest


@pytest.mark.parametrize("allocator", SOUND)
def test_a_sound_allocator_passes_on_every_tape(heaptape, tapes, allocator):
    if not is_there(heaptape, allocator):
        pytest.skip(f"{allocator} is not here")
    for name, tape in tapes.items():
        answer, found = verify(heaptape, tape, allocator)
        assert set(found) <= KNOWN.get(allocator, set()), (name, answer)
        assert answer["status"] == ("failed" if found else "ok"), (name, answer)
        if tape in CORPUS:
            assert not found


def test_mimalloc_by_itself(heaptape, tapes, tmp_path):
    """Where --verify finds mimalloc misaligned, a program that only calls posix_memalign does, too."""
    if not is_there(heaptape, "mimalloc"):
        pytest.skip("mimalloc is not here")
    found = verify(heaptape, tapes["synth"], "mimalloc")[1]
    source = tmp_path / "align.c"
    source.write_text("""
        #include <stdint.h>
        #include <stdlib.h>
        int main(void)
        {
            for (int i = 0; i < 300; i++) {
                void *block;
                if (posix_memalign(&block, 256, 256) || (uintptr_t)block % 256)
                    return 1;
            }
            return 0;
        }""")
    subprocess.run(["cc", "-o", tmp_path / "align", source], check=True)
    run = heaptape("run", "-a", "mimalloc", "--", tmp_path / "align")
    assert run.returncode == bool(found)


def test_random_tapes_give_no_false_alarm(heaptape, tmp_path):
    for seed in range(12):
        tape = tmp_path / "random.tape"
        lanes = 1 + seed % 5
        subprocess.run([MAKE_TAPE, tape, "6000", str(20 + 37 * seed), str(lanes), "30", "zero", f"seed={seed + 50}"],
                       capture_output=True, check=True)
        for allocator in ("libc", "htmalloc"):
            for order in ("causal", "strict"):
                assert verify(heaptape, tape, allocator, f"--order={order}")[1] == {}


def run_engine(tape, *options, preload=None):
    environment = dict(os.environ, LD_PRELOAD=str(preload)) if preload else dict(os.environ)
    return subprocess.run([ENGINE, "--tape", tape, "--mode=verify", "--print", *options], env=environment,
                          capture_output=True, text=True, check=False)


def test_windows_and_a_plan_file_change_nothing(tapes, tmp_path):
    """Many windows find the same as one; a plan that another run has kept is not used, and left as it is."""
    whole = run_engine(tapes["one"], preload=BUILD / "tests/libwrong_aligned_to_8.so")
    parts = run_engine(tapes["one"], "--plan-memory=256k", preload=BUILD / "tests/libwrong_aligned_to_8.so")
    counts = [[line for line in run.stdout.splitlines() if line.startswith("violations_")] for run in (whole, parts)]
    assert counts[0] and counts[0] == counts[1]
    assert whole.returncode == parts.returncode == 1
    kept = os.open(tmp_path / "plan", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(kept, True)
    for mode in ("time", "verify"):
        result = subprocess.run([ENGINE, "--tape", tapes["four"], f"--mode={mode}", f"--plan-fd={kept}", "--print"],
                                pass_fds=[kept], capture_output=True, text=True, check=True)
        content = (tmp_path / "plan").read_bytes()
        assert content
        if mode == "time":
            before = content
    assert before == content
    assert int(dict(line.split(None, 1) for line in result.stdout.splitlines())["verified_blocks"]) > 10000
    os.close(kept)


def test_the_engine_calls_the_heap_for_the_tape_and_its_probes_only(heaptape, tmp_path):
    tape = tmp_path / "plain.tape"
    made = heaptape("trace", "synth", "-o", tape, "--events=50k", "--callocs=10%", "--free-at-end")
    assert made.returncode == 0, made.stderr
    info = json.loads(heaptape("trace", "info", "--format=json", tape).stdout)
    counts = {}
    for mode in ("time", "verify"):
        counted = tmp_path / mode
        subprocess.run([ENGINE, "--tape", tape, f"--mode={mode}"], capture_output=True, check=True,
                       env=dict(os.environ, LD_PRELOAD=str(COUNT), ENGINE_COUNT=str(counted)))
        counts[mode] = {word: int(number) for word, number in map(str.split, counted.read_text().splitlines())}
    assert counts["time"]["malloc"] + counts["time"]["calloc"] >= info["allocations"]
    more = {call: counts["verify"][call] - count for call, count in counts["time"].items()}
    # Sizes that nothing can have: one malloc, two callocs, one realloc, one aligned.
    assert {call: count for call, count in more.items() if count and call != "usable"} == {
        "malloc": 1, "calloc": 2, "realloc": 1, "aligned": 1}


def test_tables_grow_with_live_blocks_not_with_events(heaptape, tmp_path):
    bytes_of = []
    for events in ("100k", "600k"):
        tape = tmp_path / f"{events}.tape"
        heaptape("trace", "synth", "-o", tape, f"--events={events}", "--live=2k")
        bytes_of.append(verify(heaptape, tape, "libc")[0]["verify_table_bytes"])
    assert bytes_of[1] <= 1.2 * bytes_of[0]
    assert bytes_of[1] < 4 << 20


# ---- what people see


def test_table_json_and_csv(heaptape, tapes):
    call = ("replay", "--verify", tapes["one"], "-a", wrong("aligned_to_8"))
    table = heaptape(*call)
    assert table.returncode == 1
    assert "status " in table.stdout and "failed" in table.stdout
    assert "is not a multiple of 16" in table.stdout
    assert "--stop-at=" in table.stdout
    rows = list(csv.DictReader(io.StringIO(heaptape(*call, "--format=csv").stdout)))
    assert len(rows) == 16
    assert {row["kind"] for row in rows} == {"misaligned"}
    assert all(int(row["address"], 16) % 16 == 8 for row in rows)
    listed = json.loads(heaptape(*call, "--format=json").stdout)["violations_listed"]
    assert [row["event"] for row in rows] == [str(violation["event"]) for violation in listed]
    sound = heaptape("replay", "--verify", tapes["one"], "--format=csv")
    [row] = csv.DictReader(io.StringIO(sound.stdout))
    assert row["status"] == "ok" and row["violations"] == "0" and sound.returncode == 0


def test_a_note_does_not_fail(heaptape, tapes):
    answer, found = verify(heaptape, tapes["one"], wrong("free_errno"))
    assert found == {}
    assert answer["status"] == "ok"
    assert answer["notes"] == answer["violations_by_kind"]["free_errno"] > 1000
    assert [violation["kind"] for violation in answer["violations_listed"]] == ["free_errno"]


def test_usable_skip(heaptape, tapes):
    answer, found = verify(heaptape, tapes["one"], wrong("usable_metadata"), "--usable=skip")
    assert found == {} and answer["usable_bytes"] == "size checked"
    assert verify(heaptape, tapes["one"], "libc")[0]["usable_bytes"] == "size checked and written"


def test_the_debugger_command_stops_at_the_event(heaptape, tapes):
    if not shutil.which("gdb"):
        pytest.skip("gdb is not here")
    answer, _ = verify(heaptape, tapes["one"], wrong("realloc_shifts"))
    command = answer["debugger"].replace("gdb -q", "gdb -q -batch").replace(
        "-ex run", "-ex run -ex 'p verify_now.event' -ex 'p op->size' -ex bt", 1)
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, check=False).stdout
    assert "SIGTRAP" in shown
    assert f"$1 = {answer['violations_listed'][0]['event']}" in shown
    assert "replay_verify" in shown


def test_wrong_use(heaptape, tapes):
    assert heaptape("replay", "--usable=skip", tapes["one"]).returncode == 2
    result = heaptape("replay", "--verify", "--touch=full", tapes["one"])
    assert result.returncode == 2
    one_line(result.stderr, "replay")
    assert heaptape("replay", "--verify", "--usable=maybe", tapes["one"]).returncode == 2
    missing = heaptape("replay", "--verify", pathlib.Path("no-such.tape"))
    assert missing.returncode == 3 or missing.returncode == 4
    one_line(missing.stderr, "replay")


def test_bench_verifies_first(heaptape, tapes, tmp_path):
    folder = tmp_path / "results"
    result = heaptape("bench", "--verify", tapes["one"], "-a", wrong("same_twice"), "-a", "htmalloc", "-n", "2",
                      "-o", folder)
    assert result.returncode == 1
    assert any(line.split()[0] == "wrong" and "failed: " in line and "duplicate" in line
               for line in result.stdout.splitlines() if line.strip())
    runs = results_of(folder)["runs"]
    by_mode = {(run["allocator"], run["mode"]): run["status"] for run in runs}
    assert by_mode[("wrong", "verify")] == "failed"
    assert ("wrong", "time") not in by_mode and ("wrong", "memory") not in by_mode
    assert by_mode[("htmalloc", "verify")] == by_mode[("htmalloc", "time")] == "ok"
    assert ("null", "verify") not in by_mode
    sound = heaptape("bench", "--verify", tapes["one"], "-a", "htmalloc", "-n", "1", "-o", folder)
    assert sound.returncode == 0
