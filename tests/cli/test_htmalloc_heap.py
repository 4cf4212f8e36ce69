"""The whole heap of htmalloc, validated at every step: random operations held against a shadow, and every call for memory
refused once. DESIGN.md numbers what is validated."""

import subprocess

import pytest


def run(build, program, *words):
    return subprocess.run([build / "tests" / program, *words], capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.parametrize("variant", ["", "_hard"])
def test_property(build, variant):
    result = run(build, f"htmalloc_property{variant}", "--seed=1", "--seeds=12", "--operations=5000")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 12 and all(line.endswith(": valid") for line in lines)
    assert any("refused 0 times" not in line for line in lines)


@pytest.mark.parametrize("variant", ["", "_hard"])
def test_every_refusal(build, variant):
    result = run(build, f"htmalloc_failures{variant}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["mmap, mremap and mprotect", "munmap and madvise", "all"]
    assert " 0 blocks refused" not in lines[0] + lines[2]
