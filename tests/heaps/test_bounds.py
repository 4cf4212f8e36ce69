"""Heaps that are known beforehand: exact figures, the bounds of the literature, and what holds for every allocator.

Figures of the textbook allocators are exact to the byte: brk is moved by them alone, and each call of it is counted."""

import json
import math
import os
import subprocess
import sys

import pytest

import adversary
from conftest import BUILD, ROOT

BOUNDARY_TAGS = ("first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit",
                 "best-fit-address", "worst-fit", "segregated")
POLICIES = (*BOUNDARY_TAGS, "buddy", "bump")
UNIT = adversary.UNIT
PAGE = 4096
HEAD = 48  # a region's header and its two fences
# The first region has room for 4096 bytes of blocks, and grows by as much: blocks of 32, 64, ... leave nothing over.
TIDY = {"TEXTBOOK_SET_ASIDE": str(HEAD + PAGE), "TEXTBOOK_GROWTH": "4k", "TEXTBOOK_MMAP_THRESHOLD": "1G"}


def tape(folder, calls):
    rep, out = folder / "calls.rep", folder / "calls.tape"
    rep.write_text("".join(f"{call}\n" for call in calls))
    subprocess.run([BUILD / "libexec/heaptape/heaptape-trace", "convert", "-o", out, rep], check=True, capture_output=True)
    return out


def replay(path, allocator, switches=None, touch="none"):
    """One memory run: its figures by name. `allocator`: a name of ours, or the path of a library; empty for libc."""
    library = allocator if "/" in allocator else f"{BUILD}/lib/heaptape/lib{allocator}.so" if allocator else ""
    words = [BUILD / "libexec/heaptape/heaptape-engine", "--mode=memory", f"--touch={touch}", "--print", "--tape", path]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TEXTBOOK_")}
    done = subprocess.run(words, env=clean | (switches or {}) | ({"LD_PRELOAD": library} if library else {}),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = dict(line.split(None, 1) for line in done.stdout.splitlines() if " " in line)
    return {name: int(value) if value.isdigit() else None for name, value in figures.items()}


def heap(figures):
    """Bytes that brk has given."""
    assert figures["call_mmap_bytes"] == 0
    grown = figures["call_brk_grow_bytes"]
    assert grown <= figures["peak_held_bytes"] < grown + 2 * PAGE
    return grown


# ---- the comb: 4096 teeth of 64 bytes, every second one pulled out


def comb(*then):
    """malloc(48) is a block of 64 bytes with every policy: 16 bytes of tags, a head of 16, or 8 and rounding."""
    calls = [f"a {i} 48" for i in range(4096)] + [f"f {i}" for i in range(0, 4096, 2)]
    return [*calls, *(f"a {5000 + i} {size}" for i, size in enumerate(size for count, size in then for _ in range(count)))]


def comb_heap(policy, block_bytes):
    """The heap that whole blocks of so many bytes side by side take."""
    if policy == "buddy":  # arenas of 64 KiB
        return -(-block_bytes // 65536) * (65536 + 32)
    if policy == "bump":  # its region begins with a header of 40 bytes, and it fills the rest to the last byte
        return HEAD + PAGE + -(-(block_bytes + 40 - HEAD - PAGE) // PAGE) * PAGE
    return HEAD + -(-block_bytes // PAGE) * PAGE


TEETH = 4096 * 64  # 256 KiB


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "then, more",
    [
        pytest.param([], 0, id="alone"),
        # Half the heap is free, in gaps of 64 bytes. What is larger than a gap grows the heap, whatever the policy:
        pytest.param([(1, 112)], 128, id="one-larger"),
        pytest.param([(1024, 112)], 1024 * 128, id="many-larger"),
        pytest.param([(1, 100_000)], 100_016, id="one-large"),
        # What fits goes into the gaps, and only bump grows.
        pytest.param([(2048, 48)], 0, id="as-large"),
        # One more than there are gaps.
        pytest.param([(2049, 48)], 64, id="as-large-and-one"),
        # Two of 32 bytes go into each gap.
        pytest.param([(4096, 16)], 0, id="smaller"),
    ],
)
def test_comb(tmp_path, policy, then, more):
    switches = TIDY if policy != "buddy" else {}
    got = heap(replay(tape(tmp_path, comb(*then)), policy, switches))
    if then and then[0][1] == 100_000:  # buddy: an arena of 128 KiB; the others: one step of exactly that much
        size = {"buddy": (1 << 17) + 32, "bump": 100_008 + 8}.get(policy, 100_016)
        expected = comb_heap(policy, TEETH) + size
    elif policy == "bump":
        taken = {16: 32, 48: 64, 112: 128}
        expected = comb_heap(policy, TEETH + sum(count * taken[size] for count, size in then))
    else:
        expected = comb_heap(policy, TEETH + more)
    assert got == expected


# ---- buddy's waste inside blocks

# size: how many, the power of two that holds it and a head of 16 bytes
MIX = {1: (100, 32), 16: (100, 32), 17: (100, 64), 48: (50, 64), 49: (50, 128), 100: (20, 128), 1000: (10, 1024),
       1008: (5, 1024), 1009: (5, 2048), 4080: (2, 4096), 4081: (1, 8192), 40_000: (1, 65536)}


def test_buddy_waste(tmp_path):
    """R = 100 + 1600 + 1700 + 2400 + 2450 + 2000 + 10000 + 5040 + 5045 + 8160 + 4081 + 40000 = 82576,
    blocks = 3200 + 3200 + 6400 + 3200 + 6400 + 2560 + 10240 + 5120 + 10240 + 8192 + 8192 + 65536 = 132480, of
    which 444 heads are 7104: U = 125376, so 42800 bytes, a third of what may be used, are lost inside."""
    calls, count = [], 0
    for size, (times, _) in MIX.items():
        for _ in range(times):
            calls.append(f"a {count} {size}")
            count += 1
    assert count == 444
    figures = replay(tape(tmp_path, calls), "buddy")
    assert figures["peak_requested_bytes"] == 82_576 == sum(size * times for size, (times, _) in MIX.items())
    assert figures["peak_usable_bytes"] == 125_376 == sum(times * (block - 16) for times, block in MIX.values())
    # 66,944 bytes of small blocks lie in two arenas of 64 KiB, and the block of 64 KiB fills a third.
    assert heap(figures) == 3 * (65536 + 32)


def test_tags_waste(tmp_path):
    """The same requests with boundary tags: blocks are multiples of 16 bytes, 32 at least, and 16 of each are tags."""
    sizes = [size for size, (times, _) in MIX.items() for _ in range(times)]
    figures = replay(tape(tmp_path, [f"a {i} {size}" for i, size in enumerate(sizes)]), "first-fit",
                     {"TEXTBOOK_SET_ASIDE": "1M"})  # no remainder of 16 bytes at the heap's end stays with a block
    # 15 + 0 + 15 + 0 + 15 + 12 + 8 + 0 + 15 + 0 + 15 + 0 bytes each
    assert figures["peak_usable_bytes"] - 82_576 == 1500 + 1500 + 750 + 240 + 80 + 75 + 15


# ---- adversaries


def bound(name, most, largest):
    """What the program's victims need at least, in units."""
    return {
        "robson": most * (math.log2(largest) / 2 + 1) - largest + 1,
        "growing": 0.75 * most * math.log2(largest),
        "best": (most - 4 * largest + 11) * (largest - 2),
        "sweep": (most - largest + 1) * largest,
    }[name]


def first_fit_bound(most, largest):
    """No program makes first fit by address need more (Robson 1977; Knuth 2.5, exercise 43): M H(n) / ln 2."""
    return most * sum(1 / size for size in range(1, largest + 1)) / math.log(2)


@pytest.mark.parametrize("name, most, largest", [("robson", 1024, 64), ("robson", 2048, 16), ("growing", 1024, 64)])
@pytest.mark.parametrize("policy", BOUNDARY_TAGS)
def test_every_fit_needs_what_robson_says(tmp_path, policy, name, most, largest):
    """The model's extent is the real heap, to the byte; it is not below the lower bound, nor above first fit's upper one."""
    store = adversary.PROGRAMS[name](most, largest)
    assert store.peak == most
    assert bound(name, most, largest) <= store.extent <= first_fit_bound(most, largest)
    figures = replay(tape(tmp_path, store.calls), policy, TIDY)
    assert heap(figures) == HEAD + -(-store.extent * UNIT // PAGE) * PAGE


def extent(path, policy):
    """Units from the heap's beginning to its end, when all of the store is there from the start: what becomes resident when
    every byte is written. Pages: off by the fraction of one, and by one for the end of the store, where a footer is."""
    figures = replay(path, policy, {"TEXTBOOK_SET_ASIDE": "64M", "TEXTBOOK_MMAP_THRESHOLD": "1G"}, "full")
    return (figures["peak_resident_bytes"] - figures["startup_resident_bytes"] - PAGE) / UNIT


@pytest.mark.parametrize("most, largest", [(128, 8), (160, 16)])
def test_best_fit_needs_nearly_the_product(tmp_path, most, largest):
    store = adversary.best(most, largest)
    assert store.peak <= most and bound("best", most, largest) <= store.extent < most * largest
    path = tape(tmp_path, store.calls)
    for policy in ("best-fit", "best-fit-address"):
        assert store.extent <= extent(path, policy) < store.extent + PAGE / UNIT + 2
    # First fit keeps to its bound, on this tape as on all.
    assert extent(path, "first-fit-address") <= first_fit_bound(most, largest) + PAGE / UNIT + 2


@pytest.mark.parametrize("most, largest", [(256, 16), (512, 64)])
def test_next_and_worst_fit_need_the_product(tmp_path, most, largest):
    store = adversary.sweep(most, largest)
    assert store.peak <= most
    path = tape(tmp_path, store.calls)
    for policy in ("next-fit", "next-fit-address", "worst-fit"):
        got = extent(path, policy)
        assert bound("sweep", most, largest) <= got < bound("sweep", most, largest) + PAGE / UNIT + 2
    for policy in ("first-fit-address", "best-fit-address"):
        assert extent(path, policy) <= most + PAGE / UNIT + 2


def test_the_adversaries_by_hand():
    """Small enough to follow: Robson's program with M = 4, n = 2 keeps every second unit, and two blocks of 2 go behind."""
    store = adversary.robson(4, 2)
    assert store.calls == ["a 0 16", "a 1 16", "a 2 16", "a 3 16", "f 1", "f 3", "a 4 48"]
    assert store.extent == 5 == bound("robson", 4, 2)


def test_adversary_usage():
    def call(*words):
        return subprocess.run([sys.executable, ROOT / "tests/heaps/adversary.py", *words], capture_output=True, text=True)

    assert call("robson", "4", "1").stdout == "" and call("robson", "4", "1").returncode == 2
    assert "power of two" in call("robson", "100", "12").stderr
    assert call("sweep", "8", "2").stdout.startswith("a 0 16\na 1 16\nf 0\n")


# ---- what holds everywhere


@pytest.mark.parametrize("name", ["jq", "sqlite3", "cc1", "indexer", "python"])
def test_held_is_at_least_what_was_asked_for(heaptape, name):
    """On real tapes with every allocator that is found: usable is at least what was asked for, and held at least usable."""
    path = ROOT / f"traces/corpus/{name}.tape"
    found = json.loads(heaptape("allocators", "--format=json").stdout)
    found = found["allocators"] if isinstance(found, dict) else found
    others = [entry["path"] for entry in found if entry["name"] not in (*POLICIES, "null", "textbook") and entry.get("path")]
    quick = [policy for policy in POLICIES if policy != "worst-fit" or name == "indexer"]
    for allocator in ("", *quick, *others):
        figures = replay(path, allocator)
        assert figures["failed_calls"] == 0
        assert figures["peak_usable_bytes"] >= figures["peak_requested_bytes"] > 0, allocator
        if figures["held_known"]:
            assert figures["peak_held_bytes"] >= figures["peak_usable_bytes"], allocator
