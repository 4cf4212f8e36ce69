"""The shape of the code that CONTRIBUTING.md asks for: short functions, files that are read in one sitting."""

import re
import subprocess

import pytest

from conftest import ROOT

FUNCTION_LINES, SHORT_SHARE, C_LINES, PYTHON_LINES = 45, 0.9, 600, 400
HEAD = re.compile(r"[A-Za-z_].*\)[^;=]*\{$")  # of a function on one line; else the brace stands alone


def listed(*patterns: str) -> list[str]:
    found = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in found if (ROOT / name).is_file()]


def function_lengths(text: str) -> list[int]:
    """Lines between the braces of each function of a file as clang-format writes it: both in the first column."""
    found, opened = [], None
    for at, line in enumerate(text.split("\n")):
        if opened is None and (line == "{" or HEAD.match(line)):
            opened = at
        elif opened is not None and line.startswith("}"):
            found.append(at - opened - 1)
            opened = None
    return found


def test_lengths_are_counted():
    text = ("int a(int b)\n{\n    if (b) {\n        b++;\n    }\n    return b;\n}\n"
            "struct c {\n    int d;\n};\nstatic const int e[] = {\n    1,\n};\nvoid f(void) {\n}\n")
    assert function_lengths(text) == [4, 0]


@pytest.mark.parametrize("room", ["traces", "recorder", "allocator", "replayer", "analysis", "tests"])
def test_nine_functions_in_ten_are_short(room):
    lengths = [n for name in listed(f"{room}/*.c", f"{room}/*.h") for n in function_lengths((ROOT / name).read_text())]
    assert len(lengths) > 100
    short = sum(n < FUNCTION_LINES for n in lengths)
    assert short >= SHORT_SHARE * len(lengths), f"{room}: {len(lengths) - short} of {len(lengths)} functions are long"


def test_files_are_short():
    limits = [(name, C_LINES) for name in listed("*.c", "*.h")] + [(name, PYTHON_LINES) for name in listed("analysis/*.py")]
    assert len(limits) > 400
    long = [f"{name}: {lines} lines, at most {most}" for name, most in limits
            if (lines := (ROOT / name).read_text().count("\n")) > most]
    assert not long, long


def test_test_files_have_names_of_their_own():
    """pytest collects no two files of one name; a whole run would end before its first test."""
    names = [name.rsplit("/", 1)[-1] for name in listed("tests/*.py") if not name.endswith("conftest.py")]
    assert len(names) > 80
    assert not {name for name in names if names.count(name) > 1}
