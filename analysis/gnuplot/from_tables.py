"""Charts that are drawn from the tables of heaptape report --format=data (analysis/DATA.md): writes a tape's rows of the one
that the chart reads, as the report would, and the variables of its script. Needs numpy, as the tables do."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Callable

from report.fields import ResultsError

# What each chart wants, where it is not there.
WANTED = {
    "sizes": "heaptape bench leaves them: run it again",
    "latency_time": "run heaptape bench --latency-rounds=1",
    "scaling": "it needs tapes of one program with different numbers of threads in one bench",
    "live": "run heaptape live -o this folder -- PROGRAM",
    "live_time": "run heaptape live -o this folder -- PROGRAM",
    "heapmap": "run heaptape bench --snapshots",
    "parts": "run heaptape bench --snapshots",
    "pages": "run heaptape bench --snapshots",
    "free": "run heaptape bench --snapshots",
}
LETTER_BANDS = 12  # of a heap map in letters, at most: as many as a panel has lines
HEAP = ("heapmap", "parts", "pages", "free")
OF_NO_TAPE = ("live", "live_time")
Plain = Callable[[str], str]


def heap_table(chart: str, results, tape):
    """One of those that come from snapshots."""
    from report import data_heap, heap_story

    make = {"heapmap": data_heap.heap_map, "parts": data_heap.parts, "pages": data_heap.occupancy, "free": data_heap.unusable_index}
    return make[chart]([(tape, row, story) for row, story in heap_story.of_tape(results.folder, tape)])


def in_letters(results, tape):
    """The heap map with as few bands as a terminal has lines for."""
    from report import data_heap, heap_story

    stories = []
    for row, story in heap_story.of_tape(results.folder, tape):
        drawn = data_heap.coarser(story.heap_map, -(-len(story.heap_map.resident) // LETTER_BANDS))
        stories.append((tape, row, dataclasses.replace(story, heap_map=drawn)))
    return data_heap.heap_map(stories)


def table_of(chart: str, results, tape):
    """The rows of the tape (of its program, of all) as the report's table."""
    from report import data_tables, data_tapes

    if chart in HEAP:
        return heap_table(chart, results, tape)
    make = {"sizes": data_tables.sizes, "latency_time": data_tables.latency_over_time, "scaling": data_tapes.scaling}
    table = make.get(chart, data_tables.live)(results)
    if chart in OF_NO_TAPE:
        return table
    key, wanted = ("program", tape.program) if chart == "scaling" else ("tape", tape.name)
    at = table.columns.index(key)
    return dataclasses.replace(table, rows=[row for row in table.rows if row[at] == wanted])


def write(table, path: pathlib.Path, plain: Plain, colours: dict[str, str] | None = None) -> list[str]:
    """The table with plain words for names, and with `colours` a column of them; the allocators in it."""
    from report.data_files import as_csv

    names = [i for i, column in enumerate(table.columns) if column in ("tape", "allocator", "program", "status")]
    rows = [tuple(plain(str(v)) if i in names and v is not None else v for i, v in enumerate(row)) for row in table.rows]
    found: dict[str, str] = {}
    if "allocator" in table.columns:
        at = table.columns.index("allocator")
        found = {row[at]: new[at] for row, new in zip(table.rows, rows)}
        if colours is not None:
            rows = [(*new, int(colours[row[at]].lstrip("#"), 16)) for row, new in zip(table.rows, rows)]
    columns = table.columns if colours is None else (*table.columns, "rgb")
    path.write_text(as_csv(dataclasses.replace(table, columns=columns, rows=rows)), encoding="utf-8")
    return list(found)


def title_of(chart: str, results, tape) -> str:
    if chart in OF_NO_TAPE:
        return results.live.program[0].rsplit("/", 1)[-1] if results.live and results.live.program else ""
    return tape.program.rsplit("/", 1)[-1] if chart == "scaling" else tape.name


def job(folder: pathlib.Path, chart: str, tape_name: str, out: pathlib.Path, plain: Plain) -> list[str]:
    """Writes what the chart reads to `out`; the variables of its script. ResultsError where there is nothing to draw."""
    try:
        from report import results as reading
        from report.palette import FIXED, colours
    except ImportError:
        raise ResultsError(f"--chart={chart} needs numpy: run: apt-get install python3-numpy") from None
    results = reading.load(folder)
    tape = next(t for t in results.tapes if t.name == tape_name)
    table = table_of(chart, results, tape)
    if not table.rows:
        where = "" if chart in OF_NO_TAPE else f" of {tape_name}"
        raise ResultsError(f"no figures for {chart}{where} in these results: {WANTED[chart]}")
    colour = {"floor": FIXED["null"], **colours(results.allocator_names)}
    names = write(table, out / "table.csv", plain, colour if chart in OF_NO_TAPE else None)
    if chart == "heapmap":
        write(in_letters(results, tape), out / "rough.csv", plain)
    (out / "panels").write_text(str(max(len(names), 1)))
    lines = ["rough = 'rough.csv'"] if chart == "heapmap" else []
    lines += ["table = 'table.csv'", f"tape = '{plain(title_of(chart, results, tape))}'"]
    if names and chart not in OF_NO_TAPE:
        lines += [f"names = '{' '.join(plain(n) for n in names)}'", f"colours = '{' '.join(colour[n] for n in names)}'"]
    if chart in OF_NO_TAPE:
        lines.append(f"metric = '{'cpu_seconds' if chart == 'live_time' else 'peak_resident_bytes'}'")
    return lines
