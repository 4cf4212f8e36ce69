"""The list of real programs: those that are installed do under the recorder what they do without it, some of them
under htmalloc as well; and the runner finds what differs."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT

FOLDER = ROOT / "tests/programs"
RUN = FOLDER / "run.py"
sys.path.insert(0, str(FOLDER))

from catalogue import PROGRAMS  # noqa: E402
from execute import become_reaper  # noqa: E402
from judge import Row, Tools, judge  # noqa: E402
from program import Normalise, Program  # noqa: E402

# Under htmalloc: a few of each way to use a heap. run.py --under=htmalloc runs all of them.
UNDER_HTMALLOC = (
    "python3-malloc", "python3-pools", "perl", "ruby", "node", "java", "gcc", "clang", "sqlite3", "redis", "memcached",
    "postgres", "zsh", "jq", "xz", "git", "imagemagick", "busybox",
)  # fmt: skip


def run(*arguments):
    return subprocess.run(
        [sys.executable, RUN, "--build", BUILD, *arguments], capture_output=True, text=True, timeout=1800, check=False
    )


def rows_of(request, under) -> dict:
    """The rows of all entries that this session tests under something, made by one run of the list, two at a time."""
    names = [i.callspec.params["name"] for i in request.session.items if i.originalname == request.node.originalname]
    done = run(f"--under={under}", f"--only={','.join(names)}", "--jobs=2", "--format=json")
    assert done.returncode in (0, 1), done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == any(row["result"] == "differs" for row in rows.values())
    return rows


CACHE = {}


def same(request, name, under) -> dict:
    if under not in CACHE:
        CACHE[under] = rows_of(request, under)
    row = CACHE[under][name]
    if row["result"] == "skipped":
        pytest.skip(row["detail"])
    assert row["result"] in ("same", "refused"), row["detail"]
    return row


@pytest.mark.parametrize("name", [program.name for program in PROGRAMS])
def test_the_same_under_the_recorder(request, name):
    row = same(request, name, "record")
    assert row["result"] == "refused" or row["tapes"] > 0 and row["events"] > 0


@pytest.mark.parametrize("name", UNDER_HTMALLOC)
def test_the_same_under_htmalloc(request, name):
    same(request, name, "htmalloc")


# ---- the list --------------------------------------------------------------------------------------------------


def test_the_list_is_long_and_of_many_kinds():
    recordable = [p for p in PROGRAMS if not p.refused]
    assert len(recordable) >= 40
    assert len({p.kind for p in recordable}) >= 10
    assert all(p.packages and p.seen for p in recordable)
    assert {p for p in UNDER_HTMALLOC} <= {p.name for p in PROGRAMS}


def test_the_list_is_printed():
    table = run("--list").stdout
    assert all(f"| {p.name} | {p.kind} |" in table for p in PROGRAMS)
    assert [p["name"] for p in json.loads(run("--list", "--format=json").stdout)] == [p.name for p in PROGRAMS]


def test_unknown_names_are_a_usage_error():
    done = run("--only=no-such-entry")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no-such-entry" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_is_started_as_another_user_is_said(tmp_path):
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", "echo $LD_PRELOAD"]
    tape = tmp_path / "x.tape"
    done = subprocess.run(
        [BUILD / "libexec/heaptape/heaptape-record", "-q", "-o", tape, "--", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "\n")
    assert "0 static and 1 other programs" in done.stderr and "/sh the first" in done.stderr, done.stderr


# ---- the runner: it must be able to fail -------------------------------------------------------------------------


def verdict(program, scratch, under) -> Row:
    """judge() in a process of its own, as run.py has it."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child():
        become_reaper()
        send.send(judge(Tools(BUILD / "libexec/heaptape", scratch, under), program))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    assert receive.poll(60), "the runner hangs"
    row = receive.recv()
    process.join(20)
    return row


def made_up(script, **fields) -> Program:
    return Program("made-up", "test", "dash", script, **fields)


DIFFERS = {
    "stdout": ("echo ${LD_PRELOAD:+recorded} x", {}, "stdout at byte 0"),
    "stderr": ("echo x; echo ${LD_PRELOAD:+recorded} >&2", {}, "stderr at byte 0"),
    "status": ("echo x; exit ${LD_PRELOAD:+3}", {}, "exit status 0 became 3"),
    "a file": ("echo x${LD_PRELOAD:+3} >f", {}, "file f at byte 1"),
    "a new file": ("echo x; : >f${LD_PRELOAD:+3}", {}, "file f3 is new"),
    "a mode": ("echo x >f; [ -z \"${LD_PRELOAD-}\" ] || chmod 755 f", {}, "file f has another kind or mode"),
    "its own end": ("echo x; exit 9", {}, "plain: exit status 9 and not 0"),
    "what it shows": ("echo x", {"shows": "y"}, "does not show 'y'"),
    "nothing at all": (":", {}, "neither output nor a file"),
    "a hang": ("echo x; sleep 100", {"seconds": 1}, "not done after 1 s"),
    "something left": ("echo x; setsid sleep 77 & :", {}, "left running: sleep 77"),
    "a program unseen": ("echo x", {"sees": "sh gcc"}, "no tape of gcc"),
    "silence": ("echo x", {"says": "static"}, "the recorder did not say: static"),
    "a needless rule": ("echo x", {"normalise": (Normalise("stdout", "x", "", "none"),)}, "normalised without need: stdout x"),
    "a needless exception": ("echo x >f", {"ignore": {"f": "none"}}, "ignored without need: f"),
    "no refusal": ("echo x", {"refused": "static"}, "not refused: exit status 0"),
}


@pytest.mark.parametrize("what", DIFFERS)
def test_the_runner_finds(what, tmp_path):
    script, fields, expected = DIFFERS[what]
    row = verdict(made_up(script, **{"sees": "sh", **fields}), tmp_path, "record")
    assert row.result == "differs" and expected in row.detail, row


def test_the_runner_accepts_what_is_normalised_and_ignored(tmp_path):
    program = made_up(
        "date +%N; date +%N >time; echo same", sees="sh date", ignore={"time": "the time"}, normalise=(Normalise("stdout", r"\d+", "", "the time"),),
    )
    row = verdict(program, tmp_path, "record")
    assert row.result == "same", row.detail
    assert row.tapes >= 3 and row.events > 50


def test_what_is_left_running_is_ended(tmp_path):
    row = verdict(made_up("setsid sleep 78 & echo $!", sees="sh"), tmp_path, "none")
    assert "left running" in row.detail
    pid = int((tmp_path / "made-up/stdout").read_text())
    assert not os.path.exists(f"/proc/{pid}")
