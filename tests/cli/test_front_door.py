"""What people type by mistake: every command answers with one line that says what, where and what to do, and harms nothing."""

import json
import os
import stat
import subprocess

import pytest

from conftest import ROOT

JQ = ROOT / "traces" / "corpus" / "jq.tape"


def refused(result, status: int, *words: str) -> None:
    assert result.returncode == status, result.stdout + result.stderr
    assert result.stderr.startswith("heaptape") and result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture
def full(tmp_path):
    """A device of our own that is always full; a tool that replaces or removes what it writes to would show."""
    path = tmp_path / "full"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        path.open("wb").close()
    except OSError:
        pytest.skip("no devices can be made here")
    return path


@pytest.fixture
def tape(heaptape, tmp_path):
    path = tmp_path / "own.tape"
    assert heaptape("trace", "synth", "-o", path, "--events=2k").returncode == 0
    return path


# ---- outputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [
    ("replay", "TAPE", "--memory", "--snapshots=FULL"),
    ("analyze", "TAPE", "--series=FULL"),
    ("blame", "TAPE", "--flame=FULL"),
    ("blame", "TAPE", "--folded=FULL"),
    ("trace", "slice", "--events=1:200", "-o", "FULL", "TAPE"),
    ("trace", "synth", "-o", "FULL"),
    ("trace", "convert", "--to=rep", "-o", "FULL", "TAPE"),
    ("stats", "-o", "FULL", "--", "true"),
])
def test_a_device_is_written_to_and_not_replaced(heaptape, tape, full, command):
    result = heaptape(*(word.replace("TAPE", str(tape)).replace("FULL", str(full)) for word in command))
    assert result.returncode == 4 and "No space left" in result.stderr, result.stderr
    assert full.is_char_device()
    assert [p.name for p in full.parent.iterdir() if p not in (full, tape)] == []


def test_a_device_stays_where_the_input_is_bad(heaptape, full, tmp_path):
    bad = tmp_path / "bad.tape"
    bad.write_text("hello\n")
    refused(heaptape("trace", "convert", "--to=rep", "-o", full, bad), 3, str(bad))
    assert full.is_char_device()


def test_nothing_is_converted_onto_itself(heaptape, tape, tmp_path):
    rep, before = tmp_path / "a.rep", tape.read_bytes()
    refused(heaptape("trace", "convert", "--to=rep", "-o", tape, tape), 2, "onto itself")
    assert tape.read_bytes() == before
    rep.write_text("a 0 10\nf 0\n")
    refused(heaptape("trace", "convert", "-o", rep, rep), 2, "onto itself")
    assert rep.read_text() == "a 0 10\nf 0\n"


# ---- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, word", [
    (("analyze", "--nonsense", JQ), "--nonsense"),
    (("analyze", "-Z", JQ), "-Z"),
    (("analyze", JQ, "--top"), "--top"),
    (("replay", JQ, "--memory", "--snapshots=x.heap", "--snapshot-at=9999999"), "has 67671 events"),
    (("bench", JQ, "-o", ""), "-o"),
    (("live", "-n", "1", "--", "true"), "--no-hyperfine"),
])
def test_options_that_cannot_be(heaptape, tmp_path, arguments, word):
    refused(heaptape(*arguments, cwd=tmp_path), 2, word, "--help")
    assert list(tmp_path.iterdir()) == []


def test_one_run_is_enough_without_hyperfine(heaptape, tmp_path):
    result = heaptape("live", "-n", "1", "--no-hyperfine", "-a", "libc", "--format=json", "--", "true", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [len(e["peak_resident_bytes_runs"]) for e in json.loads(result.stdout)["entries"]] == [1]


def test_results_that_are_not_there(heaptape, tmp_path):
    refused(heaptape("diff", tmp_path / "absent", tmp_path / "absent"), 4, "absent/results.json", "heaptape bench -o")
