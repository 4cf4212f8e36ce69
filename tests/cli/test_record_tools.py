"""The recorder beside tools that take over memory themselves: valgrind, which also looks over the preload's shoulder,
and sanitizers."""

import shutil

import pytest
from record_help import case, record, run, sizes, sound, tapes_beside

VALGRIND = ["valgrind", "--trace-children=no", "--error-exitcode=99"]
SEEING = [*VALGRIND, "--soname-synonyms=somalloc=nouserintercepts"]  # leaves malloc to the program, so to us
needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")


@needs_valgrind
def test_a_program_under_valgrind_is_no_harm(tmp_path):
    """memcheck replaces malloc inside the program, before us: nothing of it is seen, and that is said. valgrind's own
    images, a launcher and a static tool, have their tapes or are counted."""
    plain = run([*VALGRIND, case("calls")])
    done = record(tmp_path / "x.tape", [*VALGRIND, case("calls")])
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    assert b"ERROR SUMMARY: 0 errors" in done.stderr, done.stderr
    assert b"made no call: it may bring an allocator" in done.stderr and b"1 static" in done.stderr
    tape = sound(tmp_path / "x.tape")
    assert tape["program"].endswith("/record_calls") and tape["events"] == 0
    for path in tapes_beside(tmp_path / "x.tape").values():
        sound(path)


@needs_valgrind
@pytest.mark.parametrize("command", [["calls"], ["threads", 50], ["forks", 3], ["spawn"], ["atexit"]],
                         ids=lambda command: command[0])
def test_valgrind_finds_nothing_wrong_with_the_preload(command, tmp_path):
    """memcheck that leaves our malloc alone runs the hooks: no invalid access, no jump on what was never set. (What it
    still replaces is libc's own malloc behind us, and C++'s operators, which it makes malloc no more.)"""
    name, *arguments = command
    done = record(tmp_path / "x.tape", [*SEEING, case(name), *arguments])
    plain = run([case(name), *arguments])
    assert done.returncode == plain.returncode, done.stderr
    assert b"ERROR SUMMARY: 0 errors" in done.stderr, done.stderr
    (tmp_path / "plainly").mkdir()
    record(tmp_path / "plainly/x.tape", [case(name), *arguments], "-q")
    assert sound(tmp_path / "x.tape")["events"] > 50
    if name not in ("forks", "atexit"):  # whose threads allocate without end
        before = {k: n for k, n in sizes(tmp_path / "plainly/x.tape").items() if k[1] > 1030}
        assert {k: n for k, n in sizes(tmp_path / "x.tape").items() if k[1] > 1030} == before
