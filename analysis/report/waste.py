"""Where the resident memory of an allocator goes at its peak: the split that the chart draws and the words explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from .results import Row, Series


@dataclass(frozen=True)
class Split:
    """Bytes at the first point of the series within 1 % of the highest P (where nothing is given back, P is highest by a page
    when all is long freed, which says nothing). The first four add up to the resident memory there."""

    requested: float  # R, as far as it is resident
    rounding: float  # U - R: sizes rounded up
    between: float  # P - U: free or cached blocks and the allocator's own tables
    startup: float  # resident before the first operation
    unreturned: float | None  # H - P: held and not resident; None where H is unknown
    metadata: float | None = None  # of `between` and `startup`, what is at most its own tables; None: it does not tell

    @property
    def resident(self) -> float:
        return self.requested + self.rounding + self.between + self.startup


NEARLY = 0.99  # of the highest P
PARTS = ("requested", "rounding", "between", "startup")


def peak_point(series: Series) -> int:
    """The first point within 1 % of the highest P."""
    return int(numpy.argmax(series.resident >= NEARLY * numpy.nanmax(series.resident)))


def split(row: Row) -> Split | None:
    """None where there is no curve, or R and U are not known there. Where fewer bytes are resident than asked for, the rest of the parts is nothing."""
    series = row.series
    if series is None or numpy.all(numpy.isnan(series.resident)):
        return None
    at = peak_point(series)
    requested, usable = float(series.requested[at]), float(series.usable[at])
    resident, held = float(series.resident[at]), float(series.held[at])
    if numpy.isnan(requested) or numpy.isnan(usable):
        return None
    known = row.held_known and not numpy.isnan(held)
    between, startup = max(resident - max(usable, requested), 0.0), row.startup_resident or 0.0
    return Split(
        requested=min(requested, resident),
        rounding=min(max(usable - requested, 0.0), max(resident - requested, 0.0)),
        between=between,
        startup=startup,
        unreturned=max(held - resident, 0.0) if known else None,
        metadata=None if row.metadata is None else min(row.metadata, between + startup),
    )
