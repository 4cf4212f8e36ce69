"""Every chart of the results: drawn, written to files, made ready for the page. Tapes are drawn side by side, in processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from . import (
    charts_calls,
    charts_faults,
    charts_fragmentation,
    charts_growth,
    charts_heap,
    charts_latency,
    charts_latency_time,
    charts_lifetimes,
    charts_live,
    charts_memory,
    charts_overview,
    charts_pareto,
    charts_relative,
    charts_scaling,
    charts_sizes,
    charts_time,
    charts_waste,
    data_heap,
)
from .context import Context
from .data_tables import Table
from .figure import Figure, of_chart
from .page import prefix_of

# Of a tape, in the order of the page.
CHARTS = (
    charts_relative,
    charts_memory,
    charts_time,
    charts_pareto,
    charts_waste,
    charts_growth,
    charts_fragmentation,
    charts_latency,
    charts_latency_time,
    charts_calls,
    charts_faults,
    charts_sizes,
    charts_lifetimes,
    charts_heap,
)
Part = tuple[list[Figure], list, list[Table]]
FEW = 2  # tasks that are not worth processes


@dataclass(frozen=True)
class Drawn:
    """All figures; empty lists where only files were asked for. And the tables of what was read for them alone."""

    overview: list[Figure]
    tapes: list[list[Figure]]
    live: list[Figure]
    tables: list[Table]


_shared: tuple = ()  # (context, writer), inherited by the processes that draw


def part(task: tuple[int, int]) -> Part:
    """What CHARTS[k] draws of a tape, with the files that were written and its tables: (number of the tape, k)."""
    number, k = task
    context, writer = _shared[0], _shared[1].copy()
    tape = context.results.tapes[number]
    figures = []
    module = CHARTS[k]
    found = module.draw(context, tape) if drawing(writer) else None
    for chart in found if isinstance(found, list) else [found] if found else []:
        files = writer.chart(chart, tape.name)
        if "html" in writer.formats:
            figures.append(of_chart(context, chart, prefix_of(tape, number), f"t{number}", files))
    return figures, writer.written, module.tables(context, tape) if "data" in writer.formats and hasattr(module, "tables") else []


def drawing(writer) -> bool:
    """Whether charts are asked for at all."""
    return set(writer.formats) != {"data"}


def single(context: Context, writer, module, prefix: str) -> list[Figure]:
    """Charts that belong to no tape."""
    found = module.draw(context) if drawing(writer) else None
    charts = found if isinstance(found, list) else [found] if found else []
    return [of_chart(context, chart, prefix, "", writer.chart(chart)) for chart in charts]


def run(tasks: list[tuple[int, int]], progress) -> list[Part]:
    """In this process where there is one core or little to do. MemoryError also where another one had none."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2 or len(tasks) < FEW:
        return [part(task) for task in tasks]
    done = []
    how = {"mp_context": multiprocessing.get_context("fork"), "initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_DFL)}
    try:
        with ProcessPoolExecutor(min(cores, 4), **how) as pool:
            for found in pool.map(part, tasks):
                done.append(found)
                progress(f"{len(done)} of {len(tasks)} charts")
    except BrokenProcessPool:  # one was killed; nobody but the kernel, short of memory, does that
        raise MemoryError from None
    return done


def draw(context: Context, writer, progress) -> Drawn:
    """`progress` gets a line now and then. Raises OSError where a file cannot be written."""
    global _shared
    _shared = (context, writer)
    tapes = context.results.tapes
    overview = single(context, writer, charts_overview, "all") + single(context, writer, charts_scaling, "all")
    first = CHARTS.index(charts_heap)  # takes longest
    order = [first, *(k for k in range(len(CHARTS)) if k != first)]
    tasks = [(number, k) for number in range(len(tapes)) for k in order if drawing(writer) or hasattr(CHARTS[k], "tables")]
    found: list[list[Figure]] = [[] for _ in tapes]
    tables: list[Table] = []
    for (number, _), (figures, written, made) in zip(tasks, run(tasks, progress)):
        found[number] += figures
        writer.written += written
        tables += made
    live = single(context, writer, charts_live, "live")
    return Drawn(overview, found, live, data_heap.joined(tables))
