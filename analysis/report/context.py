"""What every chart needs beside its data: colours, the footer, the name of the tape."""

from __future__ import annotations

from dataclasses import dataclass

from .hover import NOBODY
from .palette import colours
from .results import Results


@dataclass(frozen=True)
class Chart:
    """A drawn chart: how it is named on disk, what it shows in words, and its sheet."""

    name: str  # [a-z_]+, the file's name without tape and ending
    title: str
    reading: str  # how to read it, for the page
    description: str  # its content in words, for who cannot see it
    canvas: object  # Canvas
    heaps: dict | None = None  # heap_view.of_stories(): the page draws them instead of the sheet, to be looked at closely


@dataclass(frozen=True)
class Context:
    results: Results
    colour: dict[str, str]

    @classmethod
    def of(cls, results: Results) -> "Context":
        return cls(results, colours(results.allocator_names))

    def owner(self, allocator: str) -> int:
        """Its number on the page, by which the legend switches it; that of the floor, which always shows, is NOBODY."""
        return list(self.colour).index(allocator) if allocator in self.colour else NOBODY

    @property
    def pace(self) -> str:
        """As --pace has it; empty where the replay went as fast as it could."""
        pace = str(self.results.settings.get("pace") or "")
        return "" if pace == "asap" else pace

    @property
    def confidence(self) -> float | None:
        """Of the intervals, 0 to 1; None where the results do not say it."""
        found = self.results.settings.get("confidence")
        known = isinstance(found, (int, float)) and not isinstance(found, bool) and 0 < found < 1
        return float(found) if known else None

    def machine(self) -> str:
        """The machine in a few words."""
        machine = self.results.machine
        cores = machine.get("cores")
        where = [
            str(machine.get("cpu_model") or "unknown CPU"),
            f"{cores} cores" if cores else "",
            str(machine.get("libc") or ""),
            str(machine.get("kernel") or ""),
        ]
        return ", ".join(w for w in where if w)

    def footer(self, *notes: str) -> str:
        """Notes of the chart, then rounds, interval method and machine."""
        return " ".join(w for w in (" ".join(n.rstrip(".") + "." for n in notes if n), self.common()) if w)

    def common(self) -> str:
        """What all footers end with."""
        settings = self.results.settings
        percent = f"{100 * self.confidence:g} % interval" if self.confidence else "interval"
        rounds = settings.get("rounds")
        method = settings.get("interval_method")
        parts = []
        parts.append(
            f"{rounds if rounds is not None else 'unknown'} rounds, median and {percent}"
            + (f" ({method})" if method else "")
        )
        parts.append(self.machine())
        parts.append(f"Blocks touched: {settings.get('touch')}" if settings.get("touch") else "")
        parts.append(f"Pace: {self.pace}" if self.pace else "")
        return ". ".join(p.rstrip(".") for p in parts if p) + "."
