"""heaptape run and stats: a real program on an allocator, and nothing of it changed."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from driver_help import one_line

SHELL_MAPS = "grep -o '[^/]*malloc[^/]*\\.so[^ ]*' /proc/self/maps | sort -u"


def test_the_program_runs_on_the_allocator(heaptape):
    assert "libhtmalloc.so" in heaptape("run", "-a", "htmalloc", "--", "sh", "-c", SHELL_MAPS).stdout
    assert heaptape("run", "-a", "libc", "--", "sh", "-c", SHELL_MAPS).stdout == ""


def test_the_allocator_stands_before_the_users_own_preload(heaptape, build):
    other = build / "lib/heaptape/libheaptape-null.so"
    result = heaptape("run", "-a", "htmalloc", "--", "/bin/sh", "-c", "echo $LD_PRELOAD",
                      env=dict(os.environ, LD_PRELOAD="libm.so.6"))
    assert result.stdout == f"{build}/lib/heaptape/libhtmalloc.so:libm.so.6\n"
    assert other.exists()


def test_a_relative_path_becomes_absolute(heaptape, build, tmp_path):
    shutil.copy(build / "lib/heaptape/libhtmalloc.so", tmp_path / "libmine.so")
    result = heaptape("run", "-a", "mine=./libmine.so,MINE=a,b", "--", "sh", "-c", "cd /; echo $LD_PRELOAD $MINE",
                      cwd=tmp_path)
    assert result.stdout == f"{tmp_path}/libmine.so a,b\n"


def test_input_output_and_status_are_the_programs(heaptape):
    result = heaptape("run", "-a", "htmalloc", "--", "sh", "-c", "cat; echo err >&2; exit 37", input="in", stdin=None)
    assert (result.stdout, result.stderr, result.returncode) == ("in", "err\n", 37)
    result = heaptape("run", "-a", "htmalloc", "--", "sh", "-c", "kill -TERM $$")
    assert result.returncode == -signal.SIGTERM


def test_the_programs_options_are_its_own(heaptape):
    assert heaptape("run", "-a", "libc", "echo", "-a", "--help").stdout == "-a --help\n"


@pytest.mark.parametrize("command", [["run", "-a", "htmalloc"], ["stats", "-a", "htmalloc"]])
def test_what_cannot_be_run(heaptape, tmp_path, command):
    name = command[0]
    result = heaptape(*command, "--", "no-such-program")
    assert result.returncode == 127 and "no-such-program" in one_line(result.stderr, name)
    plain = tmp_path / "plain"
    plain.write_text("text")
    result = heaptape(*command, "--", plain)
    assert result.returncode == 126 and str(plain) in one_line(result.stderr, name)
    setuid = tmp_path / "setuid"
    shutil.copy("/bin/true", setuid)
    setuid.chmod(0o4755)
    result = heaptape(*command, "--", setuid)
    assert result.returncode == 4 and "setuid" in one_line(result.stderr, name)
    assert heaptape(*command).returncode == 2


def test_static_programs_are_refused(heaptape, tmp_path):
    program = tmp_path / "static"
    built = subprocess.run(["cc", "-static", "-x", "c", "-", "-o", program], input="int main(void){return 5;}",
                           text=True, capture_output=True)
    if built.returncode:
        pytest.skip("no static libc here")
    result = heaptape("run", "-a", "htmalloc", "--", program)
    assert result.returncode == 4 and "static" in one_line(result.stderr, "run")
    result = heaptape("stats", "--", program)  # nothing to preload: it may run
    assert result.returncode == 5


def test_unknown_allocator(heaptape):
    result = heaptape("run", "-a", "nomalloc", "--", "true")
    assert result.returncode == 2 and "jemalloc" in one_line(result.stderr, "run")


def test_stats_tells_what_the_program_cost(heaptape, tmp_path):
    out = tmp_path / "cost.json"
    script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo ${#x}; exit 3"
    result = heaptape("stats", "-a", "htmalloc", "-o", out, "--format=json", "--", "sh", "-c", script)
    assert (result.stdout, result.stderr, result.returncode) == ("30000000\n", "", 3)
    cost = json.loads(out.read_text())
    assert cost["exit_status"] == 3 and cost["signal"] is None and cost["allocator"] == "htmalloc"
    assert cost["peak_resident_bytes"] > 30_000_000
    assert cost["wall_seconds"] > 0 and cost["user_seconds"] + cost["system_seconds"] > 0
    assert cost["minor_faults"] > 1000


def test_stats_of_a_small_program_is_not_its_parents(heaptape):
    result = heaptape("stats", "--format=json", "--", "/bin/true")
    assert json.loads(result.stderr)["peak_resident_bytes"] < 4 << 20


def test_stats_of_a_signal(heaptape):
    result = heaptape("stats", "--format=json", "--", "sh", "-c", "kill -SEGV $$")
    assert result.returncode == 128 + signal.SIGSEGV
    assert json.loads(result.stderr)["signal"] == "SIGSEGV"


@pytest.mark.skipif(not shutil.which("gdb"), reason="no gdb here")
def test_under_gdb_the_allocator_is_in_the_program_alone(heaptape, build, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho \"$1 $LD_PRELOAD\"; exit 7\n")
    script.chmod(0o755)
    commands = "run\nshell echo \"gdb has <$LD_PRELOAD>\"\nquit\n"
    for program in (["sh", "-c", 'echo "$0 $LD_PRELOAD"; exit 7', "a word"], [script, "a word"]):
        result = heaptape("run", "-a", "htmalloc", "--gdb", "--", *program, input=commands, stdin=None)
        assert f"a word {build}/lib/heaptape/libhtmalloc.so\n" in result.stdout
        assert "exited with code 07" in result.stdout and "gdb has <>" in result.stdout
