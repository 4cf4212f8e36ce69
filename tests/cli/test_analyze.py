"""heaptape analyze, end to end, on tapes whose figures are counted by hand."""

import csv
import io
import json
import subprocess

import pytest

from conftest import BUILD, ROOT


@pytest.fixture
def tape(tmp_path):
    """make("malloc 1 10 0", ...) -> path of a tape with those events, a millisecond apart."""

    def make(*events, name="t.tape"):
        path = tmp_path / name
        subprocess.run(
            [BUILD / "tests" / "make_tape", path, "prog"],
            input="\n".join(events) + "\n",
            text=True,
            check=True,
        )
        return path

    return make


EVENTS = (
    "malloc 1 100 0",
    "calloc 2 50 0",
    "free 1 0 1",
    "malloc 3 200 1",
    "realloc 3 400 1",
    "free 2 0 0",
    "free(NULL) 0 0 0",
    "failed 0 9999 0",
)


def analyzed(heaptape, path, *options):
    result = heaptape("analyze", path, "--format=json", *options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_figures_by_hand(heaptape, tape):
    found = analyzed(heaptape, tape(*EVENTS))
    expected = dict(
        events=8,
        allocations=3,
        frees=3,
        reallocs=1,
        failed=1,
        allocated_bytes=550,
        peak_live_bytes=450,
        peak_live_blocks=2,
        blocks_at_peak_bytes=2,
        peak_event=4,
        lower_bound_bytes=450,
        lower_bound_method="peak_live",
        leaked_blocks=1,
        leaked_bytes=400,
        lanes=2,
        cross_lane_frees=1,
        cross_lane_free_share=0.5,
        temporary_blocks=1,
        reallocs_grew=1,
        realloc_grown_bytes=200,
        realloc_copied_bytes_max=200,
        duration_seconds=0.007,
        complete=True,
        damaged_blocks=0,
        dropped_events=0,
        program="prog",
    )
    assert {k: found[k] for k in expected} == expected
    # R after each event: 100, 150, 50, 250, 450, 400, 400, 400.
    assert found["mean_live_bytes"] == 275
    assert found["allocated_bytes_per_second"] == pytest.approx(550 / 0.007, abs=1)


def test_top_sizes_and_lanes(heaptape, tape):
    found = analyzed(heaptape, tape(*EVENTS))
    assert [
        (t["size_bytes"], t["blocks_at_peak"], t["bytes_at_peak"]) for t in found["top_sizes_at_peak"]
    ] == [(400, 1, 400), (50, 1, 50)]
    assert sum(s["allocations"] for s in found["sizes"]) == 4, "three allocations and a realloc's new size"
    lanes = {l["lane"]: l for l in found["lane_table"]}
    assert lanes[1]["frees_of_others"] == 1 and lanes[0]["freed_by_others"] == 1
    assert sum(l["blocks_by_events"] for l in found["lifetimes"]) == 2


def test_agrees_with_trace_info(heaptape, tape):
    path = tape(*EVENTS)
    info = json.loads(heaptape("trace", "info", "--format=json", path).stdout)
    found = analyzed(heaptape, path)
    for key in (
        "events",
        "allocations",
        "frees",
        "reallocs",
        "failed",
        "lanes",
        "peak_live_bytes",
        "complete",
    ):
        assert info[key] == found[key], key
    assert info["live_at_end_bytes"] == found["leaked_bytes"]


def test_an_empty_tape(heaptape, tape):
    found = analyzed(heaptape, tape())
    assert found["events"] == 0 and found["peak_live_bytes"] == 0 and found["mean_live_bytes"] is None
    assert found["sizes"] == [] and found["lane_table"] == []


def test_series(heaptape, tape, tmp_path):
    assert heaptape("analyze", tape(*EVENTS), f"--series={tmp_path}/s.csv").returncode == 0
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert [int(r["live_bytes"]) for r in rows] == [100, 150, 50, 250, 450, 400, 400, 400]
    assert [int(r["event"]) for r in rows] == list(range(1, 9))
    assert rows[4]["time_seconds"] == "0.004000000"


@pytest.mark.parametrize(
    "part, header",
    [("summary", "tape"), ("sizes", "size_low_bytes"), ("lifetimes", "lifetime_low"), ("lanes", "lane"),
     ("lane-frees", "allocated_by"), ("waste", "allocator"), ("classes", "allocator")],
)
def test_csv_of_each_part(heaptape, tape, part, header):
    result = heaptape("analyze", tape(*EVENTS), "--format=csv", f"--part={part}")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0][0] == header and len(rows) >= 2
    assert all(len(r) == len(rows[0]) for r in rows)


def words(text) -> str:
    """Lines with single spaces."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def test_table_has_the_same_figures(heaptape, tape):
    result = heaptape("analyze", tape(*EVENTS))
    table = words(result.stdout)
    for said in (
        "8 events in 0.007 s on 2 lanes",
        "at the peak 450 B in 2 blocks, after event 4 (62.5 %), at 0.004 s",
        "at the end 400 B in 1 block never freed",
        "rounded for alignment 464 none can that gives each whole 16 bytes (8 for up to 8)",
        "a placement of all blocks 576 exists: 28.0 % above the first, 24.1 % above the second (first fit)",
        "allocations 3 550 B in all, 183 B each on average; 428 and 76.7 KiB a second",
        "frees 3 50.0 % by another lane than asked for them",
        "temporary 1 33.3 % of allocations: freed by their lane before it asked for more",
        "reallocs 1 1 grew, 0 shrank, 0 neither; at most 200 B to copy",
        # Eight events are drawn nine columns wide each: 100, 150, 50, 250, 450, 400, 400, 400 bytes.
        "450 B | #########...........................",
        # 100 bytes at once, then 50 in a millisecond, in columns of 97 us.
        "1.0 MiB/s |#",
        # Sizes, top sizes, lifetimes.
        "64 B 1 25.0 % ##### 1 50 B 11.1 %",
        "50 1 25.0 % 400 1 400 B 88.9 %",
        "Lifetimes of the 2 blocks that were freed",
        "<256 B - 50.0 % - - - - - - - -",
        # Lane 1 asked for 200 bytes, made 400 of them, and freed a block of lane 0's.
        "1 3 1 400 B 1 1 0 1",
        "0 1 1 0",
        # 400 in 408 and 50 in 56; in 448 and 64.
        "libc 4 14 B 3.1 % 0 B 16 B 2.4 % blocks of 408 for 400 and more: 8 B",
        "jemalloc 4 62 B 13.8 % 0 B 0 B 13.1 % blocks of 448 for 400 and more: 48 B",
    ):
        assert any(line == said or line.startswith(said + " ") for line in table.splitlines()), said
    assert result.stderr == "", "progress belongs on a terminal only"
    assert all(len(line) <= 120 and line == line.rstrip() for line in result.stdout.splitlines())


def test_table_of_the_corpus(heaptape):
    """Every section, no line too long; nothing but ASCII."""
    for path in sorted((ROOT / "traces/corpus").glob("*.tape")):
        text = heaptape("analyze", path, "--part=all").stdout
        for section in ("Live bytes", "How low a heap could be", "Calls", "Sizes asked for", "Top sizes", "Lifetimes of the", "Size (down) by",
                        "Lanes (threads)", "Who frees whose blocks", "Lost inside blocks", "Classes of tbbmalloc"):
            assert f"\n{section}" in text, section
        assert text.isascii() and all(len(line) <= 120 and line == line.rstrip() for line in text.splitlines())


def test_table_of_an_empty_tape(heaptape, tape):
    result = heaptape("analyze", tape(), "--part=all")
    assert result.returncode == 0 and "0 events" in result.stdout and "nan" not in result.stdout and "inf" not in result.stdout


@pytest.mark.parametrize(
    "arguments, status, word",
    [
        ((), 2, "no tape given"),
        (("a", "b"), 2, "one tape"),
        (("--format=xml", "a"), 2, "--format"),
        (("--part=x", "a"), 2, "--part"),
        (("--top=0", "a"), 2, "--top"),
        (("/nonexistent.tape",), 3, "/nonexistent.tape"),
        (("/etc/passwd",), 3, "not a tape"),
        (("--format=csv", "--part=all", "a"), 2, "one --part"),
    ],
)
def test_errors_are_one_line(heaptape, arguments, status, word):
    result = heaptape("analyze", *arguments)
    assert result.returncode == status and word in result.stderr
    assert result.stderr.startswith("heaptape analyze: ") and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_help_begins_with_examples(heaptape):
    result = heaptape("analyze", "--help")
    assert result.returncode == 0 and result.stdout.startswith("Examples:")
    assert heaptape("analyze", "--version").stdout.strip()


def test_full_disk(heaptape, tape):
    with open("/dev/full", "w") as full:
        result = heaptape("analyze", tape(*EVENTS), capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 4 and result.stderr.count("\n") == 1
    result = heaptape("analyze", tape(*EVENTS), "--series=/proc/none/s.csv")
    assert result.returncode == 4 and "/proc/none/s.csv" in result.stderr


def test_damage_is_told_and_survived(heaptape, tape, tmp_path):
    path = tape(*(f"malloc {i} {i * 7} 0" for i in range(1, 3000)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    result = heaptape("analyze", path, "--format=json")
    found = json.loads(result.stdout)
    assert result.returncode == 0
    assert found["damaged_blocks"] >= 1 and result.stderr.startswith("heaptape analyze: ")


@pytest.mark.parametrize("keep", [1, 20, 60, 200])
def test_a_torn_tape_never_crashes(heaptape, tape, keep):
    path = tape(*EVENTS)
    path.write_bytes(path.read_bytes()[:keep])
    assert heaptape("analyze", path).returncode in (0, 3)


def test_sizes_and_lifetimes_together(heaptape):
    """The joint density adds up to the lifetimes by themselves, and a bench leaves the same."""
    tape = ROOT / "traces/corpus/jq.tape"
    found = json.loads(heaptape("analyze", tape, "--format=json").stdout)
    by_life: dict = {}
    for cell in found["size_lifetimes"]:
        assert cell["size_low_bytes"] <= cell["size_high_bytes"] and cell["blocks"] > 0
        by_life[cell["lifetime_low_bytes"]] = by_life.get(cell["lifetime_low_bytes"], 0) + cell["blocks"]
    assert by_life == {b["lifetime_low"]: b["blocks_by_bytes"] for b in found["lifetimes"] if b["blocks_by_bytes"]}


def test_packing(heaptape, tape):
    """100, 50 and 200 bytes end at 112, 176 and 384; 400 then go where the 200 were: 576 of at least 450."""
    for options in ((), ("--packing",)):
        found = analyzed(heaptape, tape(*EVENTS), *options)
        assert found["packing_bytes"] == 576 and found["packing_over_lower_bound"] == 1.28
        assert found["packing_method"] == "first_fit_aligned_no_headers"
        # 64 for 50 and 400 for 400.
        assert found["aligned_lower_bound_bytes"] == 464 and found["packing_over_aligned_lower_bound"] == 1.2414
    without = analyzed(heaptape, tape(*EVENTS), "--no-packing")
    assert without["packing_bytes"] is None and without["packing_method"] is None
    assert set(without) == set(found) and without["aligned_lower_bound_bytes"] == 464


def test_the_better_placement_is_told(heaptape, tape):
    """Holes of 64 and 32 bytes: first fit cuts the larger one for 32 bytes, and 64 then go on top."""
    events = ["malloc 1 64 0", "malloc 2 16 0", "malloc 3 32 0", "malloc 4 16 0", "free 1 0 0", "free 3 0 0",
              "malloc 5 32 0", "malloc 6 64 0"]
    found = analyzed(heaptape, tape(*events))
    assert found["packing_bytes"] == 128 and found["packing_method"].startswith("best_fit")


def test_no_allocator_of_the_corpus_beats_the_bounds(heaptape):
    """The placement is within 1 % of what blocks of whole granules take: what is left of the gap is rounding."""
    for path in sorted((ROOT / "traces/corpus").glob("*.tape")):
        found = analyzed(heaptape, path, "--part=summary")
        assert found["lower_bound_bytes"] <= found["aligned_lower_bound_bytes"] <= found["packing_bytes"]
        assert found["packing_bytes"] <= 1.01 * found["aligned_lower_bound_bytes"]
        assert found["packing_bytes"] <= 1.13 * found["lower_bound_bytes"]


def test_who_frees_whose(heaptape):
    """The pairs add up to what each lane frees of others, and is freed by others of."""
    found = analyzed(heaptape, ROOT / "traces/corpus/indexer.tape")
    pairs, lanes = found["lane_frees"], found["lane_table"]
    assert len(lanes) == 5 and len(pairs) >= 4
    assert all(p["allocated_by"] != p["freed_by"] and p["blocks"] > 0 for p in pairs)
    assert [p["blocks"] for p in pairs] == sorted((p["blocks"] for p in pairs), reverse=True)
    for lane in lanes:
        for key, side in (("frees_of_others", "freed_by"), ("freed_by_others", "allocated_by")):
            assert lane[key] == sum(p["blocks"] for p in pairs if p[side] == lane["lane"])
    assert sum(p["blocks"] for p in pairs) == found["cross_lane_frees"]


def test_who_frees_whose_of_many_lanes(heaptape, tape):
    """More pairs than the first table has room for."""
    events = []
    for owner in range(30):
        for freer in range(30):
            events += [f"malloc 1 {owner * 100 + freer + 1} {owner}", f"free 1 0 {freer}"]
    path = tape(*events)
    pairs = analyzed(heaptape, path)["lane_frees"]
    table = heaptape("analyze", path, "--part=lane-frees", "--part=lanes").stdout
    assert "others" in table and "and 20 more" in table and all(len(line) <= 120 for line in table.splitlines())
    found = {(p["allocated_by"], p["freed_by"]): (p["blocks"], p["bytes"]) for p in pairs}
    assert found == {(o, f): (1, o * 100 + f + 1) for o in range(30) for f in range(30) if o != f}
