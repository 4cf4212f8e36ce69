"""Numbers as people read them: bytes, nanoseconds, counts, ratios. No-break spaces between figure and unit."""

from __future__ import annotations

import datetime

SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
MONTHS = "January February March April May June July August September October November December".split()
BYTE_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))


def byte_unit(largest: float) -> tuple[str, int]:
    """The unit in which `largest` bytes has one to four figures before the point."""
    return next((u for u in BYTE_UNITS if largest >= u[1]), BYTE_UNITS[-1])


def figures(value: float, digits: int = 3) -> str:
    """`value` with about `digits` significant figures and no exponent."""
    size = abs(value)
    places = next((p for p in range(digits) if size >= 10 ** (digits - 1 - p) - 0.5 * 10**-p), digits - 1)
    return f"{value:.{places}f}".replace("-", MINUS)


def as_bytes(value: float | None) -> str:
    if value is None:
        return "unknown"
    unit, factor = byte_unit(abs(value))
    return f"{value:.0f}{SPACE}B" if factor == 1 else f"{figures(value / factor)}{SPACE}{unit}"


def as_ns(value: float | None) -> str:
    if value is None:
        return "unknown"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(value) >= 10 * factor:
            return f"{figures(value / factor)}{SPACE}{unit}"
    return f"{figures(value)}{SPACE}ns"


def as_seconds(value: float | None) -> str:
    return "unknown" if value is None else as_ns(value * 1e9)


def as_count(value: float | None) -> str:
    """1234567 -> 1 234 567 with thin no-break spaces."""
    return "unknown" if value is None else f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def as_percent(share: float | None, digits: int = 2) -> str:
    """0.123 -> 12 %; small shares keep a place, and with more `digits` all keep more."""
    if share is None:
        return "unknown"
    percent = 100 * share
    text = f"{percent:.{max(digits - 2, 0)}f}" if abs(percent) >= 9.95 else f"{percent:.{digits - 1}f}"
    return f"{text.replace('-', MINUS)}{SPACE}%"


def as_excess(share: float | None) -> str:
    """H/R - 1 for people: 0.25 -> 25 %, 12.5 -> 12×, since nobody reads 1250 %."""
    if share is None or abs(share) < 10:
        return as_percent(share)
    return f"{share:.0f}×"


def as_change(ratio: float) -> str:
    """0.69 -> −31 %, 1.14 -> +14 %, 2.4 -> 2.4×."""
    if ratio >= 2:
        return f"{figures(ratio, 2)}×"
    text = as_percent(ratio - 1)
    if text.lstrip(MINUS).startswith("0.0"):
        return text.lstrip(MINUS)
    return text if text.startswith(MINUS) else f"+{text}"


def change_in_words(ratio: float, less: str, more: str, times: str) -> str:
    """0.69 -> '31 % less time', 1.14 -> '14 % more memory', 2.4 -> '2.4 times the memory'."""
    if ratio >= 2:
        return f"{figures(ratio, 2)}{SPACE}{times}"
    return f"{as_percent(abs(ratio - 1))} {less if ratio < 1 else more}"


def as_moment(utc: str | None) -> str:
    """2026-11-21T16:20:38Z -> 21 November 2026, 16:20 UTC; anything else stays as it is."""
    try:
        moment = datetime.datetime.strptime(utc or "", "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return utc or "at an unknown time"
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def shorten(name: str, limit: int = 20) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
