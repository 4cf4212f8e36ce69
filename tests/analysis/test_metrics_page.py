"""METRICS.md explains every figure that is shown."""

import re

import pytest

from conftest import BUILD, ROOT
from make_results import make

PAGE = (ROOT / "analysis" / "METRICS.md").read_text()
NAMED = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
# Keys that name things rather than measure them.
NO_FIGURES = {
    "tape",
    "allocator",
    "detail",
    "status",
    "verdict",
    "series_csv",
    "mode",
    "round",
    "order_in_round",
    "signal",
    "exit_code",
    "operations",
}


def keys(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {k for v in value.values() for k in keys(v)}
    if isinstance(value, list):
        return {k for v in value for k in keys(v)}
    return set()


@pytest.mark.parametrize("part", ["summary", "runs", "settings"])
def test_every_key_of_results_is_explained(tmp_path, part):
    results = make(tmp_path, allocators=("libc", "mimalloc", "null"), points=5)
    missing = keys(results[part]) - NAMED - NO_FIGURES
    assert not missing


def test_every_key_of_latencies_is_explained(tmp_path):
    """malloc's keys stand for those of the other calls, p50's for the other percentiles."""
    rows = make(tmp_path, allocators=("libc", "null"), points=5, latency=True)["latency"]
    found = {re.sub("^(calloc|realloc|aligned|free)_", "malloc_", key) for key in keys(rows)}
    percentiles = {key for key in found if re.search("_ns_p[0-9_]+$", key)}
    assert {"_" + key.removeprefix("malloc_ns_") for key in percentiles - NAMED} < NAMED
    assert not found - percentiles - NAMED - NO_FIGURES


def test_every_key_of_live_is_explained(tmp_path):
    import json

    make(tmp_path, allocators=("libc", "mimalloc"), points=5, live=True)
    live = json.loads((tmp_path / "live.json").read_text())
    assert not keys(live["entries"]) - NAMED - NO_FIGURES


def test_every_key_of_analyze_is_explained(heaptape, tmp_path):
    import json
    import subprocess

    tape = tmp_path / "t.tape"
    subprocess.run(
        [BUILD / "tests" / "make_tape", tape],
        input="malloc 1 10 0\nmalloc 2 10 1\nfree 1 0 1\n",
        text=True,
        check=True,
    )
    found = keys(json.loads(heaptape("analyze", tape, "--format=json").stdout))
    assert len(found) > 40
    assert not found - NAMED


def test_a_missing_key_would_be_seen():
    assert (
        keys({"summary": [{"no_such_figure": 1}]}) - NAMED - NO_FIGURES
        == {"no_such_figure", "summary"} - NAMED
    )
