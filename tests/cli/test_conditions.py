"""The malloc family in awkward circumstances (tests/stress/conditions.c): fork from threads, fork handlers that allocate,
destructors of threads, signals, tiny stacks, little address space, locked memory, plug-ins; on the C library, to know that
what is expected is right, and on both builds of htmalloc."""

import os
import subprocess

import pytest

LIBRARIES = {"libc": None, "htmalloc": "libhtmalloc.so", "hard": "libhtmalloc-hard.so"}
CASES = ["forks", "atfork", "destructors", "main_ends", "signals", "tiny_stacks", "address_space", "locked", "plugins", "opened"]


def run(build, case, allocator, *words):
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if case == "atfork":
        environment["CONDITIONS_ATFORK"] = "1"
    if LIBRARIES[allocator] is not None:
        environment["LD_PRELOAD"] = str(build / "lib" / "heaptape" / LIBRARIES[allocator])
    command = [build / "tests" / "conditions", case, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_every_case_is_listed(build):
    listed = subprocess.run([build / "tests" / "conditions", "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert listed == CASES


@pytest.mark.parametrize("allocator", LIBRARIES)
@pytest.mark.parametrize("case", CASES[:-1])
def test_condition(build, case, allocator):
    result = run(build, case, allocator, build / "tests" / "conditions_plugin.so")
    assert result.returncode == 0, result.stderr
    assert (result.stdout, result.stderr) == (f"{case}: fine\n", "")


@pytest.mark.parametrize("library", ["libhtmalloc.so", "libhtmalloc-hard.so"])
def test_opened_at_run_time(build, library):
    """By a program that runs on the C library's malloc, with threads that outlive dlclose()."""
    result = run(build, "opened", "libc", build / "lib" / "heaptape" / library)
    assert (result.returncode, result.stdout) == (0, "opened: fine\n"), result.stderr
