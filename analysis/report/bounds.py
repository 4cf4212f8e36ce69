"""How low the heap of a tape could have been: bounds that hold for every allocator (METRICS.md, "The tape")."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .results import Tape
from .units import as_bytes, as_percent


@dataclass(frozen=True)
class Bounds:
    """Bytes. No heap is lower than the first; none that aligns every block to 16 bytes, those of up to 8 to 8, than the second."""

    lower: float
    aligned: float
    packing: float | None  # height of a placement of all blocks, which shows that some heap is no higher


def number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def of_tape(tape: Tape) -> Bounds | None:
    """None where a bench did not find them, or nothing was ever live."""
    lower, aligned = (number(tape.facts.get(key)) for key in ("lower_bound_bytes", "aligned_lower_bound_bytes"))
    if not lower or not aligned:
        return None
    return Bounds(lower, aligned, number(tape.facts.get("packing_bytes")) or None)


def more(value: float, than: float) -> str:
    return "no more" if value <= than else f"{as_percent(value / than - 1)} more"


def words(bounds: Bounds) -> str:
    """'No allocator can hold its blocks in less than 626 KiB, ...; a placement exists that uses 755 KiB (20.6 % more).'"""
    told = f"No allocator can hold the blocks in less than {as_bytes(bounds.lower)}"
    if bounds.aligned > bounds.lower:
        told += f", none that keeps them aligned in less than {as_bytes(bounds.aligned)}"
    if bounds.packing is None:
        return told + "."
    return f"{told}; a placement exists that uses {as_bytes(bounds.packing)} ({more(bounds.packing, bounds.lower)})."
