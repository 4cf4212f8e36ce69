"""Formulas and words of the report, against numbers worked out by hand."""

import dataclasses
import math
from types import SimpleNamespace

import numpy
import pytest

import report_path  # noqa: F401
from make_results import make
from report import (
    charts_fragmentation,
    charts_overview,
    charts_pareto,
    charts_sizes,
    curves,
    inline,
    labels,
    memory_cells,
    palette,
    units,
    verdict,
)
from report.fields import Interval
from report.memory_figures import Fragmentation, OverTime, Reallocs
from report.overview import Overall, geometric_mean, interval_of_mean, overall
from report.results import Sizes, load

NBSP = "\N{NO-BREAK SPACE}"


def plain(text: str) -> str:
    return text.replace(NBSP, " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (10 * 1024, "10.0 KiB"),
        (34.2 * 2**20, "34.2 MiB"),
        (100 * 2**20, "100 MiB"),
        (99.96 * 2**20, "100 MiB"),
        (5 * 2**30, "5.00 GiB"),
        (None, "unknown"),
    ],
)
def test_bytes(value, text):
    assert plain(units.as_bytes(value)) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (4, "4.00 ns"),
        (19.84, "19.8 ns"),
        (123.4, "123 ns"),
        (9999, "9999 ns"),
        (12_000, "12.0 µs"),
        (2.5e9, "2500 ms"),
        (1.2e10, "12.0 s"),
    ],
)
def test_ns(value, text):
    assert plain(units.as_ns(value)) == text


@pytest.mark.parametrize(
    "ratio, text",
    [
        (0.69, "−31 %"),
        (1.14, "+14 %"),
        (1.029, "+2.9 %"),
        (1.0, "0.0 %"),
        (2.4, "2.4×"),
        (12, "12×"),
    ],
)
def test_change(ratio, text):
    assert plain(units.as_change(ratio)) == text


def test_verdict_says_the_change_with_its_interval():
    shown = verdict.phrase(Interval(0.69, 0.67, 0.71, "faster"), "time", verdict.TIME_WORDS)
    assert (
        plain(shown.words) == "31 % less time"
        and plain(shown.interval) == "29 to 33 %"
        and shown.kind == verdict.BETTER
    )
    more = verdict.phrase(Interval(1.14, 1.12, 1.15, "more"), "memory", verdict.MEMORY_WORDS)
    assert (
        plain(more.words) == "14 % more memory"
        and plain(more.interval) == "12 to 15 %"
        and more.kind == verdict.WORSE
    )
    times = verdict.phrase(Interval(2.34, 2.2, 2.5, "more"), "memory", verdict.MEMORY_WORDS)
    assert plain(times.words) == "2.3 times the memory" and plain(times.interval) == "2.2 to 2.5 times"


def test_verdict_admits_that_nothing_is_shown():
    none = verdict.phrase(Interval(1.002, 0.98, 1.02, "no difference shown"), "time", verdict.TIME_WORDS)
    assert none.words == "no difference in time shown"
    assert plain(none.interval) == "2.0 % less to 2.0 % more"
    assert verdict.phrase(None, "time", verdict.TIME_WORDS) is None


def test_headline_does_not_rank_what_is_not_shown():
    """Intervals that miss 1 are not enough: the test of significance has looked at all of them together."""
    none = "no difference shown"
    rows = [
        SimpleNamespace(allocator=name, ns=None, relative_time=Interval(ratio, ratio - 0.1, ratio + 0.1, said))
        for name, ratio, said in (("libc", 1, "baseline"), ("htmalloc", 0.7, none), ("mimalloc", 0.75, none))
    ]
    assert verdict.superlative(rows, "ns", "relative_time", "fastest", verdict.TIME_WORDS) == "no allocator is shown to be fastest"


def test_headline_names_the_best_and_those_not_told_apart(tmp_path):
    make(tmp_path, allocators=("libc", "htmalloc", "mimalloc", "first-fit", "null"), points=400)
    tape = load(tmp_path).tapes[0]
    # Ratios of 0.66 and 0.69 with 1.5 % either way do not meet; libc and first-fit in memory do.
    assert (
        verdict.headline(tape)
        == "htmalloc is fastest (34\N{NO-BREAK SPACE}% less time than libc); libc and first-fit are leanest, with no difference shown between them."
    )
    said = verdict.lines(tape)
    assert [l.allocator for l in said] == ["htmalloc", "mimalloc", "first-fit"]
    assert (
        verdict.undecided(said)
        == "No difference shown between libc and first-fit, neither in time nor in memory."
    )


def test_headline_without_anything_to_say(tmp_path):
    make(
        tmp_path / "a",
        allocators=("libc", "mimalloc"),
        failures={(None, "libc"): ("crashed", ""), (None, "mimalloc"): ("timeout", "")},
        points=5,
    )
    assert verdict.headline(load(tmp_path / "a").tapes[0]) == "No allocator got through this tape."
    make(tmp_path / "b", allocators=("libc", "null"), points=5)
    assert "alone" in verdict.headline(load(tmp_path / "b").tapes[0])


def test_geometric_mean():
    assert geometric_mean((0.5, 2.0)) == pytest.approx(1.0)
    assert geometric_mean((1.0, 1.0, 8.0)) == pytest.approx(2.0)
    assert geometric_mean(()) is None


def test_overall_counts_failures(tmp_path):
    make(
        tmp_path,
        tapes=(("a", "p"), ("b", "q")),
        allocators=("libc", "mimalloc"),
        failures={("b", "mimalloc"): ("crashed", "")},
        points=5,
    )
    found = {o.allocator: o for o in overall(load(tmp_path))}
    assert found["mimalloc"].failed == 1 and len(found["mimalloc"].time) == 1
    assert found["libc"].time_mean == pytest.approx(1.0)


def test_fragmentation_is_held_over_requested_less_one(tmp_path):
    make(tmp_path, points=5)
    (tmp_path / "series" / "tape-a.libc.csv").write_text(
        "operation,time_seconds,requested_bytes,usable_bytes,held_bytes,resident_bytes\n"
        "0,0,0,0,10,0\n1,0,9,9,50,24\n2,0,100,100,150,120\n3,0,25,25,150,100\n"
    )
    row = load(tmp_path).tapes[0].rows[0]
    operation, value = charts_fragmentation.ratio(row)
    assert list(operation) == [0, 1, 2, 3]
    assert math.isnan(value[0]) and math.isnan(value[1]), "R of 0 and of 9 are under a tenth of 100"
    assert list(value[2:]) == pytest.approx([0.5, 5.0])


def test_the_cells_of_memory_stand_below_their_headings(tmp_path):
    """Each of the two long tables, with a figure of its own in each column."""
    make(tmp_path, allocators=("libc",), points=10)
    row = load(tmp_path).tapes[0].rows[0]
    row = dataclasses.replace(
        row, startup_resident=1024.0, metadata=2048.0, peak_usable=3072.0, peak_held=4096.0, held_known=True, rounds_ok=3, rounds=4,
        fragmentation=Fragmentation(mean_over_time=0.1, at_peak_requested=0.2, at_peak_held=0.3, max_held_over_max_requested=0.4,
                                    area_ratio=1.5, at_end=0.6, peak_utilization=0.7, blow_up=1.8, resident_blow_up=1.9),
        over_time=OverTime(requested=5120.0, held=6144.0, resident=7168.0, resident_byte_seconds=8192.0, resident_by_time=9216.0),
        reallocs=Reallocs(in_place=11.0, moved=12.0, moved_bytes=10240.0),
    )  # fmt: skip

    def said(columns, cells):
        assert len(columns) == 1 + len(cells)
        return {c: cell.text.replace(units.SPACE, " ") for c, cell in zip(columns[1:], cells)}

    assert said(memory_cells.MORE_COLUMNS, memory_cells.more_cells(row)) == {
        "Resident at start": "1.00 KiB", "Own tables, told": "2.00 KiB", "Peak usable U": "3.00 KiB", "Peak held H": "4.00 KiB",
        "Mean of H/R − 1": "10 %", "H/R − 1 at peak R": "20 %", "H/R − 1 at peak H": "30 %", "max H / max R − 1": "40 %",
        "H/R − 1 at the end": "60 %", "Area ratio ΣH/ΣR": "1.50", "Utilization max R / max H": "70 %", "Rounds": "3 of 4",
    }  # fmt: skip
    assert said(memory_cells.OVER_TIME_COLUMNS, memory_cells.over_time_cells(row)) == {
        "Mean held": "6.00 KiB", "Mean resident": "7.00 KiB", "Mean resident by time": "9.00 KiB", "Resident × time": "8.00 KiB·s",
        "Blow-up of held": "1.80", "Blow-up of resident": "1.90", "Reallocs in place": "11", "Reallocs moved": "12", "Moved along": "10.0 KiB",
    }  # fmt: skip


def test_pareto_front():
    points = [(10, 5), (8, 7), (12, 4), (11, 6), (8, 9), (10, 5)]
    assert [points[i] for i in charts_pareto.front(points)] == [(8, 7), (10, 5), (12, 4)]
    assert charts_pareto.front([(1, 1)]) == [0]


def test_labels_are_spread_apart_in_order_and_inside():
    placed = labels.spread([10, 10, 10, 50], 5, 0, 100)
    assert placed == pytest.approx([5, 10, 15, 50])
    placed = labels.spread([99, 98, 97], 5, 0, 100)
    assert placed[2] < placed[1] < placed[0] <= 100 + 1e-9
    assert min(b - a for a, b in zip(sorted(placed), sorted(placed)[1:])) >= 5 - 1e-9
    assert labels.spread([], 5, 0, 100) == []


def test_thinning_keeps_every_extreme():
    x = numpy.arange(100_000)
    y = numpy.zeros(100_000)
    y[54_321], y[777] = 9.0, -3.0
    tx, ty = curves.thin(x, y)
    assert len(tx) <= 1200 and ty.max() == 9.0 and ty.min() == -3.0
    assert list(tx) == sorted(tx) and tx[0] == 0 and tx[-1] == 99_999


def test_sizes_regrouped_lose_nothing():
    low = numpy.array([0, 16, 32, 1024, 4096, 1 << 40], dtype=float)
    sizes = Sizes(
        low, low + 15, numpy.array([1, 2, 3, 4, 5, 6.0]), numpy.array([0, 40, 100, 4100, 20480, 6.6e12])
    )
    edges = charts_sizes.edges_for(sizes)
    calls, size = charts_sizes.regroup(sizes, edges)
    assert calls.sum() == 21 and size.sum() == sizes.allocated_bytes.sum()
    assert calls[:3].tolist() == [1, 2, 3]
    assert charts_sizes.reached(sizes, sizes.allocations) == 4096 + 15


def test_colours_are_fixed_by_name():
    assert palette.colours(["libc", "mimalloc"])["mimalloc"] == "#009e73"
    one, other = palette.colours(["best-fit", "libc"]), palette.colours(["zzz", "best-fit", "jemalloc"])
    assert one["best-fit"] == palette.colours(["best-fit"])["best-fit"]
    assert len(set(other.values())) == 3


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two colours."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_names_can_be_read_on_both_papers():
    for colour in [*palette.FIXED.values(), *palette.OTHERS]:
        assert contrast(palette.letters(colour), "#ffffff") >= 4.5, colour
        assert contrast(palette.dark(palette.letters(colour)), "#1d1d22") >= 4.5, colour


SHEET = """<?xml version="1.0"?>
<svg width="1pt" height="1pt" viewBox="0 0 720 360" version="1.1">
 <g id="figure_1">
  <g id="patch_1">
   <path d="M 0 0 L 1 1 "/>
  </g>
  <g id="cell-0-1">
   <defs><path id="b" d="M 0 0 L 0 2.5 "/></defs>
   <path style="fill: #0072b2; stroke: #1c1c21" clip-path="url(#c)"/>
   <use xlink:href="#b"/><text>#0072b2</text>
  </g>
  <g id="cell-1-2">
   <use xlink:href="#b"/>
  </g>
  <g id="text_9">
   <text>title</text>
  </g>
 </g>
 <defs>
  <clipPath id="c"><rect x="0" y="0"/></clipPath>
 </defs>
</svg>"""


def test_inline_svg_has_its_own_ids_and_no_fixed_colours():
    """A sheet of 10 x 5 inches, cut into its two parts, each with the definitions that it needs."""
    boxes = [(0, 0.5, 5, 4), (5, 0.5, 5, 4)]
    first, second = inline.for_page(SHEET, "p", boxes, 5, 'say "x" <b>', "more & more")
    assert 'viewBox="0 36 360 288"' in first and 'viewBox="360 36 360 288"' in second
    assert "url(#p-0-c)" in first and '<clipPath id="p-0-c">' in first and 'xlink:href="#p-0-b"' in first
    assert "var(--c-0072b2)" in first and "var(--ink)" in first and "<text>#0072b2</text>" in first
    assert '<path id="p-1-b"' in second and "#p-1-b" in second and "p-1-c" not in second
    assert ">title<" not in first + second and "patch" not in first
    assert '<title id="p-0-title">say &quot;x&quot; &lt;b&gt;, panel 1 of 2</title>' in first
    assert '<desc id="p-0-desc">more &amp; more</desc>' in first and 'aria-describedby="p-0-desc"' in first
    changed, rules = inline.styles_as_classes([first, second])
    assert "style=" not in changed[0].split("</desc>")[1] and "fill: var(--c-0072b2)" in rules
    assert "url(#i" in changed[0] and 'aria-labelledby="p-0-title"' in changed[0]


@pytest.mark.parametrize(
    "path, short",
    [
        ("M 0 0 L 0 2.5 ", "M0 0v2.5"),
        ("M 10 10 L 20 10 L 30 10 L 30 4.96 z ", "M10 10h20v-5z"),
        ("M 1 1 L 1.04 1.04 L 1.08 1.08 L 1.12 1.12 ", "M1 1l.1.1"),
        ("M 1 1 L 2 3 L 1.5 2.5 L 1 1 M 5 5 L 5 5 ", "M1 1l1 2-.5-.5-.5-1.5M5 5h0"),
        ("M 0 1.5 C 0.4 1.5 0.78 1.34 1.06 1.06 z", "M 0 1.5 C 0.4 1.5 0.8 1.3 1.1 1.1 z"),
    ],
)
def test_paths_get_short_and_stay_where_they_are(path, short):
    assert inline.shorter(path) == short


def test_excess_beyond_ten_is_told_in_multiples():
    assert (
        plain(units.as_excess(0.25)) == "25 %"
        and units.as_excess(1247.4) == "1247×"
        and units.as_excess(None) == "unknown"
    )


@pytest.mark.parametrize("low, high", [(0.5, 1.1), (0.9, 2.1), (0.7, 300.0), (0.01, 20.0), (0.99, 1.01)])
def test_a_ratio_axis_always_has_a_tick_at_one(low, high):
    ticks = charts_overview.ticks_around_one(low, high)
    assert 1.0 in ticks and len(ticks) <= 7 and all(low <= t <= high for t in ticks)


def test_a_descendants_tape_is_labelled_with_its_program(tmp_path):
    make(tmp_path, points=5, tapes=(("sh.4711", "/usr/bin/redis-server"), ("jq", "/usr/bin/jq")))
    assert [t.label for t in load(tmp_path).tapes] == ["sh.4711: redis-server", "jq"]


def test_a_mean_over_tapes_says_on_how_many_a_difference_is_shown():
    def phrase(shown):
        entry = Overall("a", (0.5, 0.72), (), 0, time_shown=shown, time_interval=(0.55, 0.65))
        return verdict.overall_phrase(entry, "time", verdict.TIME_WORDS, "time")

    assert phrase(0).words == "no difference in time shown on any tape" and phrase(0).kind == verdict.SAME
    assert plain(phrase(0).interval).startswith("35 to 45 % less; tape by tape 0.50 to 0.72")
    assert plain(phrase(1).words) == "40 % less time" and phrase(1).interval.endswith("a difference is shown on 1 of 2")
    both = phrase(2)
    assert both.kind == verdict.BETTER and "shown" not in both.interval


def test_the_interval_of_a_mean_over_tapes():
    """Two tapes, each 0.8 with the ends a quarter below and above: half width ln(1.25) / sqrt(2)."""
    low, high = interval_of_mean([Interval(0.8, 0.64, 1.0), Interval(0.8, 0.64, 1.0)])
    assert math.isclose(low, 0.8 * 1.25 ** -(0.5**0.5)) and math.isclose(high, 0.8 * 1.25 ** (0.5**0.5))
    assert interval_of_mean([]) is None


@pytest.mark.parametrize(
    "low, median, high, text",
    [
        (0.67, 0.69, 0.71, "29 to 33 %"),
        (1.221, 1.222, 1.224, "22.1 to 22.4 %"),
        (0.9, 1.01, 1.05, "10 % less to 5.0 % more"),
        (2.71, 2.72, 2.74, "2.71 to 2.74 times"),
        (1.2, 1.2, 1.2, ""),
    ],
)
def test_intervals_in_words(low, median, high, text):
    assert plain(verdict.span(Interval(median, low, high))) == text
