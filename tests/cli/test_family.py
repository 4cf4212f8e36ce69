"""Every entry point of the malloc family by one table (tests/stress/family_calls.c), on the C library and on both builds of
htmalloc; C++'s operators; and pointers that no allocator can have given."""

import os
import signal
import subprocess

import pytest

LIBRARIES = {"libc": None, "htmalloc": "libhtmalloc.so", "hard": "libhtmalloc-hard.so"}


def run(build, allocator, program, *words):
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if LIBRARIES[allocator] is not None:
        environment["LD_PRELOAD"] = str(build / "lib" / "heaptape" / LIBRARIES[allocator])
    return subprocess.run([build / "tests" / program, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("allocator", LIBRARIES)
def test_calls(build, allocator):
    result = run(build, allocator, "family_calls", f"--as={allocator}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(", 0 broken\n") and result.stderr == ""


def test_calls_can_fail(build):
    """The C library does not do what is expected of htmalloc: just where the table says that it does otherwise."""
    result = run(build, "libc", "family_calls", "--as=htmalloc")
    assert result.returncode == 1
    broken = {line.split(": ")[1] for line in result.stderr.splitlines()}
    listed = run(build, "libc", "family_calls", "--list").stdout.splitlines()
    assert all(any(line.startswith(name) for line in listed) for name in broken), broken
    assert len(broken) >= 10


@pytest.mark.parametrize("allocator", LIBRARIES)
def test_cxx(build, allocator):
    result = run(build, allocator, "family_cxx")
    assert (result.returncode, result.stdout, result.stderr) == (0, "fine\n", "")


@pytest.mark.parametrize("act", ["free", "realloc", "malloc_usable_size"])
@pytest.mark.parametrize("address", ["0x800000000000", "0x900000000010", "0xdeadbeefdeadbeef", "0xffffffffffffffff", "0x10"])
@pytest.mark.parametrize("allocator", ["htmalloc", "hard"])
def test_impossible_address(build, allocator, address, act):
    """Outside of user space: the program ends at once. Only free() of the ordinary build may do so by a fault: a test for
    such addresses on its fast path would be paid for by every call."""
    result = run(build, allocator, "impossible_address", act, address)
    if allocator == "htmalloc" and act == "free" and result.returncode == -signal.SIGSEGV:
        return
    assert result.returncode == -signal.SIGABRT, result.stdout
    where = "" if address == "0x10" else " (no address that a program can have)"
    assert result.stderr == f"htmalloc: {act}({address}): not a block of this allocator, or freed before{where}\n"
