"""make valgrind: under memcheck, a program's errors on a textbook allocator are reported, and nothing else is."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD

LIBRARY = BUILD / "lib/heaptape/libtextbook-valgrind.so"
POLICIES = ["first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit", "best-fit-address",
            "worst-fit", "segregated", "buddy", "bump"]
MEMCHECK = ["valgrind", "--soname-synonyms=somalloc=nouserintercepts", "--leak-check=full", "--error-exitcode=99"]
PROGRAM = r"""
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
static volatile char sink;
int main(int count, char **words)
{
    const char *acts = count > 1 ? words[1] : "";
    char *small = malloc(100), *large = malloc(200000), *zeros = calloc(10, 10), *aligned = memalign(256, 70);
    memset(small, 1, 100);
    memset(aligned, 1, malloc_usable_size(aligned));
    zeros = realloc(zeros, 300);
    zeros = realloc(zeros, 90);
    for (int i = 0; i < 90; i++)
        if (zeros[i] && i < 90) return 1;
    for (; *acts; acts++)
        switch (*acts) {
        case 'r': sink = small[100]; break;
        case 'b': sink = small[-1]; break;
        case 'L': sink = large[200000]; break;
        case 'w': aligned[70] = 1; break;
        case 'u': if (large[7]) sink = 1; break;
        case 'i': free(small + 16); break;
        case 'd': free(small); free(small); small = NULL; break;
        case 'a': { char *gone = malloc(40); free(gone); sink = gone[3]; break; }
        case 'q': { char *gone = malloc(40); free(gone); if (realloc(gone, 60)) return 2; break; }
        case 'l': { char *lost = malloc(1234); lost[0] = 1; lost = malloc(300000); lost[0] = 1; break; }
        }
    free(small), free(large), free(zeros), free(aligned);
    return 0;
}
"""
REPORTS = {"r": "Invalid read of size 1", "b": "Invalid read of size 1", "L": "Invalid read of size 1", "w": "Invalid write of size 1",
           "u": "Conditional jump or move depends on uninitialised", "i": r"Invalid free\(\)", "d": r"Invalid free\(\)",
           "a": "Invalid read of size 1", "q": "Unaddressable byte", "l": "1,234 bytes in 1 blocks are definitely lost"}

pytestmark = pytest.mark.skipif(not shutil.which("valgrind") or not LIBRARY.exists(), reason="no valgrind here (apt-get install valgrind)")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("memcheck") / "p"
    subprocess.run(["cc", "-g", "-O0", "-w", "-fno-builtin", "-x", "c", "-", "-o", path], input=PROGRAM, text=True, check=True)
    return path


def memcheck(policy, *command, stdin="", **switches):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TEXTBOOK_")}
    env |= {f"TEXTBOOK_{name.upper()}": value for name, value in switches.items()}
    return subprocess.run([*MEMCHECK, *command], capture_output=True, text=True, timeout=280, input=stdin,
                          env=env | {"LD_PRELOAD": str(LIBRARY), "TEXTBOOK_POLICY": policy})


@pytest.mark.parametrize("act", REPORTS)
def test_each_act_is_reported(program, act):
    result = memcheck("best-fit", program, act)
    assert result.returncode == 99 and re.search(REPORTS[act], result.stderr), result.stderr
    assert re.search(r"ERROR SUMMARY: [12] errors from [12] contexts", result.stderr)
    assert re.search(r"(at|by) 0x\w+: main \(", result.stderr)
    assert act == "u" or re.search(r"by 0x\w+: (malloc|memalign|free) \(interpose.c", result.stderr)


@pytest.mark.parametrize("policy", POLICIES)
def test_on_every_policy(program, policy):
    result = memcheck(policy, program, "rwdl")
    for act in "rwdl":
        assert re.search(REPORTS[act], result.stderr), (act, result.stderr)
    assert "300,000 bytes in 1 blocks are definitely lost" in result.stderr
    assert "ERROR SUMMARY: 5 errors from 5 contexts" in result.stderr


@pytest.mark.parametrize("policy, switches", [("first-fit", {}), ("segregated", {"coalesce": "deferred"}), ("buddy", {"leaks": "sites"}),
                                              ("best-fit-address", {"source": "mmap", "scribble": "1"}), ("bump", {"picture": "text"})])
def test_a_right_program_is_clean(program, policy, switches):
    result = memcheck(policy, program, **switches)
    assert result.returncode == 0 and "ERROR SUMMARY: 0 errors" in result.stderr, result.stderr
    assert "All heap blocks were freed -- no leaks are possible" in result.stderr


def test_a_real_program_is_clean():
    sql = "create table t(a, b); with recursive c(n) as (select 1 union all select n+1 from c where n<500) insert into t select n, hex(n) from c;"
    result = memcheck("first-fit", "sqlite3", ":memory:", stdin=sql + "select count(*), max(b) from t;")
    assert (result.returncode, result.stdout) == (0, "500|3939\n"), result.stderr
    assert "ERROR SUMMARY: 0 errors" in result.stderr


def test_without_valgrind_it_is_like_the_others(program):
    env = dict(os.environ, LD_PRELOAD=str(LIBRARY), TEXTBOOK_POLICY="buddy")
    assert subprocess.run([program], env=env).returncode == 0
    result = subprocess.run([program, "d"], env=env, capture_output=True, text=True)
    assert result.returncode == -6 and "freed before" in result.stderr
