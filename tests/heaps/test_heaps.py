#!/usr/bin/python3
"""Golden pictures: what the heap of each textbook policy looks like after each script of calls.

  make bless, or tests/heaps/test_heaps.py --bless     writes the pictures anew; look at the difference before you commit it

test_cases.py compares. scripts/NAME.txt is the script, pictures/NAME.txt what heap_script.c prints for it under each policy. A line
"# set SWITCH=VALUE" of a script is a variable TEXTBOOK_SWITCH."""

import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("B") or HERE.parent.parent / "build").resolve()
POLICIES = ("first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit", "best-fit-address",
            "worst-fit", "segregated", "buddy", "bump")
SCRIPTS = sorted((HERE / "scripts").glob("*.txt"))


def picture(script, policy):
    text = script.read_text()
    switches = {f"TEXTBOOK_{name}": value for name, value in re.findall(r"^# set (\w+)=(\S+)$", text, re.M)}
    result = subprocess.run([BUILD / "tests/heap_script"], input=text, capture_output=True, text=True,
                            env=switches | {"TEXTBOOK_POLICY": policy})
    assert result.returncode == 0, result.stdout + result.stderr
    return re.sub(r" at 0x[0-9a-f]+", "", result.stdout)


def pictures(script):
    return "\n".join(f"== {policy}\n{picture(script, policy)}" for policy in POLICIES)


def test_there_are_enough():
    assert len(SCRIPTS) >= 12
    assert {s.name for s in SCRIPTS} == {p.name for p in (HERE / "pictures").glob("*.txt")}


def test_a_line_that_is_none():
    result = subprocess.run([BUILD / "tests/heap_script"], input="a = malloc 10\nfrei a\n", capture_output=True, text=True, env={})
    assert result.returncode == 2 and "frei a" in result.stderr


if __name__ == "__main__":
    if sys.argv[1:] != ["--bless"]:
        sys.exit(__doc__)
    for one in SCRIPTS:
        (HERE / "pictures" / one.name).write_text(pictures(one))
