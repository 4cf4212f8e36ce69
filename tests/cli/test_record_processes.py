"""Hard cases of processes: forks of every kind, programs that start others, empty environments, what cannot be
recorded (groups 5 and 10)."""

import collections
import os
import re
import shutil

import pytest
from record_help import CASES, FULL, accepted, blocks, case, info, record, run, sizes, sound, survival, tapes_beside


def without_pids(output):
    return re.sub(rb"child \d+", b"child", output)


def ours(path):
    return blocks(path, 1031)


# ---- forks -----------------------------------------------------------------------------------------------------


def test_forks_of_a_threaded_program(tmp_path):
    """Every child has a tape of its own, with its lineage; no child writes on its parent's."""
    children = 1000 if FULL else 60
    done = accepted(tmp_path, [case("forks"), children], same=without_pids, steady=False)
    said = re.findall(r"child (\d+) blocks (\d+)", done.done.stdout.decode())
    assert len(said) == children
    tapes = {tape["pid"]: (path, tape) for path, tape in done.tapes.items()}
    if len({pid for pid, _ in said}) == children:  # no number was given out twice
        assert len(done.tapes) == children + 1
    for i, (pid, number) in enumerate(said):
        path, tape = tapes[int(pid)]
        if not FULL or i % 50 == 0:
            assert ours(path) == int(number)
        assert tape["exit_status"] == i % 7 and tape["lanes"] == 1
        assert tape["parent_pid"] == done.tape["pid"] and tape["start_order"] == i + 1
    assert ours(done.path) == 0
    survival("forks of a threaded program", children, sum(sum(c.values()) for c in done.calls.values()), 0)


@pytest.mark.parametrize("how", ["_Fork", "fork_call", "clone_call", "clone"])
def test_forks_past_libc(how, tmp_path):
    done = accepted(tmp_path, [case("forks"), 20, how], same=without_pids, steady=False)
    for pid, number in re.findall(r"child (\d+) blocks (\d+)", done.done.stdout.decode()):
        assert ours(done.path.with_suffix(f".{pid}.tape")) == int(number)
    assert len(done.tapes) == 21 and ours(done.path) == 0


def test_a_vfork_past_libc_is_the_parents(tmp_path):
    """A child in its parent's memory that nobody can tell from it: its calls change the parent's heap, and stand on
    the parent's tape."""
    plain = run([case("forks"), 20, "vfork_call"])
    done = record(tmp_path / "x.tape", [case("forks"), 20, "vfork_call"], "-q")
    assert (done.returncode, without_pids(done.stdout)) == (plain.returncode, without_pids(plain.stdout))
    assert not tapes_beside(tmp_path / "x.tape")
    assert ours(tmp_path / "x.tape") == 20
    assert sound(tmp_path / "x.tape")["by_kind"]["free_foreign"] == 0


# ---- programs that start others --------------------------------------------------------------------------------


def test_every_way_to_start_a_program(tmp_path):
    plain = run([case("spawn")])
    done = record(tmp_path / "x.tape", [case("spawn")], "-q")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    everywhere = collections.Counter()
    for path in [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]:
        sound(path)
        found = sizes(path)
        assert found["malloc", 1047] == 0  # the vfork child's
        everywhere[found["malloc", 1031], found["malloc", 1063]] += 1
    assert everywhere[20, 0] == 1  # before it became itself again
    assert everywhere[0, 50] == 6  # vfork, posix_spawn, system, popen, fork, itself


def test_an_empty_environment_is_followed_and_stays_empty(tmp_path):
    """What a program leaves out of another's environment is added for the recording, and hidden from that program."""
    plain = run([case("empty")])
    done = record(tmp_path / "x.tape", [case("empty")], "-q")
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert b"preload" not in done.stdout and b"10: - -\n" in done.stdout
    tapes = [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]
    assert all(sound(path)["complete"] for path in tapes)
    # 10 to 12 and 14 started so, 15 by a shell that was, 13 the program itself in the end
    assert sorted(filter(None, map(ours, tapes))) == [10, 11, 12, 13, 14, 15]


def test_env_i(tmp_path):
    done = record(tmp_path / "x.tape", ["env", "-i", "B=2", "/usr/bin/env"], "-q")
    assert (done.returncode, done.stdout) == (0, b"B=2\n")
    assert info(tmp_path / "x.tape")["program"] == "/usr/bin/env"
    assert len(tapes_beside(tmp_path / "x.tape")) == 1  # env before it became env


def test_an_environment_is_left_alone_where_programs_are_not_followed(tmp_path):
    done = record(tmp_path / "x.tape", [case("empty")], "-q", "--follow=children")
    assert done.stdout == run([case("empty")]).stdout
    assert b"exec" not in done.stderr and ours(tmp_path / "x.tape") == 0


FAMILY = {20, 21, 22, 23, 24, 30, 31}


@pytest.mark.parametrize("follow,recorded", [("none", {20}), ("children", {20, 21, 22, 23}), ("exec", FAMILY)])
def test_follow_and_lineage(follow, recorded, tmp_path):
    done = record(tmp_path / "x.tape", [case("lineage")], "-q", f"--follow={follow}")
    assert done.returncode == 0 and done.stdout == b""
    by_blocks = {}
    for path in [tmp_path / "x.tape", *tapes_beside(tmp_path / "x.tape").values()]:
        number, tape = ours(path), sound(path)
        if number or follow != "exec":
            assert number not in by_blocks, by_blocks
            by_blocks[number] = tape
    assert {n for n in by_blocks if n} == recorded
    program = by_blocks[20]
    assert program["start_order"] == 0
    orders = [tape["start_order"] for tape in by_blocks.values()]
    assert len(set(orders)) == len(orders)
    if follow == "none":
        return
    a, b, c = by_blocks[21], by_blocks[22], by_blocks[23]
    assert a["parent_pid"] == b["parent_pid"] == program["pid"] and c["parent_pid"] == a["pid"]
    assert program["start_order"] < a["start_order"] < c["start_order"] < b["start_order"]
    assert (a["parent_order"], b["parent_order"], c["parent_order"]) == (0, 0, a["start_order"])
    if follow == "exec":
        d, after_a, after = by_blocks[24], by_blocks[31], by_blocks[30]
        assert after_a["pid"] == a["pid"] and after["pid"] == program["pid"] and d["parent_pid"] == b["pid"]
        assert a["start_order"] < after_a["start_order"] < b["start_order"] < d["start_order"] < after["start_order"]


# ---- what cannot be recorded -----------------------------------------------------------------------------------

HELLO = '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { free(malloc(9)); puts("here"); return 3; }\n'


def made_static(folder):
    return CASES / "record_static", ["exit"]


def made_musl(folder):
    if not shutil.which("musl-gcc"):
        pytest.skip("musl-tools is not installed")
    (folder / "hello.c").write_text(HELLO)
    assert run(["musl-gcc", folder / "hello.c", "-o", folder / "hello"]).returncode == 0
    return folder / "hello", []


def made_go(folder):
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    (folder / "hello.go").write_text('package main\nimport "os"\nfunc main() { println("here"); os.Exit(3) }\n')
    environment = dict(os.environ, CGO_ENABLED="0", GOCACHE=str(folder / "cache"), GO111MODULE="off", GOFLAGS="")
    built = run(["go", "build", "-o", folder / "hello", folder / "hello.go"], env=environment, cwd=folder)
    assert built.returncode == 0, built.stderr
    return folder / "hello", []


def made_setuid(folder):
    (folder / "hello.c").write_text(HELLO)
    if not shutil.which("cc"):
        pytest.skip("no compiler")
    assert run(["cc", folder / "hello.c", "-o", folder / "hello"]).returncode == 0
    (folder / "hello").chmod(0o4755)
    return folder / "hello", []


MAKERS = {"static": (made_static, b"static"), "musl": (made_musl, b"glibc"), "go": (made_go, b"static"),
          "setuid": (made_setuid, b"setuid")}


@pytest.mark.parametrize("name", MAKERS)
def test_what_cannot_be_recorded(name, tmp_path):
    """Refused before it starts, with a reason; as a child it runs as without us, and the summary counts it."""
    maker, word = MAKERS[name]
    program, arguments = maker(tmp_path)
    refused = record(tmp_path / "x.tape", [program, *arguments])
    assert refused.returncode == 4 and refused.stdout == b""
    assert refused.stderr.count(b"\n") == 1 and word in refused.stderr, refused.stderr
    assert not (tmp_path / "x.tape").exists()
    script = tmp_path / "script"
    script.write_text(f"#!{program} exit\n")
    script.chmod(0o755)
    shell = ["sh", "-c", f"{program} exit; echo $?; {script}; echo $?; exec env -i {program} exit"]
    plain = run(shell)
    done = record(tmp_path / "x.tape", shell)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    ours_said = [line for line in done.stderr.splitlines() if line.startswith(b"heaptape record: ")]
    assert done.stderr.splitlines()[: -len(ours_said)] == plain.stderr.splitlines()
    told = b"\n".join(ours_said)
    if name != "setuid" or os.geteuid() != 0:  # root's own setuid program can be recorded as a child
        assert re.search(rb"not recorded.*[1-9]\d* (static|other)", told), told
        assert str(program).encode() in told or str(script).encode() in told
    sound(tmp_path / "x.tape")
    unfollowed = record(tmp_path / "y.tape", shell, "-q", "--follow=none")
    assert (unfollowed.returncode, unfollowed.stdout, unfollowed.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_a_program_whose_sanitizer_must_come_first(sanitizer, tmp_path):
    """Its runtime ends the program where another library comes before it: refused, and as a child left alone."""
    (tmp_path / "hello.c").write_text(HELLO)
    program = tmp_path / "hello"
    if not shutil.which("gcc") or run(["gcc", f"-fsanitize={sanitizer}", tmp_path / "hello.c", "-o", program]).returncode:
        pytest.skip("no compiler with sanitizers")
    refused = record(tmp_path / "x.tape", [program])
    assert refused.returncode == 4 and refused.stdout == b"" and b"sanitizer" in refused.stderr, refused.stderr
    shell = ["sh", "-c", f"{program}; echo $?; exec env -i {program}"]
    plain = run(shell)
    assert plain.stdout == b"here\n3\nhere\n", plain.stderr
    for follow in ("exec", "children"):
        done = record(tmp_path / "x.tape", shell, f"--follow={follow}")
        assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout), done.stderr
        assert (b"not recorded" in done.stderr) == (follow == "exec")
        assert str(program).encode() in done.stderr or follow != "exec"
        sound(tmp_path / "x.tape")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the root")
def test_a_program_started_where_nothing_of_ours_is(tmp_path):
    """After chroot() our library is not there: nothing is preloaded, rather than a message on the program's stderr."""
    loader, libraries = "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"
    for file in (loader, libraries, case("lineage")):
        target = tmp_path / "root" / str(file).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(file), target)
    command = ["chroot", tmp_path / "root", case("lineage"), "5"]
    plain = run(command)
    done = record(tmp_path / "x.tape", command, "-v")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout) == (0, b"")
    assert b"ERROR" not in done.stderr and b"not recorded" in done.stderr, done.stderr
    sound(tmp_path / "x.tape")
