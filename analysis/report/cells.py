"""Cells of the page's tables: figures in words, what each is sorted by."""

from __future__ import annotations

from dataclasses import dataclass

from . import units, verdict


@dataclass(frozen=True)
class Cell:
    """A cell of the summary table: what it shows, what it is sorted by, and a smaller second line."""

    text: str
    key: float | str
    note: str = ""
    kind: str = ""


UNKNOWN = Cell("–", float("inf"))


def relative_cell(value) -> Cell:
    if value is None:
        return UNKNOWN
    if value.verdict == "baseline":
        return Cell("baseline", 1.0)
    if not value.shown:
        return Cell("no difference shown", value.median, units.as_change(value.median), verdict.SAME)
    low, high = units.figures(value.low), units.figures(value.high)
    note = f"{low} to {high}×" if low != high else ""
    return Cell(
        units.as_change(value.median),
        value.median,
        note,
        verdict.BETTER if value.median < 1 else verdict.WORSE,
    )


def range_cell(value, text) -> Cell:
    """A median with its interval below."""
    if value is None:
        return UNKNOWN
    low, high = text(value.low), text(value.high)
    return Cell(text(value.median), value.median, f"{low} to {high}" if low != high else "")


def share_cell(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(units.as_excess(value), value)


def bytes_cell(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(units.as_bytes(value), value)


def ratio_cell(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(units.figures(value), value)


def count_cell(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(units.as_count(int(value)), value)
