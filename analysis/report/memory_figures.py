"""What the memory run of an allocator on a tape comes to, besides peaks and curves. METRICS.md explains each figure."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Fields


@dataclass(frozen=True)
class Fragmentation:
    """The measures of METRICS.md. None where H is unknown, or there is nothing to compare."""

    mean_over_time: float | None
    at_peak_requested: float | None
    at_peak_held: float | None
    max_held_over_max_requested: float | None
    area_ratio: float | None
    at_end: float | None = None
    peak_utilization: float | None = None
    blow_up: float | None = None
    resident_blow_up: float | None = None


@dataclass(frozen=True)
class OverTime:
    """Means in bytes: over the operations, or over the time that the recording took."""

    requested: float | None = None
    held: float | None = None
    resident: float | None = None
    resident_byte_seconds: float | None = None
    resident_by_time: float | None = None


@dataclass(frozen=True)
class Reallocs:
    """Those of the memory run that gave a block, and the bytes that had to come along."""

    in_place: float | None = None
    moved: float | None = None
    moved_bytes: float | None = None


def to_fragmentation(fields: Fields) -> Fragmentation:
    inner = Fields(fields.object("fragmentation"), f"{fields.where}: fragmentation")
    return Fragmentation(*(inner.number(k) for k in Fragmentation.__dataclass_fields__))


def to_over_time(fields: Fields) -> OverTime:
    """All unknown where the bench was of an earlier version."""
    inner = Fields(fields.object("over_time"), f"{fields.where}: over_time")
    return OverTime(
        inner.number("mean_requested_bytes"),
        inner.number("mean_held_bytes"),
        inner.number("mean_resident_bytes"),
        inner.number("resident_byte_seconds"),
        inner.number("mean_resident_by_time_bytes"),
    )


def to_reallocs(fields: Fields) -> Reallocs:
    return Reallocs(*(fields.number(f"reallocs_{k}") for k in Reallocs.__dataclass_fields__))
