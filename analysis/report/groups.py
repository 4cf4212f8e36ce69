"""In which part of a tape's section each chart stands, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from .figure import Figure

GROUPS = (
    ("cost", "Time and memory", ("time_memory", "relative_time", "peak_resident", "time")),
    ("growth", "Memory over the run", ("growth", "waste", "fragmentation")),
    ("heap", "Inside the heaps", ("heap_map", "resident_parts", "page_occupancy", "classes", "free_runs", "class_waste")),
    ("calls", "Single calls and the kernel", ("latency", "latency_time", "system_calls", "faults")),
    ("program", "What the program asks for", ("sizes", "lifetimes")),
)
OPEN = ("cost", "growth")  # of several tapes; the others fold


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    figures: list[Figure]

    @property
    def folds(self) -> bool:
        return self.name not in OPEN


def of_figures(figures: list[Figure]) -> list[Group]:
    """All groups; a chart that none of them names stands in the last."""
    known = {name for *_, names in GROUPS for name in names}
    rest = [f for f in figures if f.name not in known]
    found = []
    for name, title, names in GROUPS:
        own = sorted((f for f in figures if f.name in names), key=lambda f: names.index(f.name))
        found.append(Group(name, title, own + (rest if name == GROUPS[-1][0] else [])))
    return found
