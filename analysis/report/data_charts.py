"""In which tables the figures of each chart are, by the chart's name; analysis/DATA.md says the same to users."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable

from .figure import Figure

TABLES = {
    "overview": ("overview", "summary"),
    "scaling": ("scaling",),
    "relative_time": ("summary",),
    "peak_resident": ("summary",),
    "time": ("summary", "rounds"),
    "time_memory": ("summary",),
    "waste": ("waste",),
    "growth": ("series", "tapes"),
    "fragmentation": ("series", "summary"),
    "latency": ("latency_curves", "latency"),
    "latency_time": ("latency_over_time",),
    "system_calls": ("series", "system_calls"),
    "faults": ("series",),
    "sizes": ("sizes",),
    "lifetimes": ("lifetimes",),
    "classes": ("sizes", "size_classes"),
    "class_waste": ("size_classes",),
    "heap_map": ("heap_map",),
    "resident_parts": ("heap_parts",),
    "page_occupancy": ("page_occupancy",),
    "free_runs": ("unusable_index", "free_runs"),
    "live": ("live", "live_runs"),
    "live_time": ("live", "live_runs"),
    "change_time": ("changes",),
    "change_peak_resident": ("changes",),
    "change_peak_held": ("changes",),
    "growth_pair": ("changes_series",),
}


OF_THE_PAGE = ("tapes", "blame")  # tables on the page


def stale(written: set[str]) -> set[str]:
    """Tables of a report that an earlier one may have left and this one has no rows for."""
    every = {name for names in TABLES.values() for name in names} | set(OF_THE_PAGE)
    return {name for name in every - written if not name.startswith("changes")}


def tables_of(chart: str) -> tuple[str, ...]:
    """Of several programs each has a chart of its scaling: scaling, scaling_2, ..."""
    return TABLES["scaling" if chart.startswith("scaling_") else chart]


def linked(figures: Iterable[Figure], written: set[str]) -> list[Figure]:
    """The figures with the tables among their files, those that were written."""
    return [
        replace(f, files=[*f.files, *(f"data/{name}.csv" for name in tables_of(f.name) if name in written)]) for f in figures
    ]
