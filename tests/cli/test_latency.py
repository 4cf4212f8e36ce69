"""Latency mode: what it says of an allocator that is slow in a known way, and of one that does nothing."""

import subprocess

import pytest

from conftest import BUILD
from test_engine import NULL, make_tape, run_engine

SLOW = BUILD / "tests/engine_slow.so"
ERROR = 1 / 64


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    path = tmp_path_factory.mktemp("latency") / "churn.tape"
    subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "synth", "-o", path, "--events=200k", "--live=500",
                    "--size=16..300"], check=True, capture_output=True)
    return path


def latency(tape, *options, preload=None):
    return run_engine(tape, "--mode=latency", *options, preload=preload)


@pytest.mark.parametrize("options", [[], ["--plan-memory=256k"]], ids=["one window", "windows"])
def test_known_delays_are_found(tape, options):
    """2 % of the mallocs take 20 us, one in 500 200 us, 5 % of the frees 5 us."""
    seen = latency(tape, *options, preload=SLOW)
    for key, true in (("malloc_ns_p99", 20e3), ("malloc_ns_p99.9", 200e3), ("free_ns_p99", 5e3)):
        # An interruption makes a call longer, never shorter; the bucket may be half its width off.
        assert true * (1 - ERROR) - seen["clock_resolution_ns"] <= seen[key] <= true * (1 + ERROR) + 2000, key
    assert seen["malloc_ns_p50"] < 5e3 and seen["malloc_ns_p90"] < 10e3 and seen["free_ns_p90"] < 4e3
    assert seen["malloc_ns_max"] >= 200e3


def test_every_call_is_counted(tape):
    seen = latency(tape)
    assert seen["malloc_count"] + seen["free_count"] == seen["operations"] == 200_000


@pytest.mark.parametrize("shape", ["one lane", "four crossing", "600 short", "300 at once", "empty"])
def test_kinds_and_lanes(tmp_path, shape):
    """Each kind's calls of all lanes are there; free(NULL) and malloc_usable_size are not measured."""
    path = tmp_path / "t.tape"
    counts = make_tape(path, shape)
    seen = latency(path)
    for kind in ("malloc", "calloc", "aligned"):
        assert seen.get(f"{kind}_count", 0) == counts[kind], kind
    measured = sum(value for key, value in seen.items() if key.endswith("_count"))
    assert counts["malloc"] + counts["calloc"] <= measured <= seen["operations"]


def test_what_nothing_takes(tape):
    """The null allocator's calls cost next to nothing once the clock's cost is out."""
    seen = latency(tape, preload=NULL)
    assert 0 < seen["malloc_ns_p50"] < 60 and seen["free_ns_p50"] < 60
    assert seen["clock_cost_ns"] > 1
    assert abs(seen["clock_cost_ns"] - seen["clock_cost_after_ns"]) < seen["clock_cost_ns"]
