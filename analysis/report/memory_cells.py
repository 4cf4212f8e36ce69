"""The tables of all figures of memory: peaks and fragmentation; means over time, blow-up, reallocs."""

from __future__ import annotations

from . import units
from .cells import UNKNOWN, Cell, bytes_cell, count_cell, ratio_cell, share_cell
from .results import Row

MORE_COLUMNS = (
    "Allocator",
    "Resident at start",
    "Own tables, told",
    "Peak usable U",
    "Peak held H",
    "Mean of H/R − 1",
    "H/R − 1 at peak R",
    "H/R − 1 at peak H",
    "max H / max R − 1",
    "H/R − 1 at the end",
    "Area ratio ΣH/ΣR",
    "Utilization max R / max H",
    "Rounds",
)
OVER_TIME_COLUMNS = (
    "Allocator",
    "Mean held",
    "Mean resident",
    "Mean resident by time",
    "Resident × time",
    "Blow-up of held",
    "Blow-up of resident",
    "Reallocs in place",
    "Reallocs moved",
    "Moved along",
)


def more_cells(row: Row) -> list[Cell]:
    """In the order of MORE_COLUMNS without the name."""
    waste = row.fragmentation
    sizes = [row.startup_resident, row.metadata, row.peak_usable, row.peak_held if row.held_known else None]
    shares = [
        waste.mean_over_time,
        waste.at_peak_requested,
        waste.at_peak_held,
        waste.max_held_over_max_requested,
        waste.at_end,
    ]
    used = waste.peak_utilization
    return (
        [bytes_cell(v) for v in sizes]
        + [share_cell(v) for v in shares]
        + [ratio_cell(waste.area_ratio), UNKNOWN if used is None else Cell(units.as_percent(used), used)]
        + [Cell(f"{row.rounds_ok} of {row.rounds}", row.rounds_ok)]
    )


def over_time_cells(row: Row) -> list[Cell]:
    """In the order of OVER_TIME_COLUMNS without the name."""
    mean, waste, reallocs = row.over_time, row.fragmentation, row.reallocs
    product = mean.resident_byte_seconds
    return [
        bytes_cell(mean.held),
        bytes_cell(mean.resident),
        bytes_cell(mean.resident_by_time),
        UNKNOWN if product is None else Cell(f"{units.as_bytes(product)}·s", product),
        ratio_cell(waste.blow_up),
        ratio_cell(waste.resident_blow_up),
        count_cell(reallocs.in_place),
        count_cell(reallocs.moved),
        bytes_cell(reallocs.moved_bytes),
    ]
