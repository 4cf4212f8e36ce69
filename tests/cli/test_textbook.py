"""The textbook allocators through the front door: found by name, sound on real tapes and programs, their switches."""

import json
import os
import re
import subprocess

import pytest

from conftest import ROOT
from driver_help import make_tape, one_line, results_of

POLICIES = ["first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit",
            "best-fit-address", "worst-fit", "segregated", "buddy", "bump"]
TAPES = sorted((ROOT / "traces/corpus").glob("*.tape"))
PYTHON = "/usr/bin/python3"


def run_on(build, library, *command, **switches):
    """A program with the library preloaded by hand."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TEXTBOOK_")}
    env |= {f"TEXTBOOK_{name.upper()}": value for name, value in switches.items()}
    env["LD_PRELOAD"] = str(build / "lib/heaptape" / library)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


@pytest.mark.parametrize("switch, word", [({"leaks": "1"}, "not freed at exit"), ({"picture": "text"}, "blocks used")])
def test_programs_that_close_stderr_before_their_end(build, switch, word):
    """As ls, cat and all of coreutils do."""
    assert word in run_on(build, "libbuddy.so", "ls", "/", **switch).stderr


# ---- by name ---------------------------------------------------------------------------------------------------


def test_the_names_are_the_same_everywhere():
    """The makefile reads them from options.h; the driver and the tests have lists of their own."""
    names = re.findall(r'X\("([a-z-]+)"', (ROOT / "allocator/textbook/options.h").read_text())
    assert names == POLICIES
    assert re.findall(r'TEXTBOOK\("([a-z-]+)"', (ROOT / "replayer/driver/allocators.c").read_text()) == POLICIES


def test_they_are_listed_and_run_nowhere_unasked(heaptape, tmp_path):
    listed = [a["name"] for a in json.loads(heaptape("allocators", "--format=json").stdout)["allocators"]]
    assert [name for name in listed if name in POLICIES] == POLICIES and listed[-1] == "null"
    tape = make_tape(tmp_path / "t.tape", events=2000)
    assert heaptape("bench", tape, "-n", 1, "--latency-rounds=0", "-o", tmp_path / "r").returncode == 0
    assert not {a["name"] for a in results_of(tmp_path / "r")["allocators"]} & set(POLICIES)


def test_textbook_names_them_all(heaptape, tmp_path):
    tape = make_tape(tmp_path / "t.tape", events=2000)
    result = heaptape("bench", tape, "-n", 1, "--latency-rounds=0", "-a", "textbook", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    rows = results_of(tmp_path / "r")["summary"]
    assert {row["allocator"] for row in rows} == {"libc", "null", *POLICIES}
    assert all(row["status"] == "ok" for row in rows)


def test_textbook_is_no_single_allocator(heaptape, tmp_path):
    tape = make_tape(tmp_path / "t.tape", events=100)
    for command in (["run", "-a", "textbook", "--", "true"], ["replay", tape, "-a", "textbook"],
                    ["allocators", "-a", "mine=textbook"]):
        result = heaptape(*command)
        one_line(result.stderr, command[0])
        assert result.returncode == 2


def test_with_variables(heaptape):
    found = json.loads(heaptape("allocators", "-a", "textbook,TEXTBOOK_SOURCE=mmap", "-a",
                                "tight=best-fit,TEXTBOOK_MIN_SPLIT=64", "--format=json").stdout)["allocators"]
    found = {a["name"]: a["environment"] for a in found}
    assert found["tight"] == ["TEXTBOOK_MIN_SPLIT=64"]
    assert all(found[f"{name}+TEXTBOOK_SOURCE"] == ["TEXTBOOK_SOURCE=mmap"] for name in POLICIES)


# ---- sound on every bundled tape -----------------------------------------------------------------------------------


# Worst fit shatters the heap, and then looks at every piece for each call: a minute on this tape.
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("tape", TAPES, ids=lambda p: p.stem)
def test_verified(heaptape, policy, tape):
    if policy == "worst-fit" and tape.stem == "python" and not os.environ.get("SLOW"):
        pytest.skip("takes a minute; SLOW=1 runs it")
    result = heaptape("replay", "--verify", tape, "-a", policy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("switch", ["COALESCE=deferred", "SOURCE=mmap", "LEAKS=sites", "SCRIBBLE=1", "SET_ASIDE=128k", "GROWTH=4k",
                                    "MIN_SPLIT=128", "MMAP_THRESHOLD=4k", "MMAP_THRESHOLD=1G"])
@pytest.mark.parametrize("policy", ["first-fit", "next-fit", "best-fit", "worst-fit", "segregated", "buddy", "bump"])
def test_verified_with_switches(heaptape, policy, switch):
    for tape in ("jq", "indexer"):
        result = heaptape("replay", "--verify", ROOT / f"traces/corpus/{tape}.tape", "-a", f"{policy},TEXTBOOK_{switch}")
        assert result.returncode == 0, result.stdout + result.stderr


# ---- programs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_preloaded_by_hand(build, policy):
    result = run_on(build, f"lib{policy}.so", PYTHON, "-c",
                    "import subprocess, json; print(len(json.dumps(list(range(30000)))));"
                    "print(subprocess.check_output(['sort', '-u'], input=b'b\\na\\n'))")
    assert (result.stdout, result.stderr, result.returncode) == ("198890\nb'a\\nb\\n'\n", "", 0)


def test_threads_and_forks(build):
    script = ("import threading, os\n"
              "def work():\n"
              "    for i in range(300): x = [bytes(600 + j) for j in range(50)]\n"
              "threads = [threading.Thread(target=work) for _ in range(4)]\n"
              "[t.start() for t in threads]\n"
              "for i in range(30):\n"
              "    child = os.fork()\n"
              "    if child == 0:\n"
              "        x = [bytes(1000) for _ in range(100)]\n"
              "        os._exit(7)\n"
              "    assert os.waitpid(child, 0)[1] == 7 << 8\n"
              "[t.join() for t in threads]\n"
              "print('done')\n")
    for policy in ("first-fit", "segregated", "buddy", "bump"):
        result = run_on(build, f"lib{policy}.so", PYTHON, "-c", script)
        assert (result.stdout, result.stderr) == ("done\n", ""), policy


# ---- switches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, value, word", [
    ("POLICY", "worst", "worst-fit"), ("ORDER", "random", "address"), ("COALESCE", "", "deferred"),
    ("SOURCE", "sbrk", "mmap"), ("GROWTH", "1k", "4k"), ("GROWTH", "64kB", "size"), ("SET_ASIDE", "-1", "size"),
    ("MMAP_THRESHOLD", "9999999999999999999", "size"), ("MIN_SPLIT", "16", "32"), ("SCRIBBLE", "yes", "0 or 1"),
    ("LEAKS", "2", "sites"), ("PICTURE", "png", "svg"), ("PICTURE_AT", "HUP", "USR1"), ("ODER", "lifo", "ORDER")])
def test_a_wrong_switch_is_told(build, name, value, word):
    result = run_on(build, "libtextbook.so", "/bin/true", **{name: value})
    assert result.returncode == 2 and result.stdout == ""
    assert re.fullmatch(f"textbook: TEXTBOOK_{name}={re.escape(value)}: .*{word}.*\n", result.stderr)


def test_a_library_of_one_policy_keeps_it(build):
    result = run_on(build, "libbest-fit.so", "/bin/true", policy="buddy")
    assert result.returncode == 2 and "libtextbook.so" in result.stderr
    assert run_on(build, "libbest-fit.so", "/bin/true", policy="best-fit").returncode == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_by_variable(build, policy):
    result = run_on(build, "libtextbook.so", "/bin/true", policy=policy, picture="text")
    assert result.returncode == 0 and result.stderr.startswith(f"{policy}: ")


# ---- leaks and pictures ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Takes five blocks, frees two, and tells which."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "p.c").write_text("""
        #include <signal.h>
        #include <stdlib.h>
        int main(int argc, char **argv)
        {
            char *volatile blocks[5];
            for (int i = 0; i < 5; i++)
                blocks[i] = malloc(100 * (i + 1));
            free(blocks[1]);
            free(blocks[3]);
            if (argc > 1) {
                raise(SIGUSR1);
                blocks[3] = malloc(400);
                raise(SIGUSR1);
            }
            return argc - 1;
        }""")
    subprocess.run(["cc", "-O1", "-o", folder / "p", folder / "p.c"], check=True)
    return str(folder / "p")


def test_leaks_are_counted(build, program):
    result = run_on(build, "libfirst-fit.so", program, leaks="1")
    # 100, 300 and 500 bytes: blocks of 128, 320 and 528 with 16 bytes of tags each
    assert result.stderr == "textbook: 3 blocks of 928 bytes not freed at exit\n"
    assert run_on(build, "libfirst-fit.so", "/bin/true", leaks="1").stderr.endswith(" not freed at exit\n")


@pytest.mark.parametrize("policy", POLICIES)
def test_leaks_by_site(build, tmp_path, policy):
    (tmp_path / "p.c").write_text("""
        #include <malloc.h>
        #include <stdlib.h>
        __attribute__((noinline)) void *two(void) { char *volatile p = malloc(100); *p = 1; return p; }
        __attribute__((noinline)) void *one(void) { char *volatile p = memalign(512, 5000); *p = 1; return p; }
        __attribute__((noinline)) void *grown(void) { char *volatile p = realloc(calloc(1, 10), 300000); *p = 1; return p; }
        __attribute__((noinline)) void *none(void) { char *volatile p = malloc(700); free(p); return 0; }
        int main(void)
        {
            two(); one(); two(); grown(); none();
            return 0;
        }""")
    subprocess.run(["cc", "-O1", "-rdynamic", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    result = run_on(build, f"lib{policy}.so", str(tmp_path / "p"), leaks="sites")
    lines = result.stderr.splitlines()
    assert re.fullmatch(r"textbook: 4 blocks of \d+ bytes not freed at exit", lines[0])
    found = [re.fullmatch(r"textbook:   (\d) blocks? of (\d+) bytes from (\w+) in (.*)\+0x([0-9a-f]+)", line) for line in lines[1:]]
    assert [(int(m[1]), m[3], m[4]) for m in found] == [(1, "grown", str(tmp_path / "p")), (1, "one", str(tmp_path / "p")),
                                                       (2, "two", str(tmp_path / "p"))]
    assert sum(int(m[2]) for m in found) == int(lines[0].split()[4])
    assert int(found[2][2]) >= 200 and int(found[1][2]) >= 5000


def test_a_picture_at_exit(build, program):
    text = run_on(build, "libfirst-fit.so", program, picture="text").stderr
    text = re.sub("0x[0-9a-f]+", "ADDRESS", text)
    assert text == ("first-fit: 1 region, 65536 bytes held, 3 blocks used, 3 free\n"
                    "region 1: 65536 bytes from brk at ADDRESS\n"
                    "        40         128  used\n"
                    "       168         224  free\n"
                    "       392         320  used\n"
                    "       712         416  free\n"
                    "      1128         528  used\n"
                    "      1656       63872  free\n"
                    "free list: 1+712 (416) 1+168 (224) 1+1656 (63872)\n")


def test_a_picture_at_a_signal(build, program, tmp_path):
    result = run_on(build, "libfirst-fit.so", program, "signal", picture="text", picture_at="USR1")
    assert result.returncode == 1
    headings = [line for line in result.stderr.splitlines() if line.startswith("first-fit")]
    assert headings == ["first-fit: 1 region, 65536 bytes held, 3 blocks used, 3 free",
                        "first-fit: 1 region, 65536 bytes held, 4 blocks used, 2 free"]
    result = run_on(build, "libfirst-fit.so", program, "signal", picture="text", picture_at="USR1",
                    picture_file=f"{tmp_path}/heap.%p.txt")
    (picture,) = tmp_path.glob("heap.*.txt")
    assert result.stderr == "" and "4 blocks used, 2 free" in picture.read_text()


def test_a_picture_that_the_program_asks_for(build, tmp_path):
    (tmp_path / "p.c").write_text("""
        #include <stdlib.h>
        #include "allocator/textbook/textbook.h"
        #pragma weak textbook_picture
        #pragma weak textbook_stats
        int main(void)
        {
            struct textbook_stats stats;
            if (!textbook_picture) return 3;
            char *volatile block = malloc(100);
            textbook_picture(1, 0);
            free(block);
            textbook_picture(1, 0);
            textbook_stats(&stats);
            return stats.allocations == 1 && stats.frees == 1 && stats.splits == 1 ? 0 : 4;
        }""")
    subprocess.run(["cc", "-I", ROOT, "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    result = run_on(build, "libbest-fit.so", str(tmp_path / "p"))
    assert result.returncode == 0
    assert [line for line in result.stdout.splitlines() if "held" in line] == [
        "best-fit: 1 region, 65536 bytes held, 1 block used, 1 free",
        "best-fit: 1 region, 65536 bytes held, 0 blocks used, 1 free"]
    assert subprocess.run([tmp_path / "p"]).returncode == 3


def test_a_picture_that_cannot_be_written(build, program):
    result = run_on(build, "libfirst-fit.so", program, picture="svg", picture_file="/no/such/folder/x.svg")
    assert result.returncode == 0
    assert result.stderr == "textbook: /no/such/folder/x.svg: cannot be written; give another TEXTBOOK_PICTURE_FILE\n"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_picture_as_svg(build, program, tmp_path, policy):
    import xml.etree.ElementTree as tree

    path = tmp_path / "heap.svg"
    run_on(build, f"lib{policy}.so", program, picture="svg", picture_file=str(path))
    root = tree.parse(path).getroot()
    rectangles = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("class")]
    assert {r.get("class") for r in rectangles} == {"used", "free"}
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("region 1: ") for text in texts)
    assert any(text.startswith("free list") for text in texts) == (policy != "bump")
    assert all(float(text.get("y")) <= float(root.get("height")) for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert all(0 < float(r.get("width")) <= 1024 and float(r.get("y")) < float(root.get("height")) for r in rectangles)


# ---- the build for one thread ------------------------------------------------------------------------------------------


def test_the_build_for_one_thread(build):
    assert run_on(build, "libtextbook-single.so", PYTHON, "-c", "print(len(str(2**9999)))").stdout == "3010\n"


def test_the_build_for_one_thread_notices_two(build, tmp_path):
    (tmp_path / "p.c").write_text("""
        #include <pthread.h>
        #include <stdlib.h>
        static void *churn(void *x)
        {
            for (int i = 0; i < 20000000; i++) { void *volatile p = malloc(50); free(p); }
            return x;
        }
        int main(void)
        {
            pthread_t threads[3];
            for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, churn, 0);
            for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
            return 0;
        }""")
    subprocess.run(["cc", "-O1", "-pthread", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    result = run_on(build, "libtextbook-single.so", str(tmp_path / "p"))
    assert "two calls at once; this build is for one thread" in result.stderr
    assert result.returncode != 0
