"""heaptape trace: every subcommand on good, bad and odd input, as people call it."""

import csv
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

GOLDEN = ROOT / "tests" / "golden"
GOOD = sorted((GOLDEN / "good").glob("*.tape"))
BAD = json.loads((GOLDEN / "bad" / "expected.json").read_text())
SUBCOMMANDS = ["info", "dump", "check", "slice", "convert", "synth", "resolve"]
sys.path.insert(0, str(GOLDEN))
sys.dont_write_bytecode = True

import annotate  # noqa: E402  (tests/golden)
import plain_decoder  # noqa: E402
import tape_bytes  # noqa: E402


@pytest.fixture(scope="session")
def trace(heaptape):
    return lambda *arguments, **options: heaptape("trace", *arguments, **options)


@pytest.fixture(scope="module")
def churn(trace, tmp_path_factory):
    """200,000 events: three lanes, every sort of size."""
    path = tmp_path_factory.mktemp("trace") / "churn.tape"
    made = trace("synth", "-o", path, "--events=200k", "--lanes=3", "--live=2000", "--reallocs=5%",
                 "--cross-frees=20%", "--callocs=10%", "--aligned=5%", "--phases=3")
    assert made.returncode == 0, made.stderr
    return path


def info(trace, path):
    result = trace("info", "--format=json", path)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def dump(trace, path, *options):
    result = trace("dump", "--format=csv", *options, path)
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def one_line_error(result, status):
    assert result.returncode == status, result.stdout + result.stderr
    assert result.stderr.startswith("heaptape trace") and result.stderr.count("\n") == 1, result.stderr


# ---- help, usage -------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_begins_with_examples(trace, name):
    result = trace(name, "--help")
    assert result.returncode == 0 and result.stdout.startswith("Examples:\n  heaptape trace " + name)
    assert result.stderr == ""
    assert trace(name, "--version").stdout.startswith("heaptape trace " + name)


@pytest.mark.parametrize("arguments", [
    [], ["fly"], ["info"], ["info", "--format=xml", "x"], ["info", "--fly", "x"], ["dump"], ["dump", "--from=x", "y"],
    ["check"], ["slice", "x"], ["slice", "-o", "y", "--events=5", "x"], ["slice", "-o", "y", "--events=5:2", "x"],
    ["synth"], ["synth", "-o", "x", "--sizes=odd"], ["synth", "-o", "x", "--size=9..2"],
    ["synth", "-o", "x", "--reallocs=200%"], ["synth", "-o", "x", "--lanes=0"], ["convert", "x"],
    ["convert", "-o", "y", "--from=pdf", "x"], ["resolve"], ["resolve", "a", "b"],
])
def test_usage_errors(trace, tmp_path, arguments):
    result = trace(*arguments, cwd=tmp_path)
    one_line_error(result, 2)
    assert "--help" in result.stderr
    assert list(tmp_path.iterdir()) == []


# ---- golden files ------------------------------------------------------------------------------

@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name)
def test_good_files_stay_readable(trace, path):
    """Written by version 1; their events must be the same for ever."""
    expected = json.loads((GOLDEN / "good" / "expected.json").read_text())[path.name]
    checked = trace("check", path)
    assert checked.returncode == 0, checked.stdout
    listed = trace("dump", "--format=csv", path).stdout
    assert hashlib.sha256(listed.encode()).hexdigest() == expected["events_sha256"]
    figures = info(trace, path)
    assert {key: figures[key] for key in expected["info"]} == expected["info"]


@pytest.mark.skipif(not shutil.which("zstd"), reason="the program zstd is not there")
@pytest.mark.parametrize("name", ["tiny", "kinds", "churn", "sites"])
def test_format_md_says_enough_to_decode_a_tape(trace, name):
    path = GOLDEN / "good" / f"{name}.tape"
    rows, events = dump(trace, path), list(plain_decoder.decode(path.read_bytes()))
    assert len(rows) == len(events) > 0
    for row, event in zip(rows, events):
        assert {"event": row["event"], "site": "0", **row} == {
            "event": row["event"], **{key: str(value) for key, value in event._asdict().items()}}


def test_kinds_in_full(trace):
    rows = dump(trace, GOLDEN / "good" / "kinds.tape")
    assert len(rows) == 36 and len({row["kind"] for row in rows}) == 11
    assert rows[1] == {"event": "1", "time_ns": "1234567", "lane": "0", "kind": "calloc", "object": "8",
                       "size_bytes": str(5 << 32), "align_bytes": "0"}
    assert rows[2]["align_bytes"] == "4096" and rows[26]["align_bytes"] == str(4096 << 2)
    assert rows[9]["size_bytes"] == str(2**64 - 1)


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_files_are_told(trace, name):
    path, expected = GOLDEN / "bad" / name, BAD[name]
    shown = trace("info", path, timeout=20)
    checked = trace("check", path, timeout=20)
    dumped = trace("dump", path, timeout=20)
    assert (shown.returncode, checked.returncode) == (expected["info"], expected["check"])
    if expected["check"] == 3:
        one_line_error(checked, 3)
        assert expected["says"] in checked.stderr
    else:
        assert expected["says"] in checked.stdout
        assert dumped.returncode in (0, 1)


def test_bad_files_are_all_listed():
    assert sorted(BAD) == sorted(p.name for p in (GOLDEN / "bad").glob("*.tape"))


def test_the_hexdump_in_format_md_is_the_golden_file():
    text = (ROOT / "traces" / "FORMAT.md").read_text()
    data = (GOLDEN / "good" / "tiny.tape").read_bytes()
    assert annotate.annotate(data) in text
    shown = bytes.fromhex("".join(re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} ?)+)", text, re.M)))
    assert shown == data


def test_unknown_blocks_are_skipped_in_silence(trace, tmp_path):
    data = (GOLDEN / "good" / "tiny.tape").read_bytes()
    out, sequence = data[:64], 0
    for _, head, payload in tape_bytes.blocks(data):
        out += tape_bytes.resealed(head, payload, sequence=sequence)
        out += tape_bytes.block(77, b"of a later version", sequence=sequence + 1)
        sequence += 2
    path = tmp_path / "later.tape"
    path.write_bytes(out)
    result = trace("check", path)
    assert result.returncode == 0 and "5 events" in result.stdout, result.stdout


# ---- info --------------------------------------------------------------------------------------

def test_info_has_the_names_others_build_on(trace, churn):
    figures = info(trace, churn)
    for key in ("events allocations frees reallocs failed lanes peak_live_bytes live_at_end_bytes file_bytes "
                "complete program").split():
        assert key in figures
    assert figures["events"] == 200000 and figures["lanes"] == 3 and figures["complete"] is True
    assert figures["file_bytes"] == churn.stat().st_size
    assert sum(figures["by_kind"].values()) == 200000


def test_info_counts_as_an_independent_count_does(trace, churn):
    figures, live, peak, total = info(trace, churn), {}, 0, 0
    for row in dump(trace, churn):
        size, name = int(row["size_bytes"]), row["object"]
        if row["kind"] == "free":
            total -= live.pop(name)
        else:
            assert (name in live) == (row["kind"] == "realloc")
            total += size - live.get(name, 0)
            live[name] = size
        peak = max(peak, total)
    assert (figures["peak_live_bytes"], figures["live_at_end_bytes"]) == (peak, total)
    assert figures["live_at_end_blocks"] == len(live)


def test_info_in_every_format_and_of_several(trace, churn):
    tiny = GOLDEN / "good" / "tiny.tape"
    assert re.search(r"^events +200000$", trace("info", churn).stdout, re.M)
    rows = list(csv.DictReader(io.StringIO(trace("info", "--format=csv", churn, tiny).stdout)))
    assert [row["events"] for row in rows] == ["200000", "5"]
    several = json.loads(trace("info", "--format=json", churn, tiny).stdout)
    assert [one["events"] for one in several] == [200000, 5]


def test_names_on_a_tape_do_no_harm(trace, tmp_path):
    data = (GOLDEN / "good" / "tiny.tape").read_bytes()
    evil = 'program=<script>"\\n\x1b[31m,é\n'.encode() + b"arguments=\xff\xfe\npid=12 monkeys\n"
    out = data[:64]
    for _, head, payload in tape_bytes.blocks(data):
        payload = evil if head["kind"] == 1 else payload[:64] + evil if head["kind"] == 5 else payload
        out += tape_bytes.resealed(head, payload)
    path = tmp_path / "evil.tape"
    path.write_bytes(out)
    assert info(trace, path)["program"] == '<script>"\n\x1b[31m,é'
    assert "\x1b" not in trace("info", path).stdout
    assert info(trace, path)["pid"] is None
    assert info(trace, path)["arguments"] == "\ufffd\ufffd"


@pytest.mark.parametrize("tool", ["info", "check", "analyze", "slice", "convert"])
def test_memory_is_for_the_live_set_not_for_the_length(trace, tmp_path, tool):
    """As many live objects in ten times as many events: not a MiB more. (make bench-tools has 100 million.)"""
    options = {"slice": ["--events=:", "-o", tmp_path / "out"], "convert": ["--to=rep", "-o", tmp_path / "out"]}
    peak = {}
    for events in ("200k", "2M"):
        path = tmp_path / f"{events}.tape"
        assert trace("synth", "-o", path, f"--events={events}").returncode == 0
        name, *before = ["heaptape-analyze"] if tool == "analyze" else ["heaptape-trace", tool]
        command = [str(BUILD / "libexec/heaptape" / name), *before, *map(str, options.get(tool, [])), str(path)]
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.execv(command[0], command)
        _, status, usage = os.wait4(child, 0)
        assert status == 0
        peak[events] = usage.ru_maxrss
    assert peak["2M"] - peak["200k"] < (24576 if tool == "slice" else 1024), peak  # the writer: see writer.h


# ---- dump --------------------------------------------------------------------------------------

def test_dump_of_a_stretch(trace, churn):
    whole = dump(trace, churn)
    assert [int(row["event"]) for row in whole] == list(range(200000))
    assert dump(trace, churn, "--from=150k", "--count=10") == whole[150000:150010]
    assert dump(trace, churn, "--from=65536", "--count=1") == whole[65536:65537]
    assert dump(trace, churn, "--from=200k") == []
    as_json = json.loads(trace("dump", "--format=json", "--count=2", churn).stdout)
    assert [row["object"] for row in as_json] == [int(row["object"]) for row in whole[:2]]
    assert len(trace("dump", "--count=7", churn).stdout.splitlines()) == 7


def test_dump_of_a_raw_tape(trace):
    result = trace("dump", "--format=csv", GOLDEN / "good" / "tiny.raw")
    kinds = [row["kind"] for row in csv.DictReader(io.StringIO(result.stdout))]
    assert kinds == ["sample", "stamp", "free", "stamp", "malloc", "aligned_alloc", "realloc_begin",
                     "realloc_end", "end of pass", "stamp", "calloc", "sample"]


def test_a_closed_pipe_is_no_error(churn):
    line = f"'{ROOT}/heaptape' trace dump '{churn}' | head -n 1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False,
                            env={**os.environ, "B": str(BUILD)})
    assert result.returncode == 0 and result.stderr == "", result.stderr


def test_a_tape_through_a_pipe(churn, trace):
    with open(churn, "rb") as tape:
        cat = subprocess.Popen(["cat"], stdin=tape, stdout=subprocess.PIPE)
        result = trace("info", "--format=json", "/dev/stdin", stdin=cat.stdout)
        cat.wait()
    figures = json.loads(result.stdout)
    assert figures["events"] == 200000 and figures["file_bytes"] == churn.stat().st_size


# ---- slice -------------------------------------------------------------------------------------

def test_a_slice_stays_whole(trace, churn, tmp_path):
    path = tmp_path / "slice.tape"
    assert trace("slice", "--events=70k:130k", "-o", path, churn).returncode == 0
    assert trace("check", path).returncode == 0
    rows, whole = dump(trace, path), dump(trace, churn)
    preamble = len(rows) - 60000
    keep = ("lane", "kind", "object", "size_bytes")
    assert [[row[k] for k in keep] for row in rows[preamble:]] == \
        [[row[k] for k in keep] for row in whole[70000:130000]]
    assert 1000 < preamble <= 2000 and {row["time_ns"] for row in rows[:preamble]} == {"0"}
    head = tmp_path / "head.tape"
    trace("slice", "--events=:70k", "-o", head, churn)
    assert info(trace, head)["live_at_end_blocks"] == preamble
    everything = tmp_path / "all.tape"
    trace("slice", "--events=:", "-o", everything, churn)
    assert dump(trace, everything) == whole


def with_marks(path, to, marks, behind):
    """A copy of the tape with a block of marks (event, time, text) in front of its blocks of the kind `behind`."""
    payload = b"".join(struct.pack("<QQII", event, time, 0, len(text)) + text for event, time, text in marks)
    out, sequence, end = path.read_bytes()[:64], 0, 0
    for _, head, body in tape_bytes.blocks(path.read_bytes()):
        if head["kind"] == tape_bytes.INDEX:  # its offsets are wrong now
            continue
        if head["kind"] == behind:
            out += tape_bytes.block(tape_bytes.MARKS, payload, sequence=sequence)
            sequence += 1
        if head["kind"] == tape_bytes.END:
            end = len(out)
        if head["kind"] == tape_bytes.FOOTER:
            body = struct.pack("<QQ", end, 0)
        out += tape_bytes.resealed(head, body, sequence=sequence)
        sequence += 1
    to.write_bytes(out)


@pytest.mark.parametrize("behind", [tape_bytes.EVENTS, tape_bytes.END])
def test_the_marks_of_a_slice_stand_where_they_stood(trace, churn, tmp_path, behind):
    """The block with the marks is on the tape before the events that they are about, or behind all of them."""
    times = [int(row["time_ns"]) for row in dump(trace, churn)]
    at = [0, 69999, 70000, 70001, 99999, 129999, 130000, 199999]
    marks = [(event, times[event], b"at %d" % event) for event in at] + [(200000, times[-1], b"the end")]
    marked, part = tmp_path / "marked.tape", tmp_path / "part.tape"
    with_marks(churn, marked, marks, behind)
    assert trace("slice", "--events=70k:130k", "-o", part, marked).returncode == 0
    found = json.loads(trace("info", "--format=json", part).stdout)
    preamble = found["events"] - 60000
    assert preamble > 0
    assert [(m["text"], m["event"]) for m in found["marks"]] == \
        [(f"at {event}", event - 70000 + preamble) for event in (70000, 70001, 99999, 129999)]
    for mark in found["marks"]:
        event = int(mark["text"].split()[1])
        assert mark["seconds"] == pytest.approx((times[event] - times[70000]) / 1e9, abs=1e-6)
    assert times[99999] > times[70000] > 0
    trace("slice", "--events=130k:200k", "-o", part, marked)
    assert [m["text"] for m in json.loads(trace("info", "--format=json", part).stdout)["marks"]] == \
        ["at 130000", "at 199999", "the end"]


def test_damage_behind_a_slice_is_none_of_its_business(trace, tmp_path):
    whole, broken, part = tmp_path / "whole.tape", tmp_path / "broken.tape", tmp_path / "part.tape"
    trace("synth", "-o", whole, "--events=600k", "--live=1000")
    assert trace("slice", "--events=10k:20k", "-o", part, whole).returncode == 0
    sound, data = dump(trace, part), bytearray(whole.read_bytes())
    last, head = [(at, head) for at, head, _ in tape_bytes.blocks(data) if head["kind"] == tape_bytes.EVENTS][-1]
    assert head["first"] > 500000
    data[last + 100] ^= 0xFF  # the block's contents
    in_header = bytes(data[:last + 10] + b"?" + data[last + 11:])
    for bad in (data, in_header, data[:last + 50], data[:last + 5000]):
        broken.write_bytes(bad)
        done = trace("slice", "--events=10k:20k", "-o", part, broken)
        assert (done.returncode, done.stderr) == (0, "")
        assert info(trace, part)["complete"] is True and dump(trace, part) == sound
        assert trace("slice", "--events=10k:", "-o", part, broken).returncode == 1


def test_a_slice_never_overwrites_its_tape(trace, churn):
    before = churn.read_bytes()
    one_line_error(trace("slice", "--events=:5", "-o", churn, churn), 2)
    assert churn.read_bytes() == before


# ---- synth -------------------------------------------------------------------------------------

def test_synth_is_the_same_for_the_same_seed(trace, tmp_path):
    tapes = []
    for seed, name in ((5, "a"), (5, "b"), (6, "c")):
        path = tmp_path / name
        assert trace("synth", "-o", path, "--events=20k", f"--seed={seed}").returncode == 0
        tapes.append(path.read_bytes())
    assert tapes[0] == tapes[1] != tapes[2]


@pytest.mark.parametrize("options", [
    ["--lifetimes=lifo"], ["--lifetimes=fifo"], ["--lifetimes=mixed"], ["--sizes=log", "--size=1..1G"],
    ["--sizes=classes"], ["--size=64"], ["--live=1"], ["--lanes=50", "--lane-run=1", "--cross-frees=100%"],
    ["--phases=7", "--free-at-end"], ["--callocs=50%", "--aligned=0.5"], ["--reallocs=0.9"], ["--size=0..0"],
], ids=" ".join)
def test_synth_makes_sense_however_described(trace, tmp_path, options):
    path = tmp_path / "synth.tape"
    made = trace("synth", "-o", path, "--events=30k", *options)
    assert made.returncode == 0, made.stderr
    assert trace("check", path).returncode == 0
    figures = info(trace, path)
    assert figures["events"] >= 30000
    if "--free-at-end" in options:
        assert figures["live_at_end_blocks"] == 0


def test_synth_crosses_lanes_as_asked(trace, tmp_path):
    path = tmp_path / "cross.tape"
    trace("synth", "-o", path, "--events=100k", "--lanes=4", "--cross-frees=30%")
    owner, frees, crossed = {}, 0, 0
    for row in dump(trace, path):
        if row["kind"] == "free":
            frees += 1
            crossed += owner[row["object"]] != row["lane"]
        else:
            owner[row["object"]] = row["lane"]
    assert 0.28 < crossed / frees < 0.32


def test_random_churn_is_at_most_two_bytes_an_event(trace, tmp_path):
    path = tmp_path / "churn.tape"
    trace("synth", "-o", path, "--events=1M")
    assert info(trace, path)["bytes_per_event"] <= 2.0


# ---- convert -----------------------------------------------------------------------------------

REP_CALLS = "a 0 100\na 1 50\nr 0 300\nf 1\na 2 8\nf -1\nf 0\n"


@pytest.mark.parametrize("header", ["20000\n3\n7\n1\n", "3\n7\n", "0\n3\n7\n", ""], ids=len)
def test_convert_from_any_rep(trace, tmp_path, header):
    source, path = tmp_path / "a.rep", tmp_path / "a.tape"
    source.write_text(header + REP_CALLS)
    made = trace("convert", "-o", path, source)
    assert made.returncode == 0, made.stderr
    assert [(row["kind"], row["object"], row["size_bytes"]) for row in dump(trace, path)] == [
        ("malloc", "1", "100"), ("malloc", "2", "50"), ("realloc", "1", "300"), ("free", "2", "0"),
        ("malloc", "2", "8"), ("free(NULL)", "0", "0"), ("free", "1", "0")]


def test_to_rep_and_back(trace, churn, tmp_path):
    rep, again = tmp_path / "churn.rep", tmp_path / "again.tape"
    assert trace("convert", "--to=rep", "-o", rep, churn).returncode == 0
    lines = rep.read_text().splitlines()
    assert len(lines) == 4 + int(lines[2]) and int(lines[2]) == 200000
    assert trace("convert", "-o", again, rep).returncode == 0
    one, two = info(trace, churn), info(trace, again)
    for key in ("events", "allocations", "frees", "reallocs", "peak_live_bytes", "peak_event", "live_at_end_bytes"):
        assert one[key] == two[key]


def test_convert_from_android(trace, tmp_path):
    source, path = tmp_path / "replay.txt", tmp_path / "replay.tape"
    source.write_text("186: malloc 0xb6038060 20\n187: calloc 0xb609f080 32 4 100 200\n"
                      "186: realloc 0xb609f0c0 0xb6038060 12\n186: memalign 0xae9d1000 16 104\n"
                      "187: free 0xb609f0c0 9000000 9500000\n186: thread_done 0x0\n")
    assert trace("convert", "-o", path, source).returncode == 0
    assert [(row["lane"], row["kind"], row["object"], row["size_bytes"], row["align_bytes"])
            for row in dump(trace, path)] == [
        ("0", "malloc", "1", "20", "0"), ("1", "calloc", "2", "128", "0"), ("0", "realloc", "1", "12", "0"),
        ("0", "aligned_alloc", "3", "104", "16"), ("1", "free", "1", "0", "0")]


def test_convert_from_mtrace(trace, tmp_path):
    source, path = tmp_path / "m.txt", tmp_path / "m.tape"
    source.write_text("= Start\n@ ./m:(main+0x1)[0x1190] + 0x559aa8b232a0 0xa\n@ ./m > odd:[0x11b8] < 0x559aa8b232a0\n"
                      "@ ./m:[0x11b8] > 0x559aa8b234c0 0x1388\n@ ./m:[0x1210] ! 0x559aa8b234c0 0x1000000000000000\n"
                      "@ ./m:[0x11c8] - 0x559aa8b234c0\n= End\n")
    made = trace("convert", "-o", path, source)
    assert made.returncode == 0, made.stderr
    assert [(row["kind"], row["object"], row["size_bytes"]) for row in dump(trace, path)] == [
        ("malloc", "1", "10"), ("realloc", "1", "5000"), ("failed", "0", str(1 << 60)), ("free", "1", "0")]


@pytest.mark.parametrize("text, line", [
    ("hello\n", 1), ("3\n4\na 0 10\nz 1\n", 4), ("a 0\n", 1), ("a 0 10 20\n", 1), ("a 0 99999999999999999999\n", 1),
    ("f -7\n", 1), ("1: malloc 0x10\n", 1), ("1: malloc 0x10 5\n2: fly 0x10\n", 2), ("1: free zebra\n", 1),
    ("= Start\n@ x + 0x10\n", 2), ("= Start\n@ x > 0x10 0x5\n", 2), ("= Start\n@ x\n", 2),
])
def test_convert_names_the_line(trace, tmp_path, text, line):
    source, path = tmp_path / "bad.txt", tmp_path / "bad.tape"
    source.write_text(text)
    result = trace("convert", "-o", path, source)
    one_line_error(result, 3)
    assert f"line {line}:" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["bad.txt"]


def test_convert_of_what_is_no_text(trace, tmp_path):
    """Nor does it take memory for a line that never ends."""
    source = tmp_path / "bytes"
    for data, line in ((b"a 0 10\n" + b"\0" * 100_000, 2), (b"a 0 10\nf " + b"0" * 100_000, 2), (b"\0", 1)):
        source.write_bytes(data)
        result = trace("convert", "-o", tmp_path / "x.tape", source)
        one_line_error(result, 3)
        assert f"line {line}:" in result.stderr
    one_line_error(trace("convert", "-o", tmp_path / "x.tape", "/dev/zero", timeout=10), 3)
    source.write_text("a 0 10\nf 0")  # no newline at the end is fine
    assert trace("convert", "-o", tmp_path / "x.tape", source).returncode == 0


def test_convert_of_nothing(trace, tmp_path):
    source = tmp_path / "empty.rep"
    source.write_text("3\n4\n")
    one_line_error(trace("convert", "-o", tmp_path / "x", source), 3)


# ---- resolve -----------------------------------------------------------------------------------

def test_resolve(trace, tmp_path):
    raw = tmp_path / "left.tape.raw"
    raw.write_bytes((GOLDEN / "good" / "tiny.raw").read_bytes())
    result = trace("resolve", raw)
    assert result.returncode == 0 and "5 events" in result.stdout, result.stderr
    assert [(row["lane"], row["kind"], row["object"], row["size_bytes"]) for row in
            dump(trace, tmp_path / "left.tape")] == [
        ("0", "malloc", "1", "24"), ("0", "aligned_alloc", "2", "640"), ("0", "realloc", "2", "64"),
        ("1", "free", "1", "0"), ("0", "calloc", "1", "32")]


def test_resolve_of_a_cut_recording(trace, tmp_path):
    raw, path = tmp_path / "cut.raw", tmp_path / "cut.tape"
    data = (GOLDEN / "good" / "tiny.raw").read_bytes()
    raw.write_bytes(data[:-300])
    result = trace("resolve", "-o", path, raw)
    assert result.returncode == 1 and "cut" in result.stderr
    figures = info(trace, path)
    assert figures["complete"] is False and figures["cut_reason"]
    assert trace("check", path).returncode == 0


# ---- what can go wrong outside -----------------------------------------------------------------

@pytest.mark.parametrize("name", ["info", "dump", "check", "resolve"])
def test_inputs_that_are_not_there(trace, tmp_path, name):
    one_line_error(trace(name, tmp_path / "absent"), 3)
    one_line_error(trace(name, tmp_path), 3)


def test_outputs_that_cannot_be_written(trace, churn, tmp_path):
    rep = tmp_path / "a.rep"
    rep.write_text(REP_CALLS)
    writers = [("synth", "--events=1000"), ("slice", "--events=:10", churn), ("convert", rep),
               ("convert", "--to=rep", churn), ("resolve", GOLDEN / "good" / "tiny.raw")]
    for name, *rest in writers:
        one_line_error(trace(name, "-o", "/dev/full", *rest), 4)
        one_line_error(trace(name, "-o", tmp_path / "no" / "such" / "folder", *rest), 4)
        one_line_error(trace(name, "-o", tmp_path, *rest), 4)


def test_a_full_disk_under_the_output(churn):
    for name in ("info", "dump", "check"):
        with open("/dev/full", "w") as full:
            result = subprocess.run([str(ROOT / "heaptape"), "trace", name, str(churn)], stdout=full,
                                    stderr=subprocess.PIPE, text=True, check=False,
                                    env={**os.environ, "B": str(BUILD)})
        one_line_error(result, 4)


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_file_size_limit(churn, tmp_path, trace):
    path = tmp_path / "limited.tape"
    limited = trace("slice", "--events=:", "-o", path, churn,
                    preexec_fn=limit_files)
    one_line_error(limited, 4)
    assert "File too large" in limited.stderr
    checked = trace("check", path)
    assert checked.returncode == 1 and "the file ends inside" in checked.stdout


# ---- mutants -----------------------------------------------------------------------------------

def test_mutants_crash_nothing(trace, churn, tmp_path):
    """A few through the commands; a thousand are in tests/unit/tape_mutated_test.c."""
    data, path = churn.read_bytes(), tmp_path / "mutant.tape"
    dice = random.Random(11)
    for _ in range(25):
        mutant = bytearray(data)
        at = dice.randrange(len(mutant))
        way = dice.randrange(4)
        if way == 0:
            mutant[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            del mutant[at:]
        elif way == 2:
            mutant[at:at] = dice.randbytes(dice.randrange(1, 500))
        else:
            del mutant[at:at + dice.randrange(1, 500)]
        path.write_bytes(mutant)
        for name in ("info", "check", "dump"):
            result = trace(name, path, timeout=60)
            assert result.returncode in (0, 1, 3), (result.returncode, result.stderr)
            assert "Sanitizer" not in result.stderr


def test_what_fuzzing_found_stays_fixed(tmp_path):
    corpus = sorted((ROOT / "tests" / "fuzz" / "corpus").iterdir())
    assert len(corpus) > 10
    result = subprocess.run([str(BUILD / "tests" / "tape_fuzz_corpus"), *map(str, corpus)], cwd=tmp_path,
                            capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
