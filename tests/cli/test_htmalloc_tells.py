"""What htmalloc tells of itself: options and their mistakes, statistics on exit, on malloc_stats and in a file, and
that it never asks for huge pages unless an option says so."""

import json
import os
import re
import subprocess

import pytest


@pytest.fixture(scope="session")
def library(build):
    return build / "lib" / "heaptape" / "libhtmalloc.so"


def run(library, options, *command, **more):
    environment = dict(os.environ, LD_PRELOAD=str(library), LC_ALL="C")
    environment.pop("HTMALLOC_OPTIONS", None)
    if options is not None:
        environment["HTMALLOC_OPTIONS"] = options
    return subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, text=True, timeout=60, check=False, **more
    )


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled("name", C source): the program."""
    folder = tmp_path_factory.mktemp("programs")

    def build_it(name, source, *flags):
        program = folder / name
        command = ["cc", "-x", "c", "-D_GNU_SOURCE", "-O1", "-fno-builtin", "-", "-o", str(program), "-pthread", *flags]
        subprocess.run(command, input=source, text=True, check=True)
        return program

    return build_it


def statistics(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


PARTS = ("live", "internal", "free_in_runs", "uncarved", "cached", "dirty", "huge_kept", "metadata", "clean")


def check_sums(one):
    assert sum(one[part + "_bytes"] for part in PARTS) == one["mapped_bytes"]
    for row in one["classes"]:
        assert row["live_blocks"] + row["free_blocks"] == row["carved_blocks"] <= row["capacity_blocks"]
    free = sum(row["free_blocks"] * row["block_bytes"] for row in one["classes"])
    assert free == one["free_in_runs_bytes"]
    assert sum(row["runs"] for row in one["threads"]) == sum(row["runs"] for row in one["classes"]) == one["runs"]


# ---- options ---------------------------------------------------------------------------------------------------


def test_help_names_each_option_with_default_range_and_meaning(library, root):
    told = run(library, "help", "echo", "goes on")
    assert (told.returncode, told.stdout) == (0, "goes on\n")
    lines = told.stderr.splitlines()
    source = (root / "allocator/htmalloc/options.h").read_text()
    names = re.findall(r"^    X\((\w+),", source, re.M)
    assert len(names) >= 5
    for name in [*names, "stats_file"]:
        line = next(line for line in lines if line.startswith(f"  {name} "))
        assert re.match(r"  \w+ +(\d+[kMG]?|none) +(\d+[kMG]? (to \d+[kMG]?|or more)|a path) +\w.*\w{3}", line), line
    assert len(lines) == len(names) + 3
    assert re.search(r"^  dirty_min +256k +0 or more +free", told.stderr, re.M)


@pytest.mark.parametrize(
    "wrong, why",
    [
        ("nosuch=1", "no such option"),
        ("words", "not of the form NAME=VALUE"),
        ("dirty_min=lots", "must be a number, 0 or more"),
        ("dirty_min=", "must be a number, 0 or more"),
        ("dirty_min=-1", "must be a number, 0 or more"),
        ("dirty_min=1kk", "must be a number, 0 or more"),
        ("dirty_min=99999999999999999999", "must be a number, 0 or more"),
        ("dirty_min=20000000000G", "must be a number, 0 or more"),
        ("dirty_share=0", "must be a number, 1 to 1k"),
        ("stats=2", "must be a number, 0 to 1"),
        ("dirty_mi=1", "no such option"),
        ("stats_file=", "must be a path of 1 to 255 bytes"),
        ("stats_file=" + "x" * 256, "must be a path of 1 to 255 bytes"),
        ("=1", "no such option"),
    ],
)
def test_a_wrong_option_is_one_line_and_the_program_goes_on(library, wrong, why):
    told = run(library, f"dirty_max=1M,{wrong},dirty_share=4", "echo", "goes on")
    assert (told.returncode, told.stdout) == (0, "goes on\n")
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"htmalloc: HTMALLOC_OPTIONS: {wrong[:40]}") and f": {why}; ignored; " in line


def test_right_options_say_nothing(library):
    assert run(library, "dirty_min=64k,dirty_share=1,dirty_max=1G,,huge_pages=1,stats=0", "true").stderr == ""
    assert run(library, "", "true").stderr == ""


# ---- statistics ------------------------------------------------------------------------------------------------


def test_statistics_on_exit(library):
    told = run(library, "stats=1", "ls", "/")  # ls closes its stderr before it ends
    assert told.returncode == 0 and "bin" in told.stdout
    values = {name: int(value) for name, value in re.findall(r"^  (\w+) +(\d+)  \w", told.stderr, re.M)}
    assert sum(values[part] for part in PARTS) == values["mapped"]
    assert re.search(r"^ +(\d+ +){5}\d+$", told.stderr, re.M)


TELL = r"""
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <pthread.h>
static void *use(void *unused) { free(malloc(40)); return unused; }
int main(int argc, char **argv)
{
    static void *blocks[1000];
    for (int i = 0; i < 1000; i++)
        blocks[i] = memset(malloc(100), 1, 100);
    if (argc > 2)
        for (int i = 0; i < 1000; i++)
            blocks[i] = memset(malloc(101), 1, 101);
    void *huge = malloc(5 << 20);
    pthread_t thread;
    pthread_create(&thread, NULL, use, NULL);
    pthread_join(thread, NULL);
    const char *how = argv[1];
    if (strcmp(how, "malloc_stats") == 0)
        malloc_stats();
    else if (strcmp(how, "malloc_info") == 0)
        malloc_info(0, stdout);
    else if (strcmp(how, "mallinfo2") == 0) {
        struct mallinfo2 info = mallinfo2();
        printf("%zu %zu %zu %zu %zu\n", info.arena, info.uordblks, info.fordblks, info.hblks, info.hblkhd);
    } else if (strcmp(how, "_exit") == 0)
        _exit(7);
    else if (strcmp(how, "quick_exit") == 0)
        quick_exit(7);
    else if (strcmp(how, "fork") == 0) {
        if (fork() == 0) {
            for (int i = 0; i < 500; i++)
                free(blocks[i]);
            _exit(0);
        }
        wait(NULL);
    } else if (strcmp(how, "vfork") == 0) {
        if (vfork() == 0)
            _exit(0);
        wait(NULL);
    }
    for (int i = 0; i < 1000; i++)
        if (huge == NULL || blocks[i] == NULL)
            return 1;
    return 0;
}
"""


@pytest.fixture(scope="session")
def tell(compiled):
    return compiled("tell", TELL)


def test_on_malloc_stats(library, tell):
    told = run(library, None, tell, "malloc_stats")
    assert told.returncode == 0
    row = re.search(r"^ +112 +\d+ +(\d+) +(\d+) +(\d+)", told.stderr, re.M)
    assert int(row[1]) >= 1000 and int(row[1]) + int(row[2]) == int(row[3])


def test_on_malloc_info(library, tell):
    told = run(library, None, tell, "malloc_info").stdout
    from xml.etree import ElementTree

    tree = ElementTree.fromstring(told)
    values = {child.tag: int(child.text) for child in tree if child.text and child.text.strip()}
    assert sum(values[part] for part in PARTS) == values["mapped"]
    assert values["huge"] >= 5 << 20 and values["huge_blocks"] == 1
    (size,) = [one for one in tree.find("sizes") if one.get("bytes") == "112"]
    assert int(size.get("live")) >= 1000
    assert int(tree.find("system").get("size")) == values["mapped"] - values["clean"]


def test_on_mallinfo2(library, tell):
    arena, used, free, huge_blocks, huge = map(int, run(library, None, tell, "mallinfo2").stdout.split())
    assert arena == used + free and used >= 112_000 and huge_blocks == 1 and 5 << 20 <= huge <= 6 << 20


def test_a_line_of_json_at_exit(library, tell, tmp_path):
    path = tmp_path / "stats"
    assert run(library, f"stats_file={path}", tell, "return").stderr == ""
    (one,) = statistics(path)
    check_sums(one)
    assert one["schema_version"] == 1 and one["program"] == "tell" and one["library"].startswith("htmalloc")
    (row,) = [row for row in one["classes"] if row["block_bytes"] == 112]
    assert row["live_blocks"] >= 1000
    assert one["huge_bytes"] >= 5 << 20
    assert [thread["running"] for thread in one["threads"]] == [1, 0]


@pytest.mark.parametrize("how", ["_exit", "quick_exit"])
def test_also_when_the_program_ends_by__exit(library, tell, tmp_path, how):
    path = tmp_path / "stats"
    assert run(library, f"stats_file={path}", tell, how).returncode == 7
    (one,) = statistics(path)
    assert one["huge_blocks"] == 1


def test_children_of_fork_tell_their_own(library, tell, tmp_path):
    path = tmp_path / "stats"
    run(library, f"stats_file={path}", tell, "fork")
    child, parent = statistics(path)
    assert child["parent_pid"] == parent["pid"]
    live = [next(row["live_blocks"] for row in one["classes"] if row["block_bytes"] == 112) for one in (child, parent)]
    assert live[1] - live[0] == 500
    check_sums(child)


def test_children_of_vfork_have_none(library, tell, tmp_path):
    path = tmp_path / "stats"
    run(library, f"stats_file={path}", tell, "vfork")
    (one,) = statistics(path)
    assert one["program"] == "tell"


def test_a_file_for_each_process(library, tmp_path):
    run(library, f"stats_file={tmp_path}/%p.json", "sh", "-c", "(true; exit 0); ls / > /dev/null")
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    for path in files:
        (one,) = statistics(path)
        assert path.name == f"{one['pid']}.json"
        check_sums(one)


def test_a_file_that_cannot_be_written(library, tmp_path):
    told = run(library, f"stats_file={tmp_path}/no/where", "echo", "goes on")
    assert (told.returncode, told.stdout) == (0, "goes on\n")
    assert told.stderr == f"htmalloc: stats_file: cannot write {tmp_path}/no/where: No such file or directory\n"


def test_words_are_safe_in_json(library, tmp_path):
    name = tmp_path / 'a"b\\c\n'
    name.symlink_to("/bin/true")
    run(library, f"stats_file={tmp_path}/stats", name)
    (one,) = statistics(tmp_path / "stats")
    assert one["program"] == "a?b?c?"


def test_the_hardened_build_knows_what_is_lost_inside_blocks(library, tell, tmp_path):
    """A thousand blocks of 101 bytes more: exactly so many bytes more live, the rest of each block internal."""
    told = []
    for more in ((), ("more",)):
        path = tmp_path / f"stats{len(more)}"
        run(library.with_name("libhtmalloc-hard.so"), f"stats_file={path}", tell, "return", *more)
        told += statistics(path)
    for one in told:
        assert sum(one[part + "_bytes"] for part in PARTS) == one["mapped_bytes"]
    assert told[1]["live_bytes"] - told[0]["live_bytes"] == 101_000
    assert told[1]["live_blocks"] - told[0]["live_blocks"] == 1000
    assert told[1]["internal_bytes"] - told[0]["internal_bytes"] >= 11_000  # blocks of 112 bytes


# ---- huge pages ------------------------------------------------------------------------------------------------

FILL = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static char *blocks[60000];
    static const size_t sizes[] = {60, 1000, 5000, 40000, 600000};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 60000; i++) {
            size_t size = sizes[i % 1000 == 0 ? 4 : i % 100 == 0 ? 3 : i % 10 == 0 ? 2 : i % 2];
            blocks[i] = memset(malloc(size), 1, size);
        }
        char *huge = NULL;
        for (size_t size = 1 << 20; size <= 48 << 20; size += 3 << 20) {
            huge = realloc(huge, size);
            memset(huge, 1, size);
        }
        if (round == 1)
            break;
        free(huge);
        for (int i = 0; i < 60000; i++)
            free(blocks[i]);
    }
    char line[4096];
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof line, maps))
        if (!strncmp(line, "AnonHugePages:", 14) || !strncmp(line, "VmFlags:", 8) || !strncmp(line, "Size:", 5))
            fputs(line, stdout);
    return 0;
}
"""


def huge_pages(library, compiled, options):
    """Bytes of huge pages, and the advice flags of every mapping above 1 MiB that can be written."""
    told = run(library, options, compiled("fill", FILL))
    assert told.returncode == 0, told.stderr
    huge = sum(int(kib) for kib in re.findall(r"AnonHugePages: +(\d+)", told.stdout)) * 1024
    flags = []
    for size, text in re.findall(r"Size: +(\d+) kB\n(?:AnonHugePages:.*\n)?VmFlags: (.*)", told.stdout):
        words = text.split()
        if int(size) > 1024 and "wr" in words and "gd" not in words and "nr" in words:
            flags.append({"hg": "asked", "nh": "refused"}.get(next((w for w in words if w in ("hg", "nh")), ""), "none"))
    return huge, flags


def test_no_huge_pages_by_surprise(library, compiled):
    with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
        if "[never]" in file.read():
            pytest.skip("this system has no huge pages to give")
    huge, flags = huge_pages(library, compiled, None)
    assert len(flags) >= 2
    assert huge == 0 and set(flags) == {"refused"}  # not even where the system is set to give them to everybody
    _, flags = huge_pages(library, compiled, "huge_pages=2")
    assert "asked" in flags  # the test can see what it looks for
    _, flags = huge_pages(library, compiled, "huge_pages=1")
    assert "none" in flags and "asked" not in flags
