"""What people type by mistake: every command answers with one line that says what, where and what to do, and harms nothing."""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import BUILD, ROOT

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


# ---- stdin, stdout, stderr ---------------------------------------------------------------------

PRINTS = [("--help",), ("--version",), ("compare", "--help"), ("report", "--help"), ("animate", "--version"), ("plot", "--help"),
          ("plot", "--version"), ("bench", "--help"), ("plot", "RESULTS"), ("plot", "RESULTS", "--terminal=kitty"),
          ("report", "RESULTS", "--format=data"), ("analyze", "TAPE"), ("diff", "RESULTS", "RESULTS"), ("trace", "info", "TAPE")]


def asked(command, results, tape) -> list[str]:
    return [word.replace("RESULTS", str(results)).replace("TAPE", str(tape)) for word in command]


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    """A real bench of a small tape, with snapshots."""
    folder = tmp_path_factory.mktemp("door")
    assert heaptape("trace", "synth", "-o", folder / "small.tape", "--events=3k", "--live=100").returncode == 0
    made = heaptape("bench", folder / "small.tape", "-a", "htmalloc", "-n", "2", "--snapshots", "-o", folder / "results")
    assert made.returncode == 0, made.stderr
    return folder / "results"


@pytest.mark.parametrize("command", PRINTS, ids=" ".join)
def test_a_full_disk_behind_stdout(heaptape, results, command):
    with open("/dev/full", "w") as full:
        result = heaptape(*asked(command, results, JQ), capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 4 and result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("heaptape") and "cannot write" in result.stderr


@pytest.mark.parametrize("command", PRINTS, ids=" ".join)
def test_a_closed_pipe_has_had_what_it_wanted(heaptape, results, command):
    reading, writing = os.pipe()
    os.close(reading)
    result = heaptape(*asked(command, results, JQ), capture_output=False, stdout=writing, stderr=subprocess.PIPE,
                      restore_signals=True)
    os.close(writing)
    assert result.returncode in (0, -signal.SIGPIPE) and result.stderr == "", result.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [("report", "RESULTS", "--format=html", "-o", "OUT"), ("plot", "RESULTS", "-o", "OUT/x.svg"),
                                     ("bench", "TAPE", "-a", "libc", "--quick", "-o", "OUT/results")], ids=lambda c: c[0])
def test_files_are_whole_whatever_is_closed(results, tmp_path, command, closed):
    """None of a command's own files may get the number of stdin, stdout or stderr."""
    words = [w.replace("OUT", str(tmp_path)) for w in asked(command, results, results.parent / "small.tape")]
    line = f'exec "$0" "$@" {closed}'
    result = subprocess.run(["sh", "-c", line, str(ROOT / "heaptape"), *words], env=dict(os.environ, B=str(BUILD)),
                            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert result.returncode in ((0, 4) if ">&- 2" in closed or closed == ">&-" else (0,)), result.stderr
    assert "Traceback" not in result.stderr and "error;" not in result.stderr
    if command[0] == "report":
        assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")
    elif command[0] == "plot":
        assert (tmp_path / "x.svg").read_text().rstrip().endswith("</svg>")
    else:
        rows = json.loads((tmp_path / "results" / "results.json").read_text())["summary"]
        assert [row["status"] for row in rows] == ["ok", "ok"]


# ---- names, permissions ------------------------------------------------------------------------


def test_names_that_begin_with_a_dash(heaptape, results, tmp_path):
    (tmp_path / "-r").symlink_to(results)
    (tmp_path / "-t.tape").symlink_to(results.parent / "small.tape")
    for command in (("report", "-o", "-out", "--format=data", "--", "-r"), ("report", "--format=data", "-o", "-two", "--", "-r", "-r"),
                    ("plot", "-o", "-p.svg", "--", "-r"), ("animate", "-o", "-a.gif", "--frames=2", "--", "-r"), ("diff", "--", "-r", "-r"),
                    ("analyze", "--series", "-s.csv", "--", "-t.tape"), ("compare", "-o", "-c", "-n", "2", "-a", "libc", "--", "sh", "-c", ":")):
        result = heaptape(*command, cwd=tmp_path)
        assert result.returncode == 0, (command, result.stderr)
    for made in ("-out/data/summary.csv", "-two/data/changes.csv", "-p.svg", "-a.gif", "-s.csv", "-c/report.html"):
        assert (tmp_path / made).stat().st_size, made


@pytest.mark.parametrize("kept", ["results.json", "series/small.libc.csv", "."])
def test_files_that_may_not_be_read(results, tmp_path, kept):
    """As another user, for root may read everything."""
    if os.geteuid():
        pytest.skip("not root")
    folder, command = tmp_path / "results", str(ROOT / "heaptape")
    shutil.copytree(results, folder)
    (folder / kept).chmod(0)
    os.chown(tmp_path, 65534, 65534)
    for above in tmp_path.parents:
        if above.stat().st_uid == 0 and not above.stat().st_mode & 0o005 and above != pathlib.Path("/"):
            above.chmod(0o755)
    for words in (["plot", folder], ["report", folder, "-o", tmp_path / "out", "--format=html"], ["animate", folder, "-o", tmp_path / "a.gif"]):
        result = subprocess.run([command, *map(str, words)], env=dict(os.environ, B=str(BUILD)), capture_output=True, text=True,
                                timeout=120, stdin=subprocess.DEVNULL, user=65534, group=65534, extra_groups=[])
        if kept.startswith("series") and words[0] != "plot":
            assert result.returncode == 0 and result.stderr == "", result.stderr  # the page says so
        else:
            refused(result, 3, str(folder), "Permission denied")


@pytest.mark.parametrize("name", ["\x00", "x" * 5000, "..", "/etc/passwd", "../../x", 7, []])
def test_names_in_results_that_lead_elsewhere(heaptape, results, tmp_path, name):
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    path = folder / "results.json"
    value = json.loads(path.read_text())
    for row in value["summary"]:
        row["series_csv"] = row["snapshots"] = name
    path.write_text(json.dumps(value))
    for words in (["plot", folder], ["report", folder, "--format=html"], ["animate", folder, "-o", tmp_path / "a.gif"]):
        result = heaptape(*words)
        assert result.returncode in (0, 3) and "Traceback" not in result.stderr, result.stderr
        assert result.returncode == 0 or result.stderr.splitlines()[-1].startswith(f"heaptape {words[0]}: ")


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


def test_snapshots_of_another_tape(heaptape, results, tmp_path):
    """Also where the tape has no call sites to look up."""
    other, heap = tmp_path / "other.tape", results / "snapshots" / "small.libc.heap"
    assert heaptape("trace", "synth", "-o", other, "--events=3k", "--live=100", "--seed=2").returncode == 0
    assert heaptape("blame", results.parent / "small.tape", f"--heap={heap}").returncode == 0
    refused(heaptape("blame", other, f"--heap={heap}"), 3, "not of this tape")


def test_results_that_are_not_there(heaptape, tmp_path):
    refused(heaptape("diff", tmp_path / "absent", tmp_path / "absent"), 4, "absent/results.json", "heaptape bench -o")
