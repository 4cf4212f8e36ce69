"""heaptape record on real programs: they do what they do without it, and the tape has every call."""

import collections
import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, ROOT
from record_help import CASES, RECORD, calls_on, case, counted, info, record, run, shell_status, sound, tapes_beside  # noqa: F401

PROGRAMS = {
    "python3": ["/usr/bin/python3", "-c", "import json; print(json.dumps(sorted(set('heaptape'))))"],
    "perl": ["perl", "-e", "my %h; $h{$_ % 97} .= $_ for 1..20000; print join(',', sort keys %h), qq(\\n); exit 3"],
    "git": ["git", "-C", str(ROOT), "log", "-n", "20", "--stat", "--format=%H %s"],
    "sqlite3": ["sqlite3", ":memory:", "create table t(a); with recursive n(i) as (select 1 union all select i+1 from n"
                " where i<5000) insert into t select i*7 from n; select sum(a), count(*) from t; select x from nothing;"],
    "pipeline": ["sh", "-c", "seq 3000 | sort -r | awk '{s+=$1} END {print s}'; exit 5"],
    "gcc": ["sh", "-c", "echo 'int main(void){return 42;}' | gcc -x c - -o \"$OUT\" && \"$OUT\""],
    "node": ["node", "-e", "console.log([...Array(2000).keys()].map(i => i*i).reduce((a,b) => a+b)); process.exit(6)"],
    "jq": ["jq", "-n", "-c", "[range(3000)] | group_by(. % 7) | map(length)"],
    "lua": ["lua5.4", "-e", "local t={} for i=1,20000 do t[i%50]=tostring(i) end print(#t)"],
    "not found by itself": ["sh", "-c", "exec /nowhere/at/all"],
    "killed by itself": ["sh", "-c", "echo before; kill -9 $$"],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_real_programs_do_what_they_do_without_it(name, tmp_path):
    command = PROGRAMS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    environment = dict(os.environ, OUT=str(tmp_path / "compiled"))
    plain = run(command, env=environment)
    recorded = record(tmp_path / "x.tape", command, "-q", env=environment)
    assert recorded.returncode == shell_status(plain)
    assert recorded.stdout == plain.stdout
    assert recorded.stderr == plain.stderr
    tape = sound(tmp_path / "x.tape")
    assert tape["events"] > 50
    for path in tapes_beside(tmp_path / "x.tape").values():
        sound(path)


@pytest.mark.parametrize("name", ["python3", "perl", "git", "sqlite3", "jq", "lua", "pipeline"])
def test_counts_are_exact(name, counted, tmp_path):  # noqa: F811
    """Every call that reached the allocator is on the tape of its process, and nothing else."""
    command = PROGRAMS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    environment = dict(counted.environment, OUT=str(tmp_path / "compiled"))
    record(tmp_path / "x.tape", command, "-q", env=environment)
    on_tapes, counts = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for path in [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]:
        tape = sound(path)
        on_tapes[tape["pid"]].update(calls_on(tape))
    for pid, calls in counted.images():  # all images of a process together
        counts[pid].update(calls)
    assert on_tapes == counts


def test_a_compile_is_recorded_with_its_children(tmp_path):
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }\n")
    done = record(tmp_path / "gcc.tape", ["gcc", source, "-o", tmp_path / "a"])
    assert done.returncode == 0, done.stderr
    programs = {info(p)["program"].rsplit("/", 1)[-1] for p in tapes_beside(tmp_path / "gcc.tape").values()}
    for expected in ("cc1", "as", "collect2", "ld"):
        assert any(expected in p for p in programs), programs
    assert b"events on" in done.stderr


@pytest.mark.parametrize("threads,cross", [(1, 0), (4, 20), (8, 50)])
def test_exactly_what_a_threaded_program_says_it_did(threads, cross, tmp_path):
    done = record(tmp_path / "x.tape", [case("churn"), threads, 2000000, cross], "-q")
    words = dict(zip(*[iter(done.stdout.decode().split())] * 2))
    tape = sound(tmp_path / "x.tape")
    base = run_base(tmp_path, threads)
    assert tape["allocations"] - base["allocations"] == int(words["allocations"])
    assert tape["frees"] - base["frees"] == int(words["frees"])
    assert tape["allocated_bytes"] - base["allocated_bytes"] == int(words["bytes"])
    assert tape["by_kind"]["free_foreign"] == 0
    assert int(words["allocations"]) + int(words["frees"]) >= 2000000 // threads * threads


def run_base(folder, threads):
    """The same program with nothing to do: libc's own calls for threads and output."""
    record(folder / "base.tape", [case("churn"), threads, 0, 0], "-q")
    return info(folder / "base.tape")


# ---- what the user asks for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("follow,minimum,maximum", [("none", 0, 0), ("children", 1, 1), ("exec", 4, 99)])
def test_follow(follow, minimum, maximum, tmp_path):
    script = "(x=$(printf %s a); : \"$x\") ; /usr/bin/python3 -c 'pass'; sort /dev/null | cat; exit 0"
    if follow == "children":
        script = "(i=0; while [ $i -lt 50 ]; do i=$((i+1)); y=$y$i; done; : ) ; exit 0"
    done = record(tmp_path / "x.tape", ["sh", "-c", script], f"--follow={follow}", "-q")
    assert done.returncode == 0
    beside = tapes_beside(tmp_path / "x.tape")
    assert minimum <= len(beside) <= maximum, beside


def test_the_name_is_for_what_the_process_becomes(tmp_path):
    record(tmp_path / "x.tape", ["env", "A=1", "/usr/bin/python3", "-c", "print(1)"], "-q")
    assert "python3" in info(tmp_path / "x.tape")["program"]
    (before,) = tapes_beside(tmp_path / "x.tape").values()
    assert before.name.endswith(".1.tape") and info(before)["program"].endswith("/env")


def test_lineage_and_status_stand_on_the_tape(tmp_path):
    record(tmp_path / "x.tape", ["sh", "-c", "/usr/bin/python3 -c 'import sys; sys.exit(9)'; exit 4"], "-q")
    parent = info(tmp_path / "x.tape")
    assert parent["exit_status"] == 4 and parent["start_order"] == 0 and parent["complete"] is True
    children = [info(p) for p in tapes_beside(tmp_path / "x.tape").values()]
    assert children and all(c["parent_pid"] == parent["pid"] and c["start_order"] > 0 for c in children)
    assert parent["allocator"].split("/")[-1].startswith("libc.so")


def test_keep_raw_and_default_name(tmp_path):
    done = run([RECORD, "--keep-raw", "--", "sh", "-c", "exit 2"], cwd=tmp_path)
    assert done.returncode == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sh.tape", "sh.tape.raw"]
    resolved = run([RECORD.parent / "heaptape-trace", "resolve", "-o", tmp_path / "again.tape", tmp_path / "sh.tape.raw"])
    assert resolved.returncode == 0, resolved.stderr
    assert info(tmp_path / "again.tape")["events"] == info(tmp_path / "sh.tape")["events"]


def test_stdin_and_signals_reach_the_program(tmp_path):
    fed = run([RECORD, "-q", "-o", tmp_path / "x.tape", "--", "wc", "-c"], input=b"12345", stdin=None)
    assert fed.stdout.strip() == b"5"
    process = subprocess.Popen(
        [RECORD, "-q", "-o", tmp_path / "y.tape", "--", "sh", "-c", "trap 'echo got; exit 3' TERM; echo up; while :; do sleep 0.05; done"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"got\n", 3)
    assert sound(tmp_path / "y.tape")["exit_status"] == 3


def test_ctrl_c_ends_the_program_and_keeps_the_tape(tmp_path):
    process = subprocess.Popen(
        [RECORD, "-o", tmp_path / "x.tape", "--", "sh", "-c", "echo $$; while :; do x=$x.; sleep 0.01; done"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    child = int(process.stdout.readline())
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT, err
    assert not os.path.exists(f"/proc/{child}")
    assert sound(tmp_path / "x.tape")["exit_status"] == 130


# ---- what cannot be recorded -----------------------------------------------------------------------------------


def refuses(tmp_path, command, status, *words):
    done = record(tmp_path / "x.tape", command)
    assert done.returncode == status, done.stderr
    assert done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"heaptape record: ")
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "x.tape").exists() and not (tmp_path / "x.tape.raw").exists()


def test_refusals_come_before_the_start(tmp_path):
    refuses(tmp_path, ["/nowhere/prog"], 127)
    refuses(tmp_path, ["no-such-program-anywhere"], 127)
    refuses(tmp_path, [tmp_path], 126)
    plain = tmp_path / "text"
    plain.write_text("not a program")
    refuses(tmp_path, [plain], 126)
    refuses(tmp_path, [CASES / "record_static"], 4, b"static")
    setuid = tmp_path / "setuid"
    shutil.copy("/bin/true", setuid)
    setuid.chmod(0o4755)
    refuses(tmp_path, [setuid], 4, b"setuid")


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_programs_with_a_sanitizer_are_refused(sanitizer, tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    built = subprocess.run(["gcc", f"-fsanitize={sanitizer}", tmp_path / "a.c", "-o", tmp_path / "a"], capture_output=True)
    if built.returncode:
        pytest.skip("gcc has no such runtime here")
    refuses(tmp_path, [tmp_path / "a"], 4, b"sanitizer", b"-fsanitize")


def test_bad_options_and_places(tmp_path):
    assert run([RECORD]).returncode == 2
    assert run([RECORD, "--follow=some", "--", "true"]).returncode == 2
    assert run([RECORD, "--bogus", "--", "true"]).returncode == 2
    done = run([RECORD, "-o", tmp_path / "no/such/folder/x.tape", "--", "true"])
    assert done.returncode == 4 and done.stderr.count(b"\n") == 1
    shown = run([RECORD, "--help"])
    assert shown.returncode == 0 and shown.stdout.startswith(b"Examples:")


def test_a_static_program_started_by_a_recorded_one_is_no_harm(tmp_path):
    done = record(tmp_path / "x.tape", ["sh", "-c", f"{CASES}/record_static exit; echo $?"])
    assert done.stdout == b"3\n"
    assert b"1 static and 0 other programs" in done.stderr and b"record_static" in done.stderr
    sound(tmp_path / "x.tape")


def test_the_preload_needs_libc_alone():
    """What it brought along would be loaded into every program; the loader's own name differs between C libraries."""
    shown = run(["readelf", "-d", BUILD / "lib/heaptape/libheaptape-record.so"])
    assert shown.returncode == 0
    needed = [line.split(b"[")[1].rstrip(b"]") for line in shown.stdout.splitlines() if b"(NEEDED)" in line]
    assert needed == [b"libc.so.6"]
