"""heaptape plot: gnuplot's charts in the terminal and as files."""

import base64
import json
import os
import pty
import re
import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from make_results import EVERY, KINDS, make  # noqa: E402

CHARTS = (
    "growth", "fragmentation", "relative", "memory", "time", "pareto", "waste", "latency", "latency_time", "faults", "calls", "sizes",
    "live", "live_time",
)  # fmt: skip
HEAP_CHARTS = ("heapmap", "parts", "pages", "free")
SCRIPTS = ROOT / "analysis" / "gnuplot"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many results")  # with a space in its name
    make(folder, **{**KINDS["many"], "points": 120, "counts": True})
    return folder


@pytest.fixture(scope="module")
def snapped(heaptape, tmp_path_factory):
    """A bench with snapshots."""
    folder = tmp_path_factory.mktemp("snapped")
    tape, out = folder / "t.tape", folder / "r"
    made = heaptape("trace", "synth", "-o", tape, "--events=20k", "--live=500", "--size=16..4k")
    assert made.returncode == 0, made.stderr
    made = heaptape("bench", tape, "-a", "libc", "-a", "htmalloc", "-n", 1, "--latency-rounds=0", "--snapshots", "-o", out)
    assert made.returncode == 0, made.stderr
    return out


@pytest.mark.parametrize("chart", CHARTS)
def test_in_the_terminal(heaptape, many, chart):
    result = heaptape("plot", many, f"--chart={chart}")
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert "\x1b" not in result.stdout, "no colour where stdout is no terminal"
    assert chart == "sizes" or all(name in result.stdout for name in EVERY if name != "null")
    assert len(result.stdout.splitlines()) > 15 and max(map(len, result.stdout.splitlines())) <= 130


def test_time_shows_the_figures_and_the_floor(heaptape, many):
    out = heaptape("plot", many, "--chart=time").stdout
    assert "19.8 ns [19.4, 20.2]" in out and "floor 4.00 ns" in out
    assert out.index("htmalloc") < out.index("mimalloc") < out.index("libc"), "fastest first"


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_to_a_file(heaptape, many, tmp_path, chart, ending):
    path = tmp_path / f"a b.{ending}"
    result = heaptape("plot", many, f"--chart={chart}", "-o", path)
    assert result.returncode == 0 and result.stdout == "" and result.stderr == "", result.stderr
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG" if ending == "png" else b"<?xml") and len(data) > 8000


def test_sized_to_the_window(heaptape, many, tmp_path):
    """In a pseudo-terminal of 72 columns no line is longer, and colours are used."""
    command = f"stty cols 72 rows 30; TERM=xterm-256color {ROOT}/heaptape plot '{many}' --chart=fragmentation"
    out = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    ).stdout
    bare = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert "\x1b[" in out and max(len(l.rstrip()) for l in bare.splitlines()) <= 72


def test_failures_are_named(heaptape, tmp_path):
    make(tmp_path, **{**KINDS["failures"], "points": 30})
    growth = heaptape("plot", tmp_path)
    assert growth.returncode == 0 and "tcmalloc" in growth.stderr and "tcmalloc" not in growth.stdout
    assert "crashed" in heaptape("plot", tmp_path, "--chart=time").stdout


def test_latency_has_a_panel_for_each_kind_of_call(heaptape, many):
    """Those most called first; an allocator that does nothing among the curves."""
    out = heaptape("plot", many, "--chart=latency").stdout
    titles = [line.strip() for line in out.splitlines() if line.strip() in ("malloc", "free", "realloc", "aligned")]
    assert titles == ["malloc", "free", "realloc"] and "null" in out and "99.9" in out


def test_no_latency_runs(heaptape, tmp_path):
    make(tmp_path, points=10)
    result = heaptape("plot", tmp_path, "--chart=latency")
    assert result.returncode == 3 and result.stderr.count("\n") == 1 and "--latency-rounds" in result.stderr


def test_choosing_a_tape(heaptape, tmp_path):
    make(tmp_path, tapes=(("tape-a", "p"), ("tape-b", "q")), allocators=EVERY[:3], points=30)
    assert "tape-b" in heaptape("plot", tmp_path, "--tape=tape-b", "--chart=time").stdout
    wrong = heaptape("plot", tmp_path, "--tape=nope")
    assert wrong.returncode == 3 and "tape-a, tape-b" in wrong.stderr


def test_names_run_nothing(heaptape, tmp_path):
    mark = tmp_path / "ran"
    name = f"`touch {mark}`'.system('touch {mark}').'"
    make(tmp_path / "r", tapes=(("t", name),), allocators=("libc", name, "null"), points=20, latency=True, counts=True, live=True)
    for chart in CHARTS:
        assert heaptape("plot", tmp_path / "r", f"--chart={chart}").returncode == 0, chart
    assert not mark.exists()


@pytest.mark.parametrize(
    "arguments, status, word",
    [
        ((), 2, "no results folder"),
        (("a", "b"), 2, "one results"),
        (("a", "--chart=pie"), 2, "--chart"),
        (("a", "-o", "x.pdf"), 2, ".png or .svg"),
        (("a", "--terminal=vt52"), 2, "--terminal"),
        (("a", "-o", "x.png", "--terminal"), 2, "either"),
        (("a", "--nope"), 2, "unknown"),
        (("/proc/none",), 3, "no such folder"),
    ],
)
def test_errors_are_one_line(heaptape, arguments, status, word):
    result = heaptape("plot", *arguments)
    assert result.returncode == status and word in result.stderr
    assert (
        result.stderr.startswith("heaptape plot: ") and result.stderr.count("\n") == 1 and result.stdout == ""
    )


def test_unwritable_file(heaptape, many):
    result = heaptape("plot", many, "-o", "/proc/none/x.png")
    assert result.returncode == 4 and "/proc/none/x.png" in result.stderr


def test_the_scripts_work_alone(many, tmp_path):
    """As their headings promise."""
    series = many / "series"
    (tmp_path / "a.csv").write_bytes((series / "tape-a.libc.csv").read_bytes())
    for script in ("growth", "fragmentation"):
        out = subprocess.run(
            [
                "gnuplot",
                "-e",
                "set terminal dumb; names='libc'; files='a.csv'; plain=1",
                ROOT / "analysis" / "gnuplot" / f"{script}.gp",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "libc" in out.stdout
    (tmp_path / "l.csv").write_bytes((series / "tape-a.libc.latency.csv").read_bytes())
    options = "set terminal dumb; names='libc'; files='l.csv'; plain=1"
    script = ROOT / "analysis" / "gnuplot" / "latency.gp"
    out = subprocess.run(
        ["gnuplot", "-e", options, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "libc" in out.stdout and "malloc" in out.stdout and out.stderr == ""
    (tmp_path / "t.csv").write_text("name,median_ns,low_ns,high_ns,rgb,note\nlibc,30,29,31,0,\n")
    out = subprocess.run(
        [
            "gnuplot",
            "-e",
            "set terminal dumb; table='t.csv'; plain=1",
            ROOT / "analysis" / "gnuplot" / "time.gp",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "30.0 ns [29.0, 31.0]" in out.stdout


def test_help_begins_with_examples(heaptape):
    assert heaptape("plot", "--help").stdout.startswith("Examples:")
    assert re.fullmatch(r"heaptape \S+\n", heaptape("plot", "--version").stdout)


def test_relative_charts_show_the_figures(heaptape, many):
    out = heaptape("plot", many, "--chart=relative").stdout
    assert "-34.0 % [-35.0, -33.0]" in out and out.index("htmalloc |") < out.index("libc |"), "fastest first"
    assert heaptape("plot", many, "--chart=memory").stdout.index("libc") > 0


def test_the_front(heaptape, many):
    """htmalloc is fastest and first-fit or libc leanest: they are on the front, tcmalloc behind it."""
    out = heaptape("plot", many, "--chart=pareto").stdout
    assert "* htmalloc" in out and "o tcmalloc" in out and "o tbbmalloc" in out


@pytest.mark.parametrize("chart", ["faults", "calls"])
def test_what_was_not_counted(heaptape, tmp_path, chart):
    make(tmp_path, points=10)
    result = heaptape("plot", tmp_path, f"--chart={chart}")
    assert result.returncode == 3 and result.stderr.count("\n") == 1 and "not counted" in result.stderr


def test_scripts_by_hand(heaptape, many, tmp_path):
    """On the files that heaptape report writes, as the scripts' first lines say."""
    assert heaptape("report", many, "--format=data", "-o", tmp_path).returncode == 0
    for script, variables in (
        ("relative", "table='data/summary.csv'"),
        ("relative", "table='data/summary.csv'; metric='relative_peak_resident'"),
        ("pareto", "table='data/summary.csv'"),
    ):
        ran = subprocess.run(
            ["gnuplot", "-e", f"set terminal dumb 100 30; {variables}", ROOT / f"analysis/gnuplot/{script}.gp"],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert ran.returncode == 0 and "mimalloc" in ran.stdout and not ran.stderr.strip(), ran.stderr


def test_kittys_pictures(heaptape, many):
    """Pieces of base64 that make a PNG; the first says what it is, the last that it is the last."""
    result = heaptape("plot", many, "--chart=relative", "--terminal=kitty")
    pieces = re.findall("\x1b_G(f=100,a=T,)?m=([01]);([^\x1b]*)\x1b\\\\", result.stdout)
    assert [p[0] != "" for p in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [p[1] for p in pieces] == ["1"] * (len(pieces) - 1) + ["0"] and all(len(p[2]) <= 4096 for p in pieces)
    assert base64.b64decode("".join(p[2] for p in pieces)).startswith(b"\x89PNG")


def in_terminal(many, environment, answers):
    """The chart as a terminal gets it that answers so to questions."""
    child, terminal = pty.fork()
    if not child:
        os.execve(ROOT / "heaptape", ["heaptape", "plot", str(many), "--chart=relative"], environment)
    seen, asked = b"", 0
    try:
        while part := os.read(terminal, 65536):
            seen += part
            for question, answer in answers.items():
                if question in seen[asked:]:
                    asked = seen.index(question, asked) + len(question)
                    os.write(terminal, answer)
    except OSError:  # the other side has ended
        pass
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0
    return seen


def test_a_terminal_that_offers_sixel_is_asked(many):
    """Attribute 4 of the terminal's answer means sixel; its window's size in pixels is kept to."""
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("KITTY_WINDOW_ID", None)
    seen = in_terminal(many, environment, {b"\x1b[c": b"\x1b[?62;4;22c", b"\x1b[14t": b"\x1b[4;900;800t"})
    size = re.search(rb'\x1bP[0-9;]*q"1;1;(\d+);(\d+)', seen)
    assert size and int(size[1]) == 800, seen[:200]
    seen = in_terminal(many, environment, {b"\x1b[c": b"\x1b[?62;22c"})
    assert b"\x1bP" not in seen and b"htmalloc" in seen
    seen = in_terminal(many, {**environment, "TERM": "xterm-kitty"}, {})
    assert b"\x1b_Gf=100" in seen


@pytest.mark.parametrize("chart", HEAP_CHARTS)
def test_charts_of_the_heap(heaptape, snapped, tmp_path, chart):
    out = heaptape("plot", snapped, f"--chart={chart}")
    assert out.returncode == 0 and out.stderr == "", out.stderr
    assert "libc" in out.stdout and "htmalloc" in out.stdout and max(map(len, out.stdout.splitlines())) <= 101
    made = heaptape("plot", snapped, f"--chart={chart}", "-o", tmp_path / "c.svg")
    assert made.returncode == 0 and made.stdout + made.stderr == ""
    assert (tmp_path / "c.svg").read_text().count("htmalloc") >= 1 and (tmp_path / "c.svg").stat().st_size > 8000


def test_the_heap_map_in_letters(heaptape, snapped):
    """At the end all is live as in the middle of random churn: no column of the map is empty, and no row."""
    lines = heaptape("plot", snapped, "--chart=heapmap").stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if "libc" in line) + 1
    rows = [line.partition("|")[2][:38] for line in lines[first + 1 : first + 11]]
    assert all(set(row.strip()) <= set(".:-=+*%#") and row.strip() for row in rows), rows
    assert all(any(row[i] != " " for row in rows) for i in range(2, 34)), rows


@pytest.mark.parametrize("chart", [*HEAP_CHARTS, "scaling", "live"])
def test_what_these_results_have_not(heaptape, tmp_path, chart):
    make(tmp_path, points=10)
    result = heaptape("plot", tmp_path, f"--chart={chart}")
    word = {"scaling": "numbers of threads", "live": "heaptape live"}.get(chart, "bench --snapshots")
    assert result.returncode == 3 and result.stderr.count("\n") == 1 and word in result.stderr and result.stdout == ""


def test_scaling_has_a_line_for_each(heaptape, tmp_path):
    made = make(tmp_path, tapes=(("t1", "/bin/prog"), ("t2", "/bin/prog")), allocators=("libc", "mimalloc", "null"), points=10)
    made["tapes"][1]["lanes"] = 2
    (tmp_path / "results.json").write_text(json.dumps(made))
    out = heaptape("plot", tmp_path, "--chart=scaling").stdout
    assert "Thread scaling: prog" in out and "libc ****" in out and "mimalloc ####" in out


@pytest.mark.parametrize(
    "ours, reports",
    [("relative", "relative_time"), ("memory", "peak_resident"), ("pareto", "time_memory"), ("calls", "system_calls")],
)
def test_the_reports_names_will_do(heaptape, many, ours, reports):
    assert heaptape("plot", many, f"--chart={reports}").stdout == heaptape("plot", many, f"--chart={ours}").stdout != ""


TABLE_SCRIPTS = {
    "sizes": "sizes", "latency_time": "latency_over_time", "live": "live", "heapmap": "heap_map", "parts": "heap_parts",
    "pages": "page_occupancy", "free": "unusable_index",
}  # fmt: skip


def test_table_scripts_by_hand(heaptape, many, snapped, tmp_path):
    """As their first lines say: with a table of the report and nothing else; as letters and as a picture."""
    for results in (many, snapped):
        assert heaptape("report", results, "--format=data", "-o", tmp_path / results.name).returncode == 0
    for script, table in TABLE_SCRIPTS.items():
        folder = tmp_path / (snapped.name if script in HEAP_CHARTS else many.name)
        for options in ("set terminal dumb 120 50; plain=1", f"set terminal svg; set output '{script}.svg'"):
            ran = subprocess.run(
                ["gnuplot", "-e", f"{options}; table='data/{table}.csv'", SCRIPTS / f"{script}.gp"],
                capture_output=True, text=True, cwd=folder, check=False,
            )  # fmt: skip
            assert ran.returncode == 0 and not ran.stderr.strip(), (script, ran.stderr)
            shown = ran.stdout or (folder / f"{script}.svg").read_text()
            assert script == "sizes" or "htmalloc" in shown, script
    assert {path.stem for path in SCRIPTS.glob("*.gp")} == {*TABLE_SCRIPTS, "scaling", *SERIES_SCRIPTS}


SERIES_SCRIPTS = ("growth", "fragmentation", "counts", "latency", "time", "relative", "pareto", "waste")  # tried above


def test_growth_shows_how_low_it_could_have_been(heaptape, tmp_path):
    made = make(tmp_path, points=10)
    assert heaptape("plot", tmp_path, "-o", tmp_path / "a.svg").returncode == 0
    made["tapes"][0]["packing_bytes"] = 30 << 20
    (tmp_path / "results.json").write_text(json.dumps(made))
    assert heaptape("plot", tmp_path, "-o", tmp_path / "b.svg").returncode == 0
    assert ["lowest placement" in (tmp_path / name).read_text() for name in ("a.svg", "b.svg")] == [False, True]


def test_growth_is_over_time_after_a_replay_at_a_pace(heaptape, tmp_path):
    made = make(tmp_path, points=30)
    assert "thousand operations" in heaptape("plot", tmp_path).stdout
    made["settings"]["pace"] = "recorded"
    (tmp_path / "results.json").write_text(json.dumps(made))
    out = heaptape("plot", tmp_path).stdout
    assert "seconds" in out and "operations" not in out and re.search(r"^ *0 +0\.9 *$", out, re.M)


@pytest.mark.parametrize("chart", ["time", "relative", "memory", "waste", "live", "pages"])
@pytest.mark.parametrize("columns", [60])
def test_bars_fit_a_narrow_window(heaptape, many, snapped, chart, columns):
    results = snapped if chart == "pages" else many
    out = heaptape("plot", results, f"--chart={chart}", env={**os.environ, "COLUMNS": str(columns), "LINES": "24"}, start_new_session=True).stdout
    lines = out.splitlines()
    assert max(len(line) for line in lines) <= columns + 1 and "htmalloc" in out
    assert all(line.rstrip().endswith(("]", "baseline", "B", ")", "|", "#", "*")) for line in lines if "malloc |" in line), out
