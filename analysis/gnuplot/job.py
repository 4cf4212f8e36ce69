"""Prepares a chart for gnuplot: `job.py RESULTS CHART TAPE FOLDER` copies what the chart needs to FOLDER and
writes FOLDER/job.gp, the variables of the scripts beside this file. Needs nothing but Python itself for the charts of times and
of memory over time; from_tables.py has the others.

Names from results are made plain words first, so that nothing in them can be read as gnuplot.
"""

import csv
import math
import pathlib
import re
import sys

here = pathlib.Path(__file__).absolute().parent
sys.path[0:1] = [str(here), str(here.parent)]

import from_tables  # noqa: E402
from report.fields import Fields, ResultsError, figure, file_of, read_folder  # noqa: E402
from report.palette import OTHERS, colours  # noqa: E402

METRICS = {"relative": "relative_time", "memory": "relative_peak_resident"}  # of the charts of ratios
SUMMARY = ("ns_per_operation", "peak_resident_bytes", *METRICS.values())
PARTS = ("requested", "rounding", "between", "startup", "unreturned")
CALLS = ("malloc", "calloc", "realloc", "aligned", "free")
NEARLY = 0.99  # as in report/waste.py
CALLS_ENOUGH = 100  # of a kind, so that its p99 is known; else it has no panel
EXIT_USAGE, EXIT_BAD_INPUT = 2, 3


def plain(name: str) -> str:
    """A word for gnuplot: no space, no quote, nothing that expands."""
    return re.sub(r"[^A-Za-z0-9._+:@-]", "_", name) or "_"


def choose_tape(top: Fields, wanted: str) -> str:
    """The tape asked for, or the first one."""
    found = list(dict.fromkeys(str(row.get("tape")) for row in top.objects("summary")))
    if not found:
        raise ResultsError("nothing was measured in this folder: run heaptape bench again")
    if wanted and wanted not in found:
        raise ResultsError(f"no tape {wanted} in these results: one of {', '.join(found)}")
    return wanted or found[0]


def rows_of(top: Fields, tape: str) -> list[Fields]:
    rows = [Fields(v, f"results.json: summary[{i}]") for i, v in enumerate(top.objects("summary"))]
    return [r for r in rows if r.text("tape") == tape and not r.truth("is_floor")]


def copied(folder: pathlib.Path, name: str, target: pathlib.Path) -> bool:
    """Copies a file of the results; False where there is none inside the folder."""
    source = file_of(folder, name)
    if source is None:
        return False
    try:
        target.write_bytes(source.read_bytes())
    except OSError as error:
        raise ResultsError(f"cannot read {source}: {error.strerror}: run heaptape bench again") from None
    return True


def series_job(
    folder: pathlib.Path, rows: list[Fields], colour: dict[str, str], out: pathlib.Path
) -> list[str]:
    """The series of every allocator that has one, copied as 1.csv, 2.csv, ..."""
    names, files, chosen, upper = [], [], [], []
    for row in rows:
        name, target = row.text("allocator"), out / f"{len(files) + 1}.csv"
        if row.text("status") != "ok" or not copied(folder, row.text("series_csv"), target):
            print(
                f"heaptape plot: {name} has no memory curve ({row.text('status') or 'unknown'})",
                file=sys.stderr,
            )
            continue
        names.append(plain(name))
        files.append(target.name)
        chosen.append(colour[name])
        upper.append("H" if row.truth("held_known") else "P")
    if not files:
        raise ResultsError("no allocator left a memory curve on this tape: see its rows in results.json")
    return [
        f"names = '{' '.join(names)}'",
        f"files = '{' '.join(files)}'",
        f"colours = '{' '.join(chosen)}'",
        f"upper = '{' '.join(upper)}'",
    ]


def packed_job(top: Fields, tape: str) -> list[str]:
    """How low the heap could have been, where the bench found out."""
    facts = next((Fields(t, f"results.json: tape {tape}") for t in top.objects("tapes") if t.get("name") == tape), None)
    found = facts.number("packing_bytes") if facts else None
    return [f"packed = {found!r}"] if found else []


def time_job(rows: list[Fields], colour: dict[str, str], out: pathlib.Path) -> list[str]:
    """The table of times, fastest first, failures last with their reason."""
    lines, floor = [], None
    for row in rows:
        ns = row.interval("ns_per_operation")
        floor = row.number("floor_ns_per_operation") if floor is None else floor
        note = "" if ns else plain(row.text("status") or "no_figure").replace("_", " ")
        rgb = int(colour[row.text("allocator")].lstrip("#"), 16)
        figures = [ns.median, ns.low, ns.high] if ns else ["", "", ""]
        lines.append([plain(row.text("allocator")), *figures, rgb, note])
    lines.sort(key=lambda l: (l[1] == "", l[1] or 0.0, l[0]))
    if all(line[1] == "" for line in lines):
        raise ResultsError("no allocator has a time on this tape: see its rows in results.json")
    with (out / "time.csv").open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["name", "median_ns", "low_ns", "high_ns", "rgb", "note"])
        writer.writerows(lines)
    return ["table = 'time.csv'"] + ([f"floor_ns = {floor!r}"] if floor is not None else [])


def latency_job(
    folder: pathlib.Path, top: Fields, tape: str, colour: dict[str, str], out: pathlib.Path
) -> list[str]:
    """The curves of every allocator that has some, the floor's too, and the kinds of call, most called first."""
    names, files, chosen = [], [], []
    counts = dict.fromkeys(CALLS, 0)
    for i, value in enumerate(top.objects("latency")):
        row, target = Fields(value, f"results.json: latency[{i}]"), out / f"{len(files) + 1}.csv"
        if row.text("tape") != tape or not copied(folder, row.text("shares_csv"), target):
            continue
        names.append(plain(row.text("allocator")))
        files.append(target.name)
        chosen.append(colour.get(row.text("allocator"), OTHERS[0]))
        counts = {call: max(most, row.count(f"{call}_count")) for call, most in counts.items()}
    calls = sorted((c for c in CALLS if counts[c] >= CALLS_ENOUGH), key=lambda c: -counts[c])
    if not files or not calls:
        raise ResultsError(f"no latencies of {tape} in these results: run heaptape bench --latency-rounds=1")
    (out / "panels").write_text(str(len(calls)))
    return [
        f"names = '{' '.join(names)}'",
        f"files = '{' '.join(files)}'",
        f"colours = '{' '.join(chosen)}'",
        f"calls = '{' '.join(calls)}'",
    ]


def without(chart: str, row: Fields) -> None:
    """Says on stderr that an allocator is not in the chart."""
    status = row.text("status") or "unknown"
    print(f"heaptape plot: {row.text('allocator')} has no figures for {chart} ({status})", file=sys.stderr)


def summary_job(chart: str, rows: list[Fields], colour: dict[str, str], out: pathlib.Path) -> list[str]:
    """The columns of data/summary.csv that the chart reads, lowest first, and each allocator's colour."""
    needed = (METRICS[chart],) if chart in METRICS else SUMMARY[:2]
    found = []
    for row in rows:
        values = [row.interval(name) for name in needed]
        if None in values:
            without(chart, row)
            continue
        figures = [figure for v in values for figure in (v.median, v.low, v.high)]
        found.append([plain(row.text("allocator")), *figures, int(colour[row.text("allocator")].lstrip("#"), 16)])
    if not found:
        raise ResultsError(f"no allocator has the figures of {chart} on this tape: libc has to be among them, and to have run")
    found.sort(key=lambda line: (line[1], line[0]))
    names = [f"{name}{end}" for name in needed for end in ("", "_low", "_high")]
    with (out / "summary.csv").open("w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([["allocator", *names, "rgb"], *found])
    (out / "panels").write_text(str(len(found)))
    return ["table = 'summary.csv'"] + ([f"metric = '{METRICS[chart]}'"] if chart in METRICS else [])


def split(folder: pathlib.Path, row: Fields) -> list[float | str] | None:
    """The parts of METRICS.md's waste split, at the first point within 1 % of the highest resident; None without a curve."""
    source = file_of(folder, row.text("series_csv"))
    if row.text("status") != "ok" or source is None:
        return None
    try:
        with source.open(newline="") as table:
            points = list(csv.DictReader(table))
        most = max(size for p in points if not math.isnan(size := figure(p["resident_bytes"])))
        point = next(p for p in points if figure(p["resident_bytes"]) >= NEARLY * most)
        asked, usable, resident = (figure(point[f"{k}_bytes"]) for k in ("requested", "usable", "resident"))
        held = figure(point["held_bytes"]) if row.truth("held_known") and point.get("held_bytes") else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration, csv.Error):
        return None
    if math.isnan(usable) or not all(p["requested_bytes"] for p in points):
        return None
    return [
        min(asked, resident),
        min(max(usable - asked, 0.0), max(resident - asked, 0.0)),
        max(resident - max(usable, asked), 0.0),
        row.number("startup_resident_bytes") or 0.0,
        "" if held is None else max(held - resident, 0.0),
    ]


def waste_job(folder: pathlib.Path, rows: list[Fields], out: pathlib.Path) -> list[str]:
    """An allocator a line, the leanest first."""
    found = []
    for row in rows:
        parts = split(folder, row)
        if parts is None:
            without("waste", row)
        else:
            found.append([plain(row.text("allocator")), *parts])
    if not found:
        raise ResultsError("no allocator left a memory curve on this tape: see its rows in results.json")
    found.sort(key=lambda line: (sum(line[1:5]), line[0]))
    with (out / "waste.csv").open("w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([["allocator", *PARTS], *found])
    (out / "panels").write_text(str(len(found)))
    return ["table = 'waste.csv'"]


def counts_job(chart: str, folder: pathlib.Path, rows: list[Fields], colour: dict, out: pathlib.Path) -> list[str]:
    job = series_job(folder, rows, colour, out)
    needed = {"faults": "minor_faults", "calls": "system_calls"}[chart]
    header, first = (out / "1.csv").read_text().split("\n")[:2]
    columns = header.split(",")
    if needed not in columns or not first.split(",")[columns.index(needed)]:
        raise ResultsError(f"{chart} were not counted in these results: run heaptape bench again")
    (out / "panels").write_text("1")
    return [*job, f"what = '{chart}'"]


def chart_job(folder: pathlib.Path, chart: str, top: Fields, tape: str, out: pathlib.Path) -> list[str]:
    """Prepares any chart; writes FOLDER/panels, how many there are (of time: its bars)."""
    rows = rows_of(top, tape)
    if not rows:
        raise ResultsError(f"no allocator was measured on {tape}: run heaptape bench again")
    colour = colours(list(dict.fromkeys(str(v.get("allocator")) for v in top.objects("summary"))))
    if chart in from_tables.WANTED:
        return from_tables.job(folder, chart, tape, out, plain)
    if chart == "latency":
        return latency_job(folder, top, tape, colour, out)
    if chart in METRICS or chart == "pareto":
        return summary_job(chart, rows, colour, out)
    if chart == "waste":
        return waste_job(folder, rows, out)
    if chart in ("faults", "calls"):
        return counts_job(chart, folder, rows, colour, out)
    job = time_job(rows, colour, out) if chart == "time" else series_job(folder, rows, colour, out)
    if chart == "growth":
        job += packed_job(top, tape) + (["seconds = 1"] if str(top.object("settings").get("pace") or "asap") != "asap" else [])
    (out / "panels").write_text(str(len(rows) if chart == "time" else len(list(out.glob("[0-9]*.csv")))))
    return job


def main(arguments: list[str]) -> int:
    results, chart, wanted, out = (
        pathlib.Path(arguments[0]),
        arguments[1],
        arguments[2],
        pathlib.Path(arguments[3]),
    )
    try:
        top = read_folder(results)
        tape = choose_tape(top, wanted)
        job = chart_job(results, chart, top, tape, out)
    except ResultsError as error:
        print(f"heaptape plot: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    (out / "job.gp").write_text("\n".join([f"tape = '{plain(tape)}'", *job]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
