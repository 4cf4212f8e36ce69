"""Runs every C test program; each prints "N passed, N failed" and exits 1 when something failed."""

import re
import subprocess

import pytest

from conftest import BUILD

PROGRAMS = sorted(p for p in (BUILD / "tests").glob("*_test") if p.is_file())


def test_there_are_unit_tests():
    assert PROGRAMS, "no *_test program was built"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_unit(program, tmp_path):
    result = subprocess.run([str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    counted = re.search(r"(\d+) passed, (\d+) failed", result.stdout)
    assert counted, "no count printed:\n" + result.stdout
    assert int(counted[1]) > 0 and int(counted[2]) == 0
