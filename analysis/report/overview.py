"""Each allocator over all tapes: ratios to libc and their geometric means."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .fields import Interval
from .results import Results


@dataclass(frozen=True)
class Overall:
    """One allocator. Ratios of the tapes on which it has a figure; a mean is None without any."""

    allocator: str
    time: tuple[float, ...]
    memory: tuple[float, ...]
    failed: int  # tapes on which it did not get through
    time_shown: int = 0  # tapes on which a difference from libc is shown
    memory_shown: int = 0
    time_interval: tuple[float, float] | None = None  # of the mean
    memory_interval: tuple[float, float] | None = None

    @property
    def time_mean(self) -> float | None:
        return geometric_mean(self.time)

    @property
    def memory_mean(self) -> float | None:
        return geometric_mean(self.memory)


def interval_of_mean(values: list[Interval]) -> tuple[float, float] | None:
    """Of the geometric mean: tapes are measured apart from each other, so their half widths add up as squares (in logarithms)."""
    if not values or any(v.low <= 0 for v in values):
        return None
    middle = math.fsum(math.log(v.median) for v in values) / len(values)
    down, up = (
        math.sqrt(math.fsum(math.log(end / v.median) ** 2 for v, end in ends)) / len(values)
        for ends in ([(v, v.low) for v in values], [(v, v.high) for v in values])
    )
    return math.exp(middle - down), math.exp(middle + up)


def geometric_mean(ratios: tuple[float, ...]) -> float | None:
    """exp of the mean of the logarithms; None for none at all."""
    good = [r for r in ratios if r > 0]
    return math.exp(math.fsum(math.log(r) for r in good) / len(good)) if good else None


def overall(results: Results) -> list[Overall]:
    """Fastest first, those without a figure last."""
    found = []
    for name in results.allocator_names:
        rows = [r for t in results.tapes for r in t.rows if r.allocator == name]
        times = [r.relative_time for r in rows if r.relative_time]
        peaks = [r.relative_peak_resident for r in rows if r.relative_peak_resident]
        found.append(
            Overall(
                name,
                tuple(value.median for value in times),
                tuple(value.median for value in peaks),
                sum(not r.ok for r in rows),
                sum(value.shown for value in times),
                sum(value.shown for value in peaks),
                interval_of_mean(times),
                interval_of_mean(peaks),
            )
        )
    return sorted(found, key=lambda o: (o.time_mean is None, o.time_mean or 0.0, o.allocator))
