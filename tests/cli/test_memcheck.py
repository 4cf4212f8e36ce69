"""htmalloc's build for Valgrind: memcheck reports what a program does wrong on it, as on the C library's malloc, and
nothing of a program that does nothing wrong."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

MEMCHECK = ["valgrind", "--leak-check=full", "--error-exitcode=99", "--soname-synonyms=somalloc=nouserintercepts"]


@pytest.fixture(scope="session")
def library(build):
    path = build / "lib" / "heaptape" / "libhtmalloc-valgrind.so"
    if shutil.which("valgrind") is None or not path.is_file():
        pytest.skip("valgrind is not installed (apt-get install valgrind)")
    return path


@pytest.fixture(scope="session")
def program(library, tmp_path_factory):
    """The program of tests/misuse/memcheck.cc, linked with the library as it would be preloaded."""
    target = tmp_path_factory.mktemp("memcheck") / "memcheck"
    source = ROOT / "tests" / "misuse" / "memcheck.cc"
    command = ["g++", "-std=c++17", "-g", "-O0", "-fno-builtin", "-w", f"-I{ROOT}/allocator/htmalloc", source, library]
    subprocess.run([str(word) for word in [*command, f"-Wl,-rpath,{library.parent}", "-pthread", "-o", target]], check=True)
    return target


def memcheck(*command, ours=True, **variables):
    """Its exit status and what it says; without `ours` it puts its own malloc in our place."""
    valgrind = MEMCHECK if ours else MEMCHECK[:-1]
    done = subprocess.run(
        [str(word) for word in [*valgrind, *command]], env=dict(os.environ, **variables),
        capture_output=True, text=True, timeout=120, check=False,
    )
    return done.returncode, re.sub(r"==\d+== ?", "", done.stderr)


SIZE_100 = r"a block of size 100 "
ACTS = {
    "read_behind": r"Invalid read of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 0 bytes after " + SIZE_100 + "alloc'd",
    "write_behind": r"Invalid write of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 7 bytes after " + SIZE_100 + "alloc'd",
    "read_before": r"Invalid read of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 1 bytes before " + SIZE_100 + "alloc'd",
    "write_before": r"Invalid write of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 16 bytes before " + SIZE_100 + "alloc'd",
    "undefined": r"Conditional jump or move depends on uninitialised value\(s\)\n   at .*use",
    "use_after_free": r"Invalid write of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 5 bytes inside " + SIZE_100 + "free'd",
    "old_after_realloc": r"Invalid read of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 3 bytes inside " + SIZE_100 + "free'd",
    "behind_shrunk": r"Invalid read of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 0 bytes after a block of size 60 alloc'd",
    "double_free": r"Invalid free\(\)[^\n]*\n(?:.*\n)+? Address \S+ is 0 bytes inside " + SIZE_100 + "free'd",
    "free_inside": r"Invalid free\(\)[^\n]*\n(?:.*\n)+? Address \S+ is 16 bytes inside " + SIZE_100 + "alloc'd",
    "free_static": r"Invalid free\(\)[^\n]*\n(?:.*\n)+? Address \S+ is 0 bytes inside data symbol",
    "new_free": r"Mismatched free\(\) / delete / delete \[\]: \S+ was made by new \[\], freed by free",
    "malloc_delete": r"Mismatched free\(\) / delete / delete \[\]: \S+ was made by malloc, freed by delete\n",
    "new_array_delete": r"Mismatched free\(\) / delete / delete \[\]: \S+ was made by new \[\], freed by delete\n",
    "wrong_size": r"Wrong size: \S+ was made with 8 bytes, freed with 9",
    "huge_behind": r"Invalid read of size 1\n   at .*(?:use|misfree).*\n(?:   by .*\n)+ Address \S+ is 0 bytes after a block of size 3,145,728 alloc'd",
    "heap_overflow": r"Invalid write of size 1\n(?:.*\n)+? Address \S+ is 0 bytes after a block of size 300 alloc'd",
    "heap_double_free": r"Invalid free\(\)[^\n]*\n(?:.*\n)+? Address \S+ is 0 bytes inside a block of size 300 free'd",
    "heap_wrong_free": r"Mismatched free\(\) / delete / delete \[\]: \S+ was made by a private heap, freed by free",
    "heap_free_all": r"Invalid read of size 1\n(?:.*\n)+? Address \S+ is 3 bytes inside a block of size 2,000 free'd",
    "heap_delete": r"Invalid read of size 1\n(?:.*\n)+? Address \S+ is 5 bytes inside a block of size 3,145,728 free'd",
}


LEAKS = {
    "lost": r"100 bytes in 1 blocks are definitely lost",
    "lost_chain": r"560 \(112 direct, 448 indirect\) bytes in 1 blocks are definitely lost",
    "heap_leak": r"[\d,]+ \(168 direct, [\d,]+ indirect\) bytes in 1 blocks are definitely lost",
}


@pytest.fixture(scope="session")
def report(program):
    """What memcheck says of all acts, one after the other."""
    return memcheck(program, *ACTS)


@pytest.mark.parametrize("act", ACTS)
def test_an_error(report, act):
    assert len(re.findall(ACTS[act], report[1])) == 1, report[1]


def test_each_act_is_one_error_and_nothing_leaks(report):
    status, said = report
    assert status == 99
    assert f"ERROR SUMMARY: {len(ACTS)} errors from" in said, said
    assert "All heap blocks were freed -- no leaks are possible" in said, said


def test_leaks(program):
    status, said = memcheck(program, *LEAKS, "reachable_chain")
    assert status == 99
    for leak in LEAKS.values():
        assert len(re.findall(leak, said)) == 1, said
    assert "ERROR SUMMARY: 3 errors from 3 contexts" in said, said
    assert "still reachable: 560 bytes in 5 blocks" in said, said


def test_a_clean_program_has_no_errors_and_no_leaks(program):
    status, said = memcheck(program, "none")
    assert status == 0, said
    assert said.count("ERROR SUMMARY: 0 errors from 0 contexts") == 2  # its child's too
    assert "All heap blocks were freed -- no leaks are possible" in said


def test_leaks_are_those_that_memcheck_finds_without_us(library):
    """A whole program, preloaded: the same figures as on memcheck's own malloc."""
    script = "declare -A a; for i in {1..300}; do a[$i]=$i; done; f() { unset 'a[5]'; echo ${a[7]}; }; f; trap f USR1"
    summaries = []
    for ours in (True, False):
        _, said = memcheck("--show-leak-kinds=all", "bash", "-c", script, ours=ours, LD_PRELOAD=str(library))
        summaries.append(re.findall(r"(lost|reachable): ([\d,]+) bytes in ([\d,]+) blocks", said))
        errors = re.search(r"ERROR SUMMARY: (\d+) errors", said)
        summaries[-1].append(errors[1])
        assert ("take (memcheck.c" in said) == ours, said
    assert len(summaries[0]) == 5 and summaries[0] == summaries[1]


def test_without_valgrind_it_works_as_usual(library):
    script = "python3 -c 'print(len(str(list(range(100000)))))'"
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=dict(os.environ, LD_PRELOAD=str(library)), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "688890\n"), done.stderr
