"""heaptape stats: what a program's heap did, counted inside it, on any allocator, whatever way it ends."""

import json
import os
import signal
import subprocess
import time

import pytest

from conftest import ROOT
from driver_help import one_line

PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *work(void *unused)
{
    char *blocks[1000];
    for (int i = 0; i < 1000; i++)
        memset(blocks[i] = malloc(4000), 1, 4000);
    for (int i = 0; i < 1000; i++)
        free(blocks[i]);
    return unused;
}
int main(int count, char **words)
{
    char *volatile kept, *blocks[100];
    pthread_t threads[4];
    char way = count > 1 ? words[1][0] : 0;
    for (int i = 0; i < 100; i++)
        blocks[i] = malloc(1 << 20);
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    if (way == 'n')
        return 0;
    if (way == 't') {
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, work, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    kept = malloc(1000);
    memset(kept, 1, 1000);
    if (way == 'e')
        _exit(3);
    if (way == 'k')
        raise(SIGKILL);
    if (way == 'a')
        abort();
    if (way == 'f' && fork() == 0) {
        free(kept);
        for (int i = 0; i < 300; i++)
            free(malloc(2000000));
        _exit(0);
    }
    if (way == 's')
        for (;;)
            sleep(1);
    if (way == 'm')
        for (;;)
            memset(malloc(1 << 20), 1, 1 << 20);
    if (way == 'f')
        wait(NULL);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stats")
    subprocess.run(["cc", "-O1", "-fno-builtin", "-w", "-pthread", "-x", "c", "-", "-o", folder / "p"], input=PROGRAM, text=True,
                   check=True)
    return folder / "p"


def stats(heaptape, *command, status=0):
    result = heaptape("stats", "--format=json", *command)
    assert result.returncode == status, result.stderr
    return json.loads(result.stderr)


@pytest.mark.parametrize("way, status, allocations", [("n", 0, 100), ("x", 0, 101), ("e", 3, 101), ("k", 137, 101), ("a", 134, 101),
                                                      ("t", 0, 4101)])
def test_libc_to_the_call(heaptape, program, way, status, allocations):
    found = stats(heaptape, "--", program, way, status=status)
    threads = 4 if way == "t" else 0
    assert found["heap_size_is"] == "exact"
    assert found["allocations"] == allocations + threads  # pthread_create makes a block for each
    assert found["frees"] == (4100 if way == "t" else 100)
    assert found["live_at_end_blocks"] == allocations + threads - found["frees"]
    assert found["block_mappings"] == 100
    assert 100 << 20 < found["largest_heap_bytes"] < 102 << 20
    if way == "n":  # up and down in steps of one block
        assert found["mean_heap_bytes"] == pytest.approx(50 * (1 << 20), rel=0.02)
    assert found["processes"][0]["exit_handlers_ran"] == (way in "nxt")


def test_libcs_first_stretch_of_heap_counts(heaptape, tmp_path):
    source = "#include <stdlib.h>\nint main(void){char*volatile p=malloc(100);free(p);return 0;}"
    subprocess.run(["cc", "-O1", "-fno-builtin", "-x", "c", "-", "-o", tmp_path / "p"], input=source, text=True, check=True)
    found = stats(heaptape, "--", tmp_path / "p")
    assert found["largest_heap_bytes"] == found["mean_heap_bytes"] == 132 << 10 and found["break_moves"] == 1


def test_the_arenas_of_threads_are_in_libcs_heap(heaptape, program, tmp_path):
    (tmp_path / "p.c").write_text(PROGRAM.replace("1 << 20);\n    for", "1 << 4);\n    for"))
    subprocess.run(["cc", "-O1", "-fno-builtin", "-w", "-pthread", tmp_path / "p.c", "-o", tmp_path / "p"], check=True)
    found = stats(heaptape, "--", tmp_path / "p", "t")
    assert found["largest_heap_bytes"] > 4_000_000  # of one thread, at least


@pytest.mark.parametrize("allocator", ["first-fit", "segregated", "buddy"])
def test_textbook_tells_splits_and_coalesces(heaptape, program, allocator):
    found = stats(heaptape, "-a", allocator, "--", program, "t")
    assert found["heap_size_is"] == "exact" and found["allocator"] == allocator
    assert found["splits"] > 1000 and found["coalesces"] > 1000 and found["allocations"] == 4105
    assert 100 << 20 < found["largest_heap_bytes"] < 122 << 20


@pytest.mark.parametrize("allocator", ["htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc"])
def test_others_are_sampled(heaptape, program, allocator):
    found = stats(heaptape, "-a", allocator, "--", program, "t")
    assert found["heap_size_is"] == "sampled" and found["splits"] is None
    assert abs(found["allocations"] - 4105) <= 8 and found["frees"] >= 4100
    assert 100 << 20 < found["largest_heap_bytes"] < 400 << 20


def test_a_forked_child_is_counted_by_itself(heaptape, program):
    found = stats(heaptape, "--", program, "f")
    parent, child = found["processes"]
    assert not parent["forked"] and child["forked"] and child["parent"] == parent["pid"]
    assert (parent["allocations"], parent["live_at_end_blocks"]) == (101, 1)
    assert (child["allocations"], child["frees"], child["live_at_end_blocks"]) == (300, 301, 0)
    assert found["allocations"] == 401 and found["live_at_end_blocks"] == 1


def test_after_exec_it_is_another_program(heaptape, program):
    found = stats(heaptape, "--", "sh", "-c", f"exec {program} n")
    assert [p["program"] for p in found["processes"]] == ["sh", "p"]
    assert found["live_at_end_blocks"] == 0  # of the last


def test_cxx_operators_of_allocators_that_have_their_own(heaptape, tmp_path):
    source = """
        #include <new>
        #include <vector>
        int main(int argc, char **)
        {
            std::vector<int *> all;
            all.reserve(2000);
            for (int i = 0; i < 1000; i++) all.push_back(new int[25]);
            for (int *one : all) delete[] one;
            if (argc == 1) return 0;
            try { (void)*(new char *[1ul << 59]); } catch (const std::bad_alloc &) { return 7; }
            return 1;
        }"""
    subprocess.run(["g++", "-O0", "-w", "-x", "c++", "-", "-o", tmp_path / "p"], input=source, text=True, check=True)
    for allocator in ("libc", "jemalloc", "mimalloc", "htmalloc", "best-fit"):
        found = stats(heaptape, "-a", allocator, "--", tmp_path / "p")
        assert 1001 <= found["allocations"] <= 1010 and 1001 <= found["frees"] <= 1010, allocator
    for allocator in ("libc", "jemalloc", "htmalloc", "best-fit"):  # the exception passes; mimalloc's is C and aborts
        stats(heaptape, "-a", allocator, "--", tmp_path / "p", "throw", status=7)


def test_lines_for_scripts(heaptape, program, tmp_path):
    out = tmp_path / "figures"
    result = heaptape("stats", f"--evaluate={out}", "-a", "best-fit", "--", program, "e")
    assert result.returncode == 3
    lines = dict(line.split("=", 1) for line in out.read_text().splitlines())
    found = stats(heaptape, "-a", "best-fit", "--", program, "e", status=3)
    assert list(lines) == [key for key in found if key not in ("schema_version", "processes")]
    documented = (ROOT / "analysis/METRICS.md").read_text()
    assert [key for key in lines if f"`{key}`" not in documented] == []
    assert lines["status"] == "failed" and lines["exit_status"] == "3" and lines["signal"] == ""
    assert lines["allocations"] == "101" and float(lines["mean_heap_bytes"]) > 40 << 20


def test_limits(heaptape, program):
    began = time.monotonic()
    found = stats(heaptape, "--limit-time=300ms", "--", program, "s", status=124)
    assert found["status"] == "time limit" and time.monotonic() - began < 10
    found = stats(heaptape, "--limit-memory=200M", "--limit-time=60s", "--", program, "m", status=125)
    assert found["status"] == "memory limit" and found["allocations"] > 150
    found = stats(heaptape, "--limit-memory=200M", "--limit-time=60s", "--", "sh", "-c", f"{program} m; true", status=125)
    assert found["status"] == "memory limit"
    assert stats(heaptape, "--limit-memory=1G", "--limit-time=60s", "--", program, "e", status=3)["status"] == "failed"


def test_a_limit_leaves_no_process(heaptape, tmp_path):
    script = f"(sleep 987 & echo $! > {tmp_path}/pid; wait) & wait"
    heaptape("stats", "--limit-time=3s", "--", "sh", "-c", script)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_cannot_be_preloaded_is_unknown_and_not_zero(heaptape, tmp_path):
    built = subprocess.run(["cc", "-static", "-x", "c", "-", "-o", tmp_path / "s"], input="int main(void){return 5;}", text=True,
                           capture_output=True)
    if built.returncode:
        pytest.skip("no static libc here")
    found = stats(heaptape, "--", tmp_path / "s", status=5)
    assert found["allocations"] is None and found["largest_heap_bytes"] is None and found["heap_size_is"] == "unknown"


def test_a_program_with_a_malloc_of_its_own_is_unknown(heaptape, tmp_path):
    source = """
        #include <stddef.h>
        static char pool[1 << 20];
        static size_t used;
        void *malloc(size_t size) { used += (size + 15) & ~(size_t)15; return pool + used - ((size + 15) & ~(size_t)15); }
        void free(void *block) { (void)block; }
        void *calloc(size_t count, size_t size) { return malloc(count * size); }
        int main(void) { char *volatile p = malloc(100); free(p); return 0; }"""
    subprocess.run(["cc", "-O1", "-fno-builtin", "-w", "-x", "c", "-", "-o", tmp_path / "p"], input=source, text=True, check=True)
    found = stats(heaptape, "--", tmp_path / "p")
    assert found["heap_size_is"] == "unknown" and found["allocations"] is None and found["largest_heap_bytes"] is None


def test_a_program_that_closes_all_descriptors(heaptape, tmp_path):
    source = """
        #include <stdlib.h>
        #include <string.h>
        #include <fcntl.h>
        #include <unistd.h>
        int main(void)
        {
            char *volatile block = malloc(100);
            for (int fd = 3; fd < 1024; fd++) close(fd);
            for (int fd = 3; fd < 1000; fd++) if (open("/proc/cpuinfo", O_RDONLY) < 0) return 1;
            for (int i = 0; i < 100; i++) { memset(block = malloc(1 << 20), 1, 1 << 20); }
            return 0;
        }"""
    subprocess.run(["cc", "-O1", "-fno-builtin", "-w", "-x", "c", "-", "-o", tmp_path / "p"], input=source, text=True, check=True)
    for allocator in ("jemalloc", "htmalloc"):
        found = stats(heaptape, "-a", allocator, "--", tmp_path / "p")
        assert 100 << 20 <= found["largest_heap_bytes"] < 300 << 20, allocator


def test_the_first_call_may_come_with_the_locales_lock_held(heaptape, tmp_path):
    """Of a library's constructor, as libp11-kit's: looking up the allocator must not take that lock."""
    (tmp_path / "l.c").write_text("""
        #define _GNU_SOURCE
        #include <locale.h>
        static locale_t mine;
        void touch(void) {}
        __attribute__((constructor)) static void begin(void) { mine = newlocale(LC_ALL_MASK, "POSIX", 0); }
        __attribute__((destructor)) static void end(void) { freelocale(mine); }""")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "libl.so", tmp_path / "l.c"], check=True)
    subprocess.run(["cc", "-w", "-x", "c", "-", "-x", "none", tmp_path / "libl.so", "-o", tmp_path / "p"], text=True, check=True,
                   input="int main(void) { touch(); return 0; }")
    stats(heaptape, "--limit-time=20s", "--", tmp_path / "p")


def test_the_table_and_without_counting(heaptape, program):
    result = heaptape("stats", "-a", "first-fit", "--", program, "f")
    for words in ("largest heap         100.", "mean heap per call", "splits", "not freed: blocks    1\n", " process program"):
        assert words in result.stderr
    found = stats(heaptape, "--no-count", "--", program)
    assert found["allocations"] is None and found["peak_resident_bytes"] > 1 << 20


def test_wrong_options(heaptape):
    for option in ("--limit-time=soon", "--limit-memory=much", "--format=xml"):
        result = heaptape("stats", option, "--", "true")
        assert result.returncode == 2
        one_line(result.stderr, "stats")
    assert heaptape("stats", "--evaluate=/no/such/folder/x", "--", "true").returncode == 4
