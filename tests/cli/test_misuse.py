"""One forbidden act a program: the hardened build names each one, the ordinary build those that a slow path meets."""

import os
import signal
import subprocess

import pytest

NOTICED = {
    "double_free_at_once": "double free",
    "double_free_later": "double free",
    "double_free_in_threads": "double free",
    "write_after_free": "written to after it was freed",
    "write_after_free_inside": "written to after it was freed",
    "modify_after_free": "written to after it was freed",
    "overflow_by_1": "free({}): written past",
    "overflow_by_16": "free({}): written past",
    "overflow_never_freed": "written past",
    "overflow_after_realloc": "realloc({}): written past",
    "underflow_by_1": "free({}): written before",
    "free_interior": "free({}): not the start",
    "free_misaligned": "free({}): not the start",
    "free_stack": "free({}): not a block",
    "free_static": "free({}): not a block",
    "free_wild": "free({}): not a block",
    "realloc_freed": "realloc({}): double free",
    "realloc_interior": "realloc({}): not the start",
    "usable_size_freed": "malloc_usable_size({}): double free",
    "free_sized_mismatch": "free_sized({}): the size given is {size1}, but",
    "free_aligned_sized_mismatch": "free_aligned_sized({}): the alignment given is 32, but the block was made with 64",
    "free_aligned_sized_wrong_size": "free_aligned_sized({}): the size given is 64, but the block was made with 128",
}
# What the ordinary build sees of them, whatever the timing: pointers that no segment holds, and what realloc is given.
ORDINARY = ["free_stack", "free_static", "free_wild", "realloc_interior"]
# What it sees where a slow path walks the lists of free blocks, here malloc_trim(); the operation is then "free list".
WALKED = {
    "double_free_at_once": "double free: the list of free blocks is a circle",
    "double_free_later": "double free: the list of free blocks is a circle",
    "double_free_in_threads": "double free: the list of free blocks is a circle",
    "realloc_freed": "double free: the list of free blocks is a circle",
    "write_after_free": "a free block was written to",
    "modify_after_free": "a free block was written to",
    "free_interior": "what is no block was freed (16 inside 0x",
    "free_misaligned": "what is no block was freed (1 inside 0x",
}
# And at once of blocks that are not in runs: 100 kB, 3 MB.
UNSHARED = ["double_free_at_once", "double_free_later", "double_free_in_threads", "realloc_freed", "usable_size_freed", "free_interior",
            "free_misaligned"]
# What the messages say about where the address lies: in the hardened build sizes are exact while the seal stands.
WHERE = {
    "double_free_at_once": "(a block of up to 40 bytes, free)",
    "write_after_free": "(a block of up to 40 bytes, free)",
    "overflow_after_realloc": "(a block of 43 bytes, in use)",
    "underflow_by_1": "(a block of 40 bytes, in use)",
    "overflow_by_1": "(a block of up to 40 bytes, its end overwritten)",
    "free_interior": "(16 inside {start:#x}, a block of 40 bytes, in use)",
    "free_stack": "(on the stack)",
    "free_static": "/misuse)",
}


def misuse(build, library, *words):
    environment = dict(os.environ, LD_PRELOAD=str(build / "lib" / "heaptape" / library))
    return subprocess.run([build / "tests" / "misuse", *map(str, words)], env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_every_act_is_expected(build):
    names = subprocess.run([build / "tests" / "misuse", "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert set(names) == set(NOTICED) | {"none"}


@pytest.mark.parametrize("size", [24, 40, 250, 1000, 5000, 20000])
@pytest.mark.parametrize("act", NOTICED)
def test_hardened(build, act, size):
    result = misuse(build, "libhtmalloc-hard.so", act, size)
    assert result.returncode == -signal.SIGABRT, result.stderr
    expected = NOTICED[act].format(result.stdout.split()[0], size1=size + 1)
    assert expected in result.stderr and result.stdout.split()[0] in result.stderr
    assert result.stderr.startswith("htmalloc: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("size", [1, 24, 1000, 5000, 100000, 3000000])
@pytest.mark.parametrize("library", ["libhtmalloc.so", "libhtmalloc-hard.so"])
def test_without_the_act(build, library, size):
    """The same program without the bug is let through, so that it is the bug that is noticed."""
    result = misuse(build, library, "none", size)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("act", ORDINARY)
def test_ordinary(build, act):
    result = misuse(build, "libhtmalloc.so", act)
    assert result.returncode == -signal.SIGABRT, result.stderr
    assert NOTICED[act].split(":")[0].format(result.stdout.split()[0]) in result.stderr


@pytest.mark.parametrize("act", WALKED)
def test_ordinary_where_a_list_is_walked(build, act):
    result = misuse(build, "libhtmalloc.so", act, 40, "trim")
    assert result.returncode == -signal.SIGABRT, result.stderr
    assert result.stderr.startswith("htmalloc: free list(0x") and WALKED[act] in result.stderr
    assert misuse(build, "libhtmalloc.so", "none", 40, "trim").returncode == 0


@pytest.mark.parametrize("size", [100000, 3000000])
@pytest.mark.parametrize("act", UNSHARED)
@pytest.mark.parametrize("library", ["libhtmalloc.so", "libhtmalloc-hard.so"])
def test_outside_runs(build, library, act, size):
    """Large and huge blocks are looked up by every call: both builds see these at once."""
    result = misuse(build, library, act, size)
    operation = {"realloc_freed": "realloc", "usable_size_freed": "malloc_usable_size"}.get(act, "free")
    assert result.returncode == -signal.SIGABRT, result.stderr
    assert f"htmalloc: {operation}({result.stdout.split()[0]}): " in result.stderr
    assert any(words in result.stderr for words in ("double free", "freed before", "not the start"))


@pytest.mark.parametrize("act", WHERE)
def test_where(build, act):
    result = misuse(build, "libhtmalloc-hard.so", act, 40)
    address = int(result.stdout.split()[0], 16)
    assert WHERE[act].format(start=address - 16) + "\n" in result.stderr


@pytest.mark.parametrize("options", [(), ("--fork",), ("--churn",)])
def test_hardened_under_stress(build, options):
    """No false alarm, and the heap valid: random calls on four threads against a shadow."""
    command = [build / "tests" / "htmalloc_stress_hard", "--rounds=3", "--operations=8000", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0 and "valid" in result.stdout, result.stderr


def test_a_string_that_ends_one_byte_too_far_is_always_seen(build):
    """The zero falls on the first byte of the seal, whose value is another in each process: never 0."""
    for _ in range(300):
        result = misuse(build, "libhtmalloc-hard.so", "overflow_by_1", 40)
        assert "written past the block's end" in result.stderr, result.stderr
