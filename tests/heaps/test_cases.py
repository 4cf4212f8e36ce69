#!/usr/bin/python3
"""The numbered cases of the textbook allocators (cases.txt).

  make test run=list        their numbers and names
  make test run='4 8 12'    these three
  make test run=best_fit    those whose name contains a word"""

import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from test_heaps import BUILD, HERE, POLICIES, SCRIPTS, pictures

ROOT = HERE.parent.parent
UNITS = ("textbook_test", "textbook_misuse_test", "textbook_stress_test")


class Case(NamedTuple):
    number: int
    name: str
    kind: str
    words: list[str]


def read_cases() -> list[Case]:
    lines = [line.split() for line in (HERE / "cases.txt").read_text().splitlines() if not line.startswith("#")]
    return [Case(int(number), name, kind, words) for number, name, kind, *words in lines]


CASES = read_cases()


def chosen() -> list[Case]:
    """All, or those whose numbers are in the variable CASES."""
    numbers = [int(word) for word in os.environ.get("CASES", "").split()]
    return [case for case in CASES if case.number in numbers] if numbers else CASES


def run_unit(program: str, function: str) -> None:
    result = subprocess.run([BUILD / "tests" / program, function], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed, 0 failed" in result.stdout


def compare_picture(script: str) -> None:
    path = HERE / "scripts" / f"{script}.txt"
    assert pictures(path) == (HERE / "pictures" / path.name).read_text()


PYTHON = """
import json, re, subprocess, threading
text = json.dumps({str(i): list(range(i % 50)) for i in range(3000)})
print(len(text), len(re.findall('4+', text)), sum(map(len, json.loads(text).values())))
done = []
threads = [threading.Thread(target=lambda: done.append(len(sorted(str(i) for i in range(20000))))) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
print(done, subprocess.check_output(['sort', '-u'], input=b'b\\na\\nb\\n'))
"""
SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
int main(int count, char **words) { qsort(words, (size_t)count, sizeof *words, order); puts(words[0]); return 0; }
"""
SQL = """create table t(a integer primary key, b text); create index i on t(b);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000) insert into t select n, hex(n * 7) from c;
delete from t where a % 3 = 0; select count(*), min(b), max(b), sum(length(b)) from t;
select b, count(*) from (select substr(b, 1, 2) b from t) group by b order by 2 desc, 1 limit 5;"""


def git(folder: pathlib.Path) -> list[str]:
    who = "-c user.name=a -c user.email=a@b -c init.defaultBranch=main -c gc.auto=0"
    return ["sh", "-ec", f"""git {who} init -q '{folder}'; cd '{folder}'
        for i in 1 2 3 4 5; do seq $i $((i * 300)) > file$i; git add .; git {who} commit -qm "$i"; done
        git {who} gc -q; git log --stat --format=%s%T; git diff --stat HEAD~3; git {who} blame -s file5 | tail -n 2; git fsck"""]


def programs(folder: pathlib.Path) -> dict[str, tuple[list[str], str]]:
    """Commands with their input."""
    return {"python3": (["/usr/bin/python3", "-c", PYTHON], ""), "gcc": (["gcc", "-O2", "-S", "-x", "c", "-", "-o", "-"], SOURCE),
            "git": (git(folder), ""), "sqlite3": (["sqlite3", ":memory:"], SQL)}


def run_programs(policy: str, tmp_path: pathlib.Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("TEXTBOOK_")} | {"GIT_AUTHOR_DATE": "@1 +0000",
                                                                                   "GIT_COMMITTER_DATE": "@1 +0000"}
    preload = {"LD_PRELOAD": str(BUILD / f"lib/heaptape/lib{policy}.so")}
    mine, libcs = programs(tmp_path / "mine"), programs(tmp_path / "libcs")
    for name in mine:
        on_libc, on_policy = (subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, env=env | variables)
                              for (command, text), variables in ((libcs[name], {}), (mine[name], preload)))
        assert on_libc.returncode == 0 and on_libc.stdout, name + on_libc.stderr
        assert (on_policy.returncode, on_policy.stdout, on_policy.stderr) == (0, on_libc.stdout, on_libc.stderr), name


@pytest.mark.parametrize("case", chosen(), ids=lambda case: f"{case.number}-{case.name}")
def test_case(case, tmp_path):
    if case.kind == "unit":
        run_unit(*case.words)
    elif case.kind == "picture":
        compare_picture(*case.words)
    else:
        run_programs(*case.words, tmp_path)


# ---- the list itself ---------------------------------------------------------------------------------------------------


def test_every_case_is_listed_once():
    assert [case.number for case in CASES] == list(range(1, len(CASES) + 1))
    assert len({case.name for case in CASES}) == len(CASES)
    listed = [case.words for case in CASES]
    functions = [[unit, name] for unit in UNITS
                 for name in re.findall(r"RUN\((\w+)\)", (ROOT / f"tests/unit/{unit}.c").read_text())]
    assert sorted(words for words in listed if len(words) == 2) == sorted(functions)
    assert {case.words[0] for case in CASES if case.kind == "picture"} == {script.stem for script in SCRIPTS}
    assert [case.words[0] for case in CASES if case.kind == "programs"] == list(POLICIES)


def make_test(run):
    env = {k: v for k, v in os.environ.items() if k not in ("CASES", "MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", f"B={BUILD}", "-o", "tests-built", "test", f"run={run}"], cwd=ROOT,
                          capture_output=True, text=True, timeout=300, env=env)


def test_by_number_and_by_name():
    listed = make_test("list")
    assert listed.returncode == 0 and " 3  best_fit " in listed.stdout and len(listed.stdout.splitlines()) == len(CASES)
    result = make_test("3 8 12")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.findall(r"::test_case\[(.*?)\] PASSED", result.stdout) == ["3-best_fit", "8-least_split", "12-realloc_backward"]
    assert "3 passed" in result.stdout
    result = make_test("999")
    assert result.returncode != 0 and "no case 999" in result.stderr and "run=list" in result.stderr


def test_a_case_can_fail(tmp_path):
    with pytest.raises(AssertionError):
        run_unit("textbook_test", "test_that_is_not_there")


def main(words: list[str]) -> int:
    if words == ["--list"]:
        for case in CASES:
            print(f"{case.number:3}  {case.name:26} {case.kind}: {' '.join(case.words)}")
        return 0
    unknown = [word for word in words if int(word) not in {case.number for case in CASES}]
    if unknown or not words:
        print(f"make test: no case {' '.join(unknown)}; make test run=list has their numbers", file=sys.stderr)
        return 2
    os.environ["CASES"] = " ".join(words)
    return pytest.main(["-v", "--no-header", "-p", "no:cacheprovider", f"{__file__}::test_case"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
