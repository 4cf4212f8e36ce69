"""Who pins nearly empty pages, as `heaptape blame` told it beside the snapshots of a bench."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Iterator

from .results import Row, Tape

MOST, LEAST = {"4k": 3, "2M": 2}, {"4k": 0.005, "2M": 0.02}  # groups of a moment; their share of the resident bytes, by length of pages
# Ending of the file, words, length of pages.
MOMENTS = (
    ("peak", "highest resident", "4k"), ("end", "end", "4k"),
    ("peak-2M", "highest resident, 2 MiB pages", "2M"), ("end-2M", "end, 2 MiB pages", "2M"),
)  # fmt: skip
CALLERS = 120  # characters of them


@dataclass(frozen=True)
class Blamed:
    """A group of blocks at a moment. Bytes."""

    allocator: str
    when: str
    name: str
    callers: str
    gone: float
    moved: float
    share: float
    live: float
    blocks: int


def figure(value) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no figure")
    return float(value)


def of_group(row: Row, when: str, group: dict) -> Blamed:
    name, _, callers = str(group["name"]).partition(" < ")
    if len(callers) > CALLERS:
        callers = callers[: CALLERS - 1] + "…"
    keys = ("gone_bytes", "moved_bytes", "share_bytes", "sparse_live_bytes")
    return Blamed(
        row.allocator, when, name, f"< {callers}" if callers else "", *(figure(group[k]) for k in keys), int(figure(group["sparse_blocks"]))
    )


def of_file(path: pathlib.Path, row: Row, when: str, pages: str) -> list[Blamed]:
    """The most blamed, by call site where the tape has them, else by size."""
    found = json.loads(path.read_text(encoding="utf-8"))
    groups = [g for g in found["groups"] if g["by"] == "site"] or [g for g in found["groups"] if g["by"] == "size"]
    least = LEAST[pages] * figure(found["resident_pages_bytes"])
    return [b for b in (of_group(row, when, g) for g in groups[: MOST[pages]]) if b.share >= least]


def of_tape(folder: pathlib.Path, tape: Tape) -> Iterator[Blamed]:
    """A file that is not there, or makes no sense, costs its rows and nothing else."""
    for row in tape.rows:
        for at, when, pages in MOMENTS if row.ok and row.snapshots else ():
            try:
                yield from of_file((folder / row.snapshots).with_suffix(f".{at}.json"), row, when, pages)
            except (OSError, ValueError, KeyError, TypeError):
                continue


@dataclass(frozen=True)
class Pages:
    """Of the resident pages at the highest resident, in bytes."""

    requested: float  # live then
    resident: float
    empty: float  # without a block
    sparse: float  # less than a quarter full
    first: Blamed | None  # who is blamed most for those


def pages_of(folder: pathlib.Path, row: Row) -> Pages | None:
    """None where no snapshot told it."""
    if not row.ok or not row.snapshots:
        return None
    at, when, pages = MOMENTS[0]
    path = (folder / row.snapshots).with_suffix(f".{at}.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        figures = [figure(found[k]) for k in ("requested_bytes", "resident_pages_bytes", "empty_bytes", "sparse_bytes")]
        return Pages(*figures, next(iter(of_file(path, row, when, pages)), None))
    except (OSError, ValueError, KeyError, TypeError):
        return None
