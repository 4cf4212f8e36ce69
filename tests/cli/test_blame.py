"""heaptape blame: a planted program of which it is known who pins how many pages; every figure counted once more in
plain Python from the same snapshots; moments, stacks, and what cannot be done."""

import collections
import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from conftest import BUILD, ROOT
from record_help import record

sys.path.insert(0, str(ROOT / "analysis"))

from report import snapshots  # noqa: E402

PAGE, HUGE = 4096, 2 << 20
CASE = BUILD / "tests/blame_case"
MAKE_TAPE = BUILD / "tests/engine_tape"
WRITE, FILE = 2, 16


def blame(heaptape, tape, *options) -> dict:
    done = heaptape("blame", tape, "--format=json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The program's tape with its own count of pinned pages, and its tape when pin()'s blocks die, too."""
    folder = tmp_path_factory.mktemp("planted")
    tapes = {}
    for name, arguments in (("kept", []), ("died", ["die"]), ("huge", ["huge"])):
        tapes[name] = folder / f"{name}.tape"
        done = record(tapes[name], [CASE, *arguments], "--sites=4", "-q")
        assert done.returncode == 0, done.stderr
        tapes[f"{name} counts"] = json.loads(done.stdout)
    return tapes


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    path = tmp_path_factory.mktemp("tape") / "x.tape"
    subprocess.run([MAKE_TAPE, path, "60000", "900", "3", "20"], check=True, capture_output=True)
    return path


# ---- the truth ----------------------------------------------------------------------------------------------


def test_the_one_who_pins_is_named_first(heaptape, planted):
    """By site, with the pages that the program itself counted, within 10 %."""
    found = blame(heaptape, planted["kept"], "--at=end", "--by=site")
    first, second = found["groups"][:2]
    assert first["name"].startswith("pin blame_case.c:") and " < grow blame_case.c:" in first["name"]
    assert second["name"].startswith("linger blame_case.c:")
    pinned, lingered = planted["kept counts"]["pinned"], planted["kept counts"]["lingered"]
    assert pinned > 1500 and lingered > 150
    assert first["gone_bytes"] == pytest.approx(pinned * PAGE, rel=0.1)
    assert second["gone_bytes"] == pytest.approx(lingered * PAGE, rel=0.1)
    # One lies on a page of settle()'s.
    assert 1990 <= first["sparse_blocks"] <= 2000 and first["live_bytes"] == 2000 * 40
    # settle()'s blocks lie on full pages: not to blame.
    assert not any(group["name"].startswith("settle") for group in found["groups"])


def test_what_would_fall_falls(heaptape, planted):
    """The same program without pin()'s blocks: nearly empty pages are fewer by what blame said."""
    kept = blame(heaptape, planted["kept"], "--at=end", "--by=site")
    died = blame(heaptape, planted["died"], "--at=end", "--by=site")
    assert died["groups"][0]["name"].startswith("linger blame_case.c:")
    fell = kept["sparse_bytes"] - died["sparse_bytes"]
    assert fell == pytest.approx(kept["groups"][0]["gone_bytes"], rel=0.1)
    # With the second gone as well all are free.
    assert kept["groups"][1]["together_bytes"] == kept["sparse_bytes"]


def test_packed_elsewhere_is_what_size_classes_do(heaptape, planted):
    """An allocator that keeps sizes apart has moved pin()'s blocks elsewhere already: no page is nearly empty."""
    found = blame(heaptape, planted["kept"], "--at=end", "--by=site", "-a", "jemalloc")
    assert found["allocator"] == "jemalloc"
    assert found["sparse_bytes"] < 100 * PAGE
    moved = blame(heaptape, planted["kept"], "--at=end", "--by=site")["groups"][0]
    assert moved["gone_bytes"] - 40 * PAGE <= moved["moved_bytes"] < moved["gone_bytes"]


def test_the_one_who_pins_huge_pages_is_named_first(heaptape, planted):
    """Blocks a MiB apart: next to nothing on pages of 4 KiB, nearly all of the heap on pages of 2 MiB."""
    small = blame(heaptape, planted["huge"], "--at=end", "--by=site")
    assert small["page_bytes"] == PAGE and small["sparse_bytes"] < 200 * PAGE
    found = blame(heaptape, planted["huge"], "--at=end", "--by=site", "--page=2M")
    assert found["page_bytes"] == HUGE and found["resident_pages_bytes"] == small["resident_pages_bytes"]
    first, second = found["groups"][:2]
    assert first["name"].startswith("pin blame_case.c:") and second["name"].startswith("linger blame_case.c:")
    pinned, lingered = planted["huge counts"]["pinned"], planted["huge counts"]["lingered"]
    assert pinned >= 30 and lingered >= 6
    # The replay's heap begins elsewhere within 2 MiB: a page more or less at each end of a stretch.
    assert first["gone_bytes"] == pytest.approx(pinned * HUGE, rel=0.1)
    assert second["gone_bytes"] == pytest.approx(lingered * HUGE, abs=2 * HUGE)
    assert first["gone_bytes"] - first["moved_bytes"] == PAGE
    table = heaptape("blame", planted["huge"], "--at=end", "--by=site", "--page=2M").stdout
    assert "2 MiB pages under 25 %" in table


def test_huge_pages_are_told(heaptape, planted, monkeypatch):
    """jemalloc asks for them with thp:always."""
    with open("/sys/kernel/mm/transparent_hugepage/enabled") as enabled:
        if "[never]" in enabled.read():
            pytest.skip("no transparent huge pages here")
    assert blame(heaptape, planted["huge"], "--at=peak", "--by=size", "--page=2M")["huge_pages_bytes"] == 0
    monkeypatch.setenv("MALLOC_CONF", "thp:always")
    found = blame(heaptape, planted["huge"], "--at=peak", "--by=size", "--page=2M", "-a", "jemalloc")
    if not found["huge_pages_bytes"]:
        pytest.skip("the kernel had none to give")
    assert found["huge_pages_bytes"] % HUGE == 0 and found["huge_pages_bytes"] <= found["resident_pages_bytes"]
    assert found["sparse_huge_bytes"] <= min(found["sparse_bytes"], found["huge_pages_bytes"])
    table = heaptape("blame", planted["huge"], "--at=peak", "--by=size", "--page=2M", "-a", "jemalloc").stdout
    assert "in huge pages" in table


# ---- counted once more --------------------------------------------------------------------------------------


def pages_by_hand(one) -> dict:
    """Page: {block index: (requested bytes on it, extent on it)}, of resident pages of writable memory."""
    pages = {}
    for start, end, flags in one.mappings.tolist():
        if flags & WRITE and not flags & FILE:
            for run_start, run_end, _ in one.runs.tolist():
                for page in range(max(start, run_start), min(end, run_end), PAGE):
                    pages[page] = {}
    rows = zip(one.address.tolist(), one.requested.tolist(), one.usable.tolist())
    for index, (address, requested, usable) in enumerate(rows):
        extent = max(requested, usable, 1)
        page = address // PAGE * PAGE
        while page < address + extent:
            if page in pages:
                part = [max(0, min(address + n, page + PAGE) - max(address, page)) for n in (requested, extent)]
                pages[page][index] = part
            page += PAGE
    return pages


def put_together(pages, size) -> dict:
    """Page of that size: (resident bytes of it, blocks as above)."""
    large = collections.defaultdict(lambda: [0, collections.defaultdict(lambda: [0, 0])])
    for page, blocks in pages.items():
        found = large[page // size]
        found[0] += PAGE
        for index, part in blocks.items():
            found[1][index] = [a + b for a, b in zip(found[1][index], part)]
    return dict(large)


def live_on(blocks) -> int:
    return sum(part[0] for part in blocks.values())


def groups_by_hand(pages, key_of, share_limit) -> dict:
    """Key: [gone bytes, touched bytes, live bytes, blocks, share]."""
    found = collections.defaultdict(lambda: [0, 0, 0, set(), 0.0])
    for resident, blocks in pages.values():
        live, held = live_on(blocks), sum(part[1] for part in blocks.values())
        if not blocks or live >= int(share_limit * resident + 0.5):
            continue
        groups = {key_of(index) for index in blocks}
        for key in groups:
            found[key][0] += resident if len(groups) == 1 else 0
            found[key][1] += resident
        for index, (requested, extent) in blocks.items():
            found[key_of(index)][2] += requested
            found[key_of(index)][3].add(index)
            found[key_of(index)][4] += resident * (requested / live if live else extent / held)
    return found


def check_pages(found, pages, share_limit) -> None:
    """What blame tells of the pages is what was counted by hand."""
    whole = sum(resident for resident, _ in pages.values())

    def under(limit) -> float:
        return sum(resident for resident, blocks in pages.values() if live_on(blocks) < limit * resident) / whole

    assert found["resident_pages_bytes"] == whole
    assert found["empty_bytes"] == sum(resident for resident, blocks in pages.values() if not blocks)
    assert found["sparse_bytes"] == sum(
        resident for resident, blocks in pages.values() if blocks and live_on(blocks) < int(share_limit * resident + 0.5))
    assert found["under_10_percent_share"] == pytest.approx(under(0.1), abs=1e-6)
    assert found["under_25_percent_share"] == pytest.approx(under(0.25), abs=1e-6)


def check_groups(found, pages, one, share_limit) -> None:
    wanted = groups_by_hand(pages, lambda index: int(one.lane[index]), share_limit)
    assert len(found["groups"]) == len(wanted)
    for group in found["groups"]:
        gone, touched, bytes_, blocks, share = wanted[int(group["name"].split()[1])]
        assert group["gone_bytes"] == gone and group["touched_bytes"] == touched
        assert group["sparse_live_bytes"] == bytes_ and group["sparse_blocks"] == len(blocks)
        assert group["share_bytes"] == pytest.approx(share, abs=1)
    ranked = [group["gone_bytes"] for group in found["groups"]]
    assert ranked == sorted(ranked, reverse=True)
    assert sum(g["share_bytes"] for g in found["groups"]) == pytest.approx(found["sparse_bytes"], abs=3)


@pytest.mark.parametrize("allocator", ["libc", "htmalloc", "mimalloc"])
def test_figures_counted_once_more(heaptape, tape, tmp_path, allocator):
    heap = tmp_path / "x.heap"
    assert heaptape("replay", tape, "--memory", f"--snapshots={heap}", "-a", allocator).returncode == 0
    taken = {1: "end", 2: "live"}
    for one in snapshots.read(heap):
        at = taken[1] if one.kinds & snapshots.END else taken[2] if one.kinds & snapshots.PEAK_REQUESTED else None
        if not at:
            continue
        small = pages_by_hand(one)
        for percent, page in ((10, PAGE), (60, PAGE), (25, HUGE), (60, 1 << 16)):
            found = blame(heaptape, tape, f"--heap={heap}", f"--at={at}", "--by=lane", f"--under={percent}", f"--page={page}")
            pages = put_together(small, page)
            check_pages(found, pages, percent / 100)
            check_groups(found, pages, one, percent / 100)


# ---- in a bench and its report ------------------------------------------------------------------------------


def test_the_report_tells_who_pins(heaptape, planted, tmp_path):
    """bench --snapshots leaves what blame says; the page has it, names escaped; what is torn is left out."""
    out = tmp_path / "results"
    made = heaptape("bench", planted["kept"], "-a", "libc", "-n", 1, "--latency-rounds=0", "--snapshots", "-o", out)
    assert made.returncode == 0, made.stderr
    end = out / "snapshots" / "kept.libc.end.json"
    found = json.loads(end.read_text())
    assert found["groups"][0]["name"].startswith("pin blame_case.c:") and found["allocator"] == "libc"
    assert json.loads((out / "snapshots" / "kept.libc.peak.json").read_text())["at"] == "peak"
    huge = json.loads((out / "snapshots" / "kept.libc.end-2M.json").read_text())
    assert huge["page_bytes"] == HUGE and huge["groups"][0]["name"].startswith("pin blame_case.c:")
    found["groups"][0]["name"] = "<script>pin</script> x.c:1 < main"
    end.write_text(json.dumps(found))
    assert heaptape("report", out, "--format=html").returncode == 0
    page = (out / "report.html").read_text()
    assert "Whose blocks pin nearly empty pages" in page and "end, 2 MiB pages" in page
    assert "&lt;script&gt;pin&lt;/script&gt; x.c:1" in page and "<script>pin" not in page
    end.write_text(end.read_text()[:200])
    assert heaptape("report", out, "--format=html").returncode == 0
    assert "script&gt;pin" not in (out / "report.html").read_text()
    # The next bench there begins anew.
    assert heaptape("bench", planted["kept"], "-a", "libc", "-n", 1, "--latency-rounds=0", "-o", out).returncode == 0
    assert not (out / "snapshots").exists()


def test_compare_takes_it_along(heaptape, tmp_path):
    """The main job with --snapshots and --sites: maps and names in one go."""
    out = tmp_path / "out"
    made = heaptape("compare", "--snapshots", "--sites", "-n", 1, "-a", "libc", "-o", out, "--", CASE)
    assert made.returncode == 0, made.stderr
    page = (out / "report.html").read_text()
    assert "data-heaps=" in page and "pin blame_case.c:" in page


# ---- moments, forms -----------------------------------------------------------------------------------------


def test_moments(heaptape, tape, tmp_path):
    events = blame(heaptape, tape, "--by=size")["events"]
    for at, event in (("30000", 30000), ("30k", 30000), ("25%", events // 4), ("0%", 0), ("end", events - 1), ("100%", events - 1)):
        found = blame(heaptape, tape, f"--at={at}", "--by=size")
        assert found["event"] == event and found["at"] == at
    # Of mimalloc, which gives nothing back, the peak is where it got there and not the end.
    heap = tmp_path / "x.heap"
    assert heaptape("replay", tape, "--memory", f"--snapshots={heap}", "-a", "mimalloc").returncode == 0
    resident = [(one.resident_bytes, one.event) for one in snapshots.read(heap)]
    first = next(event for bytes_, event in resident if bytes_ >= 0.99 * max(resident)[0])
    assert blame(heaptape, tape, f"--heap={heap}", "--by=size")["event"] == min(first, events - 1)
    live = blame(heaptape, tape, "--at=live", "--by=size")
    assert live["requested_bytes"] >= blame(heaptape, tape, "--at=peak", "--by=size")["requested_bytes"]


def test_a_time_is_the_last_event_by_then(heaptape, planted):
    """As the dump has the times; what is beyond the tape is told with its length."""
    dumped = heaptape("trace", "dump", planted["kept"], "--format=csv")
    times = [int(row["time_ns"]) for row in csv.DictReader(io.StringIO(dumped.stdout))]
    middle = times[len(times) // 2]
    for at in (middle, 0, times[-1]):
        wanted = max((i for i, time in enumerate(times) if time <= at), default=0)
        assert blame(heaptape, planted["kept"], f"--at={at}ns", "--by=size")["event"] == wanted
    fails(heaptape, 2, "recorded for", planted["kept"], "--at=3m")
    fails(heaptape, 2, "recorded for", planted["kept"], "--at=1h")


def test_forms_have_the_same_figures(heaptape, planted):
    options = ["--at=end", "--count=3"]
    wanted = blame(heaptape, planted["kept"], *options)
    assert {group["by"] for group in wanted["groups"]} == {"site", "size", "lane", "age"}
    done = heaptape("blame", planted["kept"], *options, "--format=csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(r["by"], r["name"], int(r["live_bytes"])) for r in rows] == [
        (g["by"], g["name"], g["live_bytes"]) for g in wanted["groups"]]
    table = heaptape("blame", planted["kept"], *options).stdout
    assert "By call site" in table and "pin blame_case.c:" in table and "< grow blame_case.c:" in table
    assert all(len(line) <= 120 for line in table.splitlines())


def test_stacks(heaptape, planted, tmp_path):
    """Folded stacks and the flame graph hold all of the nearly empty pages, each split among its sites."""
    flame, folded = tmp_path / "x.svg", tmp_path / "x.folded"
    found = blame(heaptape, planted["kept"], "--at=end", f"--flame={flame}", f"--folded={folded}")
    lines = [line.rpartition(" ") for line in folded.read_text().splitlines()]
    assert sum(int(weight) for _, _, weight in lines) == pytest.approx(found["sparse_bytes"], abs=len(lines))
    stack, _, weight = max(lines, key=lambda line: int(line[2]))
    assert [frame.split()[0] for frame in stack.split(";")][-3:] == ["main", "grow", "pin"]
    assert int(weight) == next(g["share_bytes"] for g in found["groups"] if g["by"] == "site")
    drawn = xml.etree.ElementTree.parse(flame).getroot()
    titles = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any(t.startswith("pin blame_case.c:") for t in titles) and titles[0].startswith("all: ")
    assert not [e for e in drawn.iter() if "href" in e.attrib or "src" in e.attrib]
    to_stdout = heaptape("blame", planted["kept"], "--at=end", "--folded=-")
    assert to_stdout.stdout == folded.read_text()
    sizes = heaptape("blame", planted["kept"], "--at=end", "--by=size", "--folded=-")
    assert sizes.stdout.startswith("40 B ")


def test_depth_puts_sites_together(heaptape, planted):
    deep = blame(heaptape, planted["kept"], "--at=end", "--by=site", "--depth=1")
    assert deep["groups"][0]["name"].startswith("pin ") and " < " not in deep["groups"][0]["name"]


def test_every_key_is_explained(heaptape, planted):
    """METRICS.md knows all of them."""
    named = set(re.findall(r"`([a-z_0-9]+)`", (ROOT / "analysis/METRICS.md").read_text()))
    found = blame(heaptape, planted["kept"], "--at=end")
    assert (set(found) | set(found["groups"][0])) - named - {"groups", "tape", "allocator"} == set()


# ---- what cannot be done ------------------------------------------------------------------------------------


def fails(heaptape, status, word, *arguments):
    done = heaptape("blame", *arguments)
    assert done.returncode == status, (done.returncode, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("heaptape ") and word in lines[0], done.stderr
    assert done.stdout == ""


def test_mistakes_are_one_line(heaptape, planted, tape, tmp_path):
    heap = tmp_path / "x.heap"
    assert heaptape("replay", tape, "--memory", f"--snapshots={heap}").returncode == 0
    fails(heaptape, 2, "no tape")
    fails(heaptape, 2, "--by=colour", tape, "--by=colour")
    fails(heaptape, 2, "--at=noon", tape, "--at=noon")
    fails(heaptape, 2, "--at=1G", tape, "--at=1G")
    for at in ("", "-1", "150%", "%", "-3%", "s", "1.5x", "0x10"):
        fails(heaptape, 2, "--at=", tape, f"--at={at}")
    fails(heaptape, 2, "--under", tape, "--under=120")
    for page in ("3k", "2k", "2G", "0", "large"):
        fails(heaptape, 2, "--page", tape, f"--page={page}")
    fails(heaptape, 2, "--touch", tape, f"--heap={heap}", "--touch=none")
    fails(heaptape, 3, "--sites", tape, "--by=site")
    fails(heaptape, 3, "not of this tape", planted["kept"], f"--heap={heap}", "--by=site")
    fails(heaptape, 3, "not snapshots", tape, f"--heap={tape}")
    fails(heaptape, 3, "not a tape", CASE)
    fails(heaptape, 4, "nowhere", tape, "--flame=/nowhere/x.svg")
    fails(heaptape, 4, "nowhere", tape, "--heap=/nowhere/x.heap")
    fails(heaptape, 2, "nobody", tape, "-a", "nobody")


def test_damaged_snapshots_are_told(heaptape, tape, tmp_path):
    heap = tmp_path / "x.heap"
    assert heaptape("replay", tape, "--memory", f"--snapshots={heap}").returncode == 0
    good = heap.read_bytes()
    last = len(good) - 7
    for bad in (good[:20], good[:100], good[:-1], good[:last] + bytes([good[last] ^ 1]) + good[last + 1:]):
        heap.write_bytes(bad)
        fails(heaptape, 3, "take the snapshots again", tape, f"--heap={heap}", "--at=end")
