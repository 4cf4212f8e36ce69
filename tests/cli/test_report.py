"""heaptape report, end to end, on synthetic results (tests/analysis/make_results.py)."""

import html.parser
import csv
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from make_results import EVERY, KINDS, make  # noqa: E402

PER_TAPE = (
    "relative_time",
    "peak_resident",
    "time",
    "time_memory",
    "waste",
    "growth",
    "fragmentation",
    "latency",
    "latency_time",
    "sizes",
)


ALL = "--format=html,png,svg,data"


def report(heaptape, folder, *options):
    """Without PNG, which takes longest, unless they are asked for."""
    formats = [] if any(str(o).startswith("--format") for o in options) else ["--format=html,svg"]
    result = heaptape("report", folder, *options, *formats)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result


def png_pixels(path: pathlib.Path) -> tuple[int, int, int]:
    """(width, height, distinct bytes in the picture's data) of a PNG, its structure checked on the way."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, picture, size = 8, b"", (0, 0)
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            picture += body
        assert kind != b"tIME"
        at += 12 + length
    return (*size, len(set(zlib.decompress(picture))))


class Page(html.parser.HTMLParser):
    """Collects what a page would fetch or run, its ids and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.fetched, self.tags, self.ids, self.links, self.words = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for key, value in attributes:
            if key in ("src", "srcset", "data", "poster", "action") or (
                key == "href" and tag in ("link", "image", "use")
            ):
                self.fetched.append(value)
            elif key == "href" and tag == "a":
                self.links.append(value)
            elif key == "id":
                self.ids.append(value)
            assert not key.startswith("on"), (tag, key)

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def many(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    make(folder, **KINDS["many"])
    start = time.monotonic()
    (folder / "stdout").write_text(report(heaptape, folder, ALL).stdout)
    assert time.monotonic() - start < 60  # 5 s where nobody else is at work
    return folder


def test_every_chart_is_there_and_not_blank(many):
    for chart in [f"tape-a.{c}" for c in PER_TAPE] + ["live", "live_time"]:
        width, height, distinct = png_pixels(many / "charts" / f"{chart}.png")
        assert width >= 600 and height >= 250 and distinct > 50, chart
        svg = (many / "charts" / f"{chart}.svg").read_text()
        assert svg.count("<path") + svg.count("<use") > 5 and "<text" in svg, chart


def test_paths_go_to_stdout(many):
    lines = (many / "stdout").read_text().splitlines()
    assert lines[0] == str(many / "report.html")
    assert len([line for line in lines if "/charts/" in line]) == 2 * (len(PER_TAPE) + 2)
    assert all(pathlib.Path(line).is_file() for line in lines)


def test_the_page_needs_no_network(many):
    text = (many / "report.html").read_text()
    page = Page(text)
    assert all(f.startswith("#") for f in page.fetched), page.fetched
    assert "@import" not in text and "url(http" not in text and "fetch(" not in text
    foreign = set(re.findall(r"https?://[^\"'<> )]+", text)) - {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not foreign
    assert len(page.ids) == len(set(page.ids)), "ids are unique"
    assert all((many / link).exists() for link in page.links if not link.startswith("#"))
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))


def test_the_page_says_what_was_measured(many):
    words = " ".join(Page((many / "report.html").read_text()).words).replace("\N{NO-BREAK SPACE}", " ")
    for expected in (
        "34 % less time",
        "14 to 16 %",
        "no difference in time shown",
        "htmalloc is fastest",
        "95 % interval",
        "heaptape bench tape-a.tape",
        "Synthetic CPU",
        "percentile bootstrap",
        "synthetic-program",
        "made up by the test suite",
    ):
        assert expected in words, expected


def test_percentiles_of_single_calls(many):
    """By hand: 20 ns times the time relative to libc, ten times that for p99; unknown ones are not told."""
    text = (many / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    table = text[text.index("Latency of single calls: percentiles") :].split("</table>")[0]
    rows = [re.sub("<[^>]+>", " ", row).split() for row in table.split("<tbody>")[1].split("</tr>")]
    rows = {tuple(row[:2]): row for row in rows if row}
    assert len(rows) == 4 * len(EVERY), "calloc was never called"
    assert rows["libc", "malloc"][2:10] == ["28.3", "ns", "63.2", "ns", "200", "ns", "632", "ns"]
    assert rows["htmalloc", "free"][6:8] == ["132", "ns"] and rows["null", "malloc"][6:8] == ["20.0", "ns"]
    assert rows["libc", "aligned"][4:9] == ["63.2", "ns", "–", "–", "–"], "too few calls"
    order = [name for name, call in rows if call == "malloc"]
    assert order[0] == "htmalloc" and order[-1] == "null"
    svg = (many / "charts" / "tape-a.latency.svg").read_text()
    assert all(f">{name}<" in svg for name in (*EVERY, "malloc", "free", "realloc"))
    footer = " ".join(re.findall("<text[^>]*>([^<]*)</text>", svg))
    assert "interrupted at most 3 calls" in footer and "error at most 1.6" in footer and "yielded" not in footer
    assert ">aligned<" not in svg and "99.99" in svg, "50 calls have no panel"


def test_results_without_latency_runs(heaptape, tmp_path):
    """As earlier versions left them."""
    assert "latency" not in make(tmp_path, points=10)
    report(heaptape, tmp_path)
    assert not (tmp_path / "charts" / "tape-a.latency.svg").exists()
    assert "Latency of single calls" not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("what", ["gone", "torn", "outside", "backwards", "nan", "binary"])
def test_a_latency_curve_that_cannot_be_used(heaptape, tmp_path, what):
    """One sentence on the page; the percentiles and all other curves stay."""
    folder = tmp_path / "r"
    results = make(folder, allocators=("libc", "mimalloc", "null"), points=10, latency=True)
    row = next(r for r in results["latency"] if r["allocator"] == "mimalloc")
    path = folder / row["shares_csv"]
    if what == "gone":
        path.unlink()
    elif what == "outside":
        (tmp_path / "x.csv").write_bytes(path.read_bytes())
        row["shares_csv"] = "../x.csv"
        (folder / "results.json").write_text(json.dumps(results))
    else:
        texts = {"torn": "malloc,0.5,", "backwards": "malloc,0.9,1\nmalloc,0.5,1", "nan": "malloc,0.5,nan"}
        path.write_bytes(b"\xff\xfe" if what == "binary" else b"call,share,ns\n" + texts[what].encode())
    report(heaptape, folder)
    words = " ".join(Page((folder / "report.html").read_text()).words)
    assert words.count("No latency curve") == 1 and "Latency of single calls: percentiles" in words
    svg = (folder / "charts" / "tape-a.latency.svg").read_text()
    assert ">libc<" in svg and ">mimalloc<" not in svg


def test_failures_are_failures_and_never_zero(heaptape, tmp_path):
    make(tmp_path, **KINDS["failures"])
    report(heaptape, tmp_path)
    words = " ".join(Page((tmp_path / "report.html").read_text()).words)
    assert words.count("crashed: SIGSEGV at operation 4242") >= 3, "verdict, table and charts"
    assert "timed out" in words and "out of memory" in words
    time_svg = (tmp_path / "charts" / "tape-a.time.svg").read_text()
    assert "✕ crashed" in time_svg and "0.00 ns" not in time_svg


def test_names_are_text(heaptape, tmp_path):
    make(tmp_path, **KINDS["hostile"])
    report(heaptape, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert page.tags.count("script") == 2 and "img" not in page.tags
    words = "".join(page.words)
    assert "<script>alert(1)</script>" in words and "<img src=x onerror=alert(2)>" in words
    assert "a$b_{c}^d" in (tmp_path / "charts" / "script.time.svg").read_text(), "not a formula"


def test_the_same_input_gives_the_same_bytes(heaptape, tmp_path):
    for name in ("one", "two"):
        make(
            tmp_path / name,
            allocators=EVERY[:2],
            live=True,
            points=50,
        )
        report(heaptape, tmp_path / name, ALL)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) > 20
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


@pytest.mark.parametrize("kind", ["one", "nolibc", "several"])
def test_other_kinds_of_results(heaptape, tmp_path, kind):
    make(tmp_path, **{**KINDS[kind], "points": 30})
    report(heaptape, tmp_path, "--format=html,svg")
    assert (tmp_path / "charts" / "overview.svg").exists() == (kind == "several")
    assert "Traceback" not in (tmp_path / "report.html").read_text()


def test_all_failed(heaptape, tmp_path):
    make(
        tmp_path,
        allocators=("libc", "mimalloc"),
        failures={(None, "libc"): ("crashed", "x"), (None, "mimalloc"): ("error", "y")},
    )
    report(heaptape, tmp_path)
    assert "No allocator got through" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("settings", [{}, {"confidence": "x"}, {"confidence": 7}])
def test_settings_that_do_not_tell(heaptape, tmp_path, settings):
    """Of another version, or edited: what is not known is not said."""
    results = make(tmp_path, points=20)
    results["settings"] = settings
    (tmp_path / "results.json").write_text(json.dumps(results))
    report(heaptape, tmp_path, "--format=html")
    text = (tmp_path / "report.html").read_text()
    assert "In brackets: intervals; none" in text and "95&nbsp;%" not in text


@pytest.mark.parametrize("column", ["requested_bytes", "usable_bytes", "held_bytes", "resident_bytes"])
def test_a_column_without_figures(heaptape, tmp_path, column):
    """A series in which all of R, U or P is empty is no curve, and the page says so; H alone may be unknown."""
    make(tmp_path, allocators=("libc", "mimalloc", "null"), points=20)
    for path in (tmp_path / "series").glob("*.csv"):
        header, *rows = csv.reader(path.read_text().splitlines())
        if column in header and "operation" in header:
            rows = [["" if name == column else cell for name, cell in zip(header, row)] for row in rows]
            path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    report(heaptape, tmp_path, "--format=html")
    told = "No memory curve" in (tmp_path / "report.html").read_text()
    assert told == (column != "held_bytes")


def test_an_interrupted_bench_says_so(heaptape, tmp_path):
    results = make(tmp_path, points=20)
    results["complete"] = False
    (tmp_path / "results.json").write_text(json.dumps(results))
    report(heaptape, tmp_path, "--format=html")
    assert "interrupted" in (tmp_path / "report.html").read_text()


def test_long_series_stay_quick_and_small(heaptape, tmp_path):
    make(tmp_path, allocators=EVERY, points=4096)
    start = time.monotonic()
    report(heaptape, tmp_path, "--format=html")
    assert time.monotonic() - start < 60
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_formats(heaptape, tmp_path):
    make(tmp_path / "r", points=20)
    report(heaptape, tmp_path / "r", "--format=svg", "-o", tmp_path / "o")
    assert {p.suffix for p in (tmp_path / "o").rglob("*") if p.is_file()} == {".svg"}
    report(heaptape, tmp_path / "r", "--format=html", "-o", tmp_path / "h")
    assert [p.name for p in (tmp_path / "h").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    "prepare, status, word",
    [
        (lambda f: None, 3, "no results.json"),
        (lambda f: shutil.rmtree(f), 3, "no such folder"),
        (lambda f: (f / "results.json").write_text('{"schema_version": 1, "su'), 3, "torn"),
        (lambda f: (f / "results.json").write_text('{"schema_version": 99}'), 3, "schema_version 99"),
        (lambda f: (f / "results.json").write_text('{"schema_version": 1}'), 3, "nothing was measured"),
    ],
)
def test_folders_that_cannot_be_used(heaptape, tmp_path, prepare, status, word):
    folder = tmp_path / "r"
    folder.mkdir()
    prepare(folder)
    result = heaptape("report", folder)
    assert result.returncode == status and word in result.stderr
    assert (
        result.stderr.startswith("heaptape report: ")
        and result.stderr.count("\n") == 1
        and result.stdout == ""
    )


@pytest.mark.parametrize("arguments", [(), ("a", "b", "c"), ("--nope", "a"), ("a", "--format=pdf"), ("a", "-o")])
def test_usage_errors(heaptape, arguments):
    result = heaptape("report", *arguments)
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and "--help" in result.stderr


def test_unwritable_output(heaptape, tmp_path):
    make(tmp_path / "r", points=10)
    (tmp_path / "file").write_text("")
    result = heaptape("report", tmp_path / "r", "-o", tmp_path / "file" / "x")
    assert result.returncode == 4 and result.stderr.count("\n") == 1 and "cannot write" in result.stderr


def test_help_begins_with_examples(heaptape):
    assert heaptape("report", "--help").stdout.startswith("Examples:")
    assert re.fullmatch(r"heaptape \S+\n", heaptape("report", "--version").stdout)


def test_no_python_that_can(heaptape, build, tmp_path):
    """With no python3 in sight but one that lacks everything, one line says what to install."""
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname", "readlink"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    script = (build / "libexec" / "heaptape" / "heaptape-report").read_text()
    script = re.sub(r"/usr/(local/)?bin/python3", "/nonexistent/python3", script)
    copy = tmp_path / "r" / "libexec" / "heaptape" / "heaptape-report"
    copy.parent.mkdir(parents=True)
    copy.write_text(script)
    share = tmp_path / "r" / "share" / "heaptape"
    share.mkdir(parents=True)
    (share / "report").symlink_to(ROOT / "analysis" / "report")
    result = subprocess.run(
        ["/bin/sh", copy, "x"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 4 and "apt-get install" in result.stderr and result.stderr.count("\n") == 1


def test_a_file_called_report_in_the_way_is_not_run(heaptape, tmp_path):
    make(tmp_path / "r", points=10)
    (tmp_path / "report.py").write_text("raise SystemExit(99)\n")
    (tmp_path / "numpy.py").write_text("raise SystemExit(98)\n")
    result = heaptape("report", tmp_path / "r", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("text", ["first_operation,calls\n0,1\n", "first_operation,p50_ns,p99_ns,max_ns\n5,1,1,1\n1,1,1,1\n"])
def test_a_course_of_latencies_that_cannot_be_used(heaptape, tmp_path, text):
    results = make(tmp_path, allocators=("libc", "mimalloc", "null"), points=10, latency=True)
    row = next(r for r in results["latency"] if r["allocator"] == "mimalloc")
    (tmp_path / row["over_time_csv"]).write_text(text)
    report(heaptape, tmp_path)
    assert "No latency over the run" in (tmp_path / "report.html").read_text()
    svg = (tmp_path / "charts" / "tape-a.latency_time.svg").read_text()
    assert ">libc<" in svg and ">mimalloc<" not in svg


def test_where_the_memory_goes_and_relative_time(many):
    """By hand: htmalloc holds 1.04 of R resident at its peak, of which U - R is 4 %; it takes 0.66 of libc's time."""
    text = (many / "charts" / "tape-a.waste.svg").read_text()
    words = [w.replace("\N{NO-BREAK SPACE}", " ") for w in re.findall("<text[^>]*>([^<]*)</text>", text)]
    assert "asked for" in words and "free, cached, tables" in words and any(w.endswith("4.7 % over") for w in words)
    text = (many / "charts" / "tape-a.relative_time.svg").read_text()
    words = [w.replace("\N{NO-BREAK SPACE}", " ") for w in re.findall("<text[^>]*>([^<]*)</text>", text)]
    assert "−34 %" in words and "+0.2 %, not shown" in words and "libc = 1" in words


def test_the_real_programs_processor_time(many):
    """By hand: 0.9 s times the relative wall time on libc, predicted a tenth too low."""
    text = (many / "charts" / "live_time.svg").read_text().replace("\N{NO-BREAK SPACE}", " ")
    words = re.findall("<text[^>]*>([^<]*)</text>", text)
    assert any("1080 ms, predicted 972 ms (−10 %)" in w or "1.08 s, predicted 0.97 s (−10 %)" in w for w in words), words


@pytest.mark.parametrize("text", ["size_low_bytes,size_high_bytes\n1,", "a,b\n1,2\n", None])
def test_lifetimes_that_cannot_be_used(heaptape, tmp_path, text):
    """One sentence, and everything else is there."""
    results = make(tmp_path, points=10)
    results["tapes"][0]["lifetimes_csv"] = "series/x.csv"
    (tmp_path / "results.json").write_text(json.dumps(results))
    if text is not None:
        (tmp_path / "series" / "x.csv").write_text(text)
    report(heaptape, tmp_path, "--format=html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("No lifetimes: series/x.csv") == 1 and "Lifetime by size" not in page and "Heap growth" in page


def test_odd_letters_and_curves_of_nothing_say_so_quietly(heaptape, tmp_path):
    """Not a word on standard error of letters that no font has, and a sentence where a curve holds no figures."""
    results = make(tmp_path, points=10, allocators=("libc", "jemalloc", "null"))
    text = json.dumps(results).replace('"jemalloc"', json.dumps("\t\u202e\u05d0\u0007x"))
    (tmp_path / "results.json").write_text(text)
    path = tmp_path / next(r["series_csv"] for r in results["summary"] if r["allocator"] == "libc")
    lines = path.read_text().splitlines()
    at = lines[0].split(",").index("resident_bytes")
    emptied = [",".join("" if i == at else cell for i, cell in enumerate(line.split(","))) for line in lines[1:]]
    path.write_text("\n".join([lines[0], *emptied]) + "\n")
    made = heaptape("report", tmp_path, "--format=html,png")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    page = (tmp_path / "report.html").read_text()
    assert "No memory curve: " in page and "nothing is known of the resident memory" in page and ">nan" not in page
