"""The textbook allocators as a library (mem.h, os_alloc.h, malloc_name.h): the examples of the headers, compiled and run."""

import os
import re
import subprocess

import pytest

from conftest import ROOT

FOLDER = ROOT / "allocator/textbook"


@pytest.fixture(scope="module")
def include(tmp_path_factory):
    """The headers where make install puts them (tests/install looks at that)."""
    folder = tmp_path_factory.mktemp("include")
    (folder / "textbook").mkdir()
    for name in ("mem.h", "os_alloc.h", "malloc_name.h"):
        (folder / "textbook" / name).symlink_to(FOLDER / name)
    return folder


@pytest.fixture
def compiled(build, include, tmp_path):
    def compile_and_link(source, *options, compiler="cc", library=True):
        path = tmp_path / "a.out"
        link = [f"-L{build}/lib/heaptape", "-ltextbook-mem"] if library else []
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O1", "-pthread", f"-I{include}", *options, "-o", path, source, *link],
                       check=True)
        return path

    return compile_and_link


def run(program, preload=None, **switches):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TEXTBOOK_")}
    env |= {f"TEXTBOOK_{name.upper()}": value for name, value in switches.items()}
    if preload:
        env["LD_PRELOAD"] = str(preload)
    return subprocess.run([program], capture_output=True, text=True, timeout=60, env=env)


def inline(tmp_path, text):
    path = tmp_path / "p.c"
    path.write_text(text)
    return path


def test_the_example_of_mem(compiled):
    result = run(compiled(FOLDER / "examples/mem.c"))
    assert result.returncode == 0
    assert result.stdout == "4 allocations, 4 frees, 0 bytes in use, 4 splits, 4 coalesces\n"
    picture, statistics = re.sub(" at 0x[0-9a-f]+", "", result.stderr).split("allocated", 1)
    assert picture == (
        "first-fit: 1 region, 65536 bytes held, 3 blocks used, 2 free\n"
        "region 1: 65536 bytes from brk\n"
        "        40         128  used  first\n"
        "       168          64  used\n"
        "       232          64  free\n"
        "       296         128  used  third\n"
        "       424       65104  free\n"
        "free list: 1+232 (64) 1+424 (65104)\n")
    # A realloc that finds another thread's block in its way moves, and is one more of both.
    found = re.fullmatch(r" +(\d+) bytes +(\d+) blocks\nfreed +(\d+) bytes +(\d+) blocks\nin use +0 bytes +0 blocks\n"
                         r"held +65536 bytes, \d+ splits, \d+ coalesces\n", statistics)
    assert found and found[1] == found[3] and found[2] == found[4] and 40000 <= int(found[2]) < 80000


def test_the_switches_hold_for_mem(compiled):
    result = run(compiled(FOLDER / "examples/mem.c"), policy="buddy", leaks="1")
    assert "buddy: 1 region" in result.stderr and "not freed at exit" in result.stderr
    assert run(compiled(FOLDER / "examples/mem.c"), policy="body").returncode == 2


def test_the_example_of_os_alloc(compiled):
    result = run(compiled(FOLDER / "examples/os_alloc.c"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == ("held after the first call: 131072 bytes\n"
                             "100 zeros are in the heap, 4096 zeros mapped, 200000 bytes mapped\n"
                             "a block that grew is where it was, and its text is kept\n"
                             "in use at the end: 0 bytes\n")


def test_os_alloc_is_best_fit_and_says_when_memory_is_out(compiled, tmp_path):
    source = inline(tmp_path, r"""
        #include <errno.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <sys/resource.h>
        #include <textbook/os_alloc.h>
        int main(void)
        {
            char *wide = os_malloc(500), *between = os_malloc(1), *narrow = os_malloc(100), *last = os_malloc(1);
            os_free(narrow);
            os_free(wide); /* on the front of the list: first fit would take it */
            if (os_malloc(90) != narrow) return 1;
            if (os_malloc(SIZE_MAX) || errno != ENOMEM) return 2;
            if (os_calloc(SIZE_MAX / 2, 4) || errno != ENOMEM) return 3;
            struct rlimit limit = {1 << 20, 1 << 20};
            setrlimit(RLIMIT_AS, &limit);
            errno = 0;
            if (os_malloc(64 << 20) || errno != ENOMEM) return 4;
            errno = 0;
            if (os_realloc(last, 64 << 20) || errno != ENOMEM) return 5;
            int blocks = 0;
            while (os_malloc(1000)) blocks++; /* brk is refused in the end */
            if (errno != ENOMEM) return 6;
            os_free(last);
            os_free(between);
            return 0;
        }""")
    assert run(compiled(source)).returncode == 0


def test_plain_calls_from_two_threads_are_noticed(compiled, tmp_path):
    source = inline(tmp_path, r"""
        #include <pthread.h>
        #include <textbook/mem.h>
        static void *work(void *unused)
        {
            for (int i = 0; i < 20000000; i++) mem_free(mem_malloc(50));
            return unused;
        }
        int main(void)
        {
            pthread_t threads[3];
            for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, work, 0);
            for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
            return 0;
        }""")
    result = run(compiled(source))
    assert result.returncode != 0 and "two calls at once" in result.stderr and "mem_malloc_ts" in result.stderr


@pytest.mark.parametrize("call, reason", [("mem_free(a)", "freed before"), ("mem_free_ts(a)", "freed before"), ("mem_free(a + 8)", "not a block"),
                                          ("mem_free(own + 32)", "not a block"), ("os_free(a)", "freed before"),
                                          ("mem_realloc(a, 500)", "freed before")])
def test_misuse_ends_the_program(compiled, tmp_path, call, reason):
    source = inline(tmp_path, "#include <textbook/mem.h>\n#include <textbook/os_alloc.h>\n"
                    f"_Alignas(16) static char own[64];\nint main(void){{char *a = mem_malloc(100); mem_malloc(1); mem_free(a); {call}; return 0;}}")
    result = run(compiled(source, "-w"))
    assert result.returncode == -6 and reason in result.stderr and result.stderr.count("\n") == 1


def test_statistics_add_up(compiled, tmp_path):
    source = inline(tmp_path, r"""
        #include <stdlib.h>
        #include <string.h>
        #include <textbook/mem.h>
        int main(void)
        {
            static void *blocks[500];
            struct mem_stats stats;
            srand(7);
            for (int i = 0; i < 50000; i++) {
                void **at = &blocks[rand() % 500];
                size_t size = rand() % 300 == 0 ? 200000 : (size_t)(rand() % 3000);
                if (rand() % 3 == 0) { mem_free(*at); *at = 0; }
                else if ((*at = mem_realloc(*at, size))) memset(*at, 1, size);
                mem_get_stats(&stats);
                if (stats.allocated_bytes - stats.freed_bytes != stats.in_use_bytes) return 1;
                if (stats.in_use_bytes > stats.held_bytes) return 2;
            }
            for (int i = 0; i < 500; i++) mem_free(blocks[i]);
            mem_get_stats(&stats);
            if (stats.in_use_bytes || stats.allocations != stats.frees) return 3;
            mem_reset();
            mem_get_stats(&stats);
            static const struct mem_stats none;
            return memcmp(&stats, &none, sizeof none) ? 4 : 0;
        }""")
    program = compiled(source)
    for policy in ("first-fit", "best-fit-address", "segregated", "buddy", "bump"):
        assert run(program, policy=policy).returncode == 0, policy


def test_the_example_of_malloc_name(compiled, build):
    program = compiled(FOLDER / "examples/malloc_name.c", library=False)
    assert run(program).returncode == 0
    for policy in ("best-fit", "segregated", "buddy", "bump"):
        result = run(program, preload=build / f"lib/heaptape/lib{policy}.so", picture="text", leaks="sites")
        assert result.returncode == 0
        for line in (r" used  title, never freed\n", r" used  list\n", r"textbook:   a block called list\n"):
            assert re.search(line, result.stderr), (policy, line)
        assert "scratch" not in result.stderr


def test_many_names(build, include, tmp_path):
    source = inline(tmp_path, r"""
        #include <stdio.h>
        #include <stdlib.h>
        #include <textbook/malloc_name.h>
        int main(void)
        {
            static char *blocks[3000];
            char name[64];
            for (int round = 0; round < 20; round++)
                for (int i = 0; i < 3000; i++) {
                    free(blocks[i]);
                    snprintf(name, sizeof name, "block %d", i);
                    blocks[i] = malloc_name((size_t)(rand() % 500), name);
                    if (i % 3 == 0) blocks[i] = realloc(blocks[i], 200000);
                }
            for (int i = 0; i < 3000; i++)
                if (i % 100 != 7) free(blocks[i]);
            malloc_rename(blocks[7], "a < b & a name that is too long");
            malloc_rename(blocks[107], "");
            return 0;
        }""")
    subprocess.run(["cc", "-O1", f"-I{include}", "-o", tmp_path / "p", source], check=True)
    library = build / "lib/heaptape/libfirst-fit.so"
    text = run(tmp_path / "p", preload=library, picture="text").stderr
    assert re.findall("used  (.*)", text).count("a < b & a name that is ") == 1
    assert sorted(re.findall(r"used  block (\d+)", text), key=int) == [str(i) for i in range(207, 3000, 100)]
    svg = run(tmp_path / "p", preload=library, picture="svg").stderr
    assert "a &lt; b &amp; a name that is </title>" in svg
    assert "and 9 more with names\n" in run(tmp_path / "p", preload=library, leaks="1").stderr


def test_the_headers_are_cxx_too(compiled, tmp_path):
    path = tmp_path / "p.cc"
    path.write_text("#include <textbook/mem.h>\n#include <textbook/os_alloc.h>\n#include <textbook/malloc_name.h>\n"
                    "int main() { mem_free(os_malloc(10)); return malloc_name ? 1 : 0; }\n")
    assert run(compiled(path, compiler="g++")).returncode == 0
