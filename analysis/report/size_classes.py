"""The size classes of an allocator: as its blocks show them in the snapshots of a heap, or as heaptape analyze knows them by rule."""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass

import numpy

from .fields import Fields, inside
from .results import Tape
from .snapshots import Snapshot


@dataclass(frozen=True)
class Classes:
    """An entry for each usable size that was seen, smallest first; the figures are of the live blocks at the highest R."""

    usable: numpy.ndarray  # bytes that a block of the class holds
    least: numpy.ndarray  # the smallest size that was given such a block, at any snapshot; by rule: in any call
    blocks: numpy.ndarray
    requested: numpy.ndarray  # bytes, of all blocks of the class

    @property
    def wasted(self) -> numpy.ndarray:
        """Bytes lost inside blocks, by class."""
        return self.blocks * self.usable - self.requested


def of_blocks(requested: numpy.ndarray, usable: numpy.ndarray, seen: numpy.ndarray, least: numpy.ndarray) -> Classes:
    """`seen`, `least`: the classes of all snapshots; `requested`, `usable`: the blocks at the highest R."""
    at = numpy.searchsorted(seen, usable)
    blocks = numpy.bincount(at, minlength=len(seen))
    return Classes(seen, least, blocks, numpy.bincount(at, weights=requested, minlength=len(seen)))


def merged(usable: list[numpy.ndarray], least: list[numpy.ndarray]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Each usable size once, with the smallest size of all."""
    sizes, smallest = numpy.concatenate(usable), numpy.concatenate(least)
    order = numpy.lexsort((smallest, sizes))
    seen, first = numpy.unique(sizes[order], return_index=True)
    return seen, smallest[order][first]


class Collector:
    """Of the snapshots of one heap, each given once."""

    def __init__(self) -> None:
        self.usable: list[numpy.ndarray] = []
        self.least: list[numpy.ndarray] = []
        self.best: tuple[int, numpy.ndarray, numpy.ndarray] | None = None  # R, sizes asked for and usable, at the highest R

    def add(self, one: Snapshot) -> None:
        if not len(one.usable):
            return
        sizes, asked = one.usable.astype(numpy.int64), one.requested.astype(numpy.int64)
        order = numpy.lexsort((asked, sizes))
        seen, first = numpy.unique(sizes[order], return_index=True)
        self.usable.append(seen)
        self.least.append(asked[order][first])
        if self.best is None or one.requested_bytes > self.best[0]:
            self.best = (one.requested_bytes, asked, sizes)

    def found(self) -> Classes | None:
        """None where no block was live at any snapshot."""
        if self.best is None:
            return None
        _, asked, sizes = self.best
        return of_blocks(asked.astype(float), sizes, *merged(self.usable, self.least))


BY_RULE = ("usable_bytes", "least_requested_bytes", "blocks_at_peak", "requested_at_peak_bytes")


def by_rules(folder: pathlib.Path, tape: Tape) -> dict[str, Classes]:
    """By allocator, what its known classes make of the tape's sizes. Empty where a bench left no such file, or it makes no sense."""
    name = Fields(tape.facts, "tape").text("classes_csv")
    found: dict[str, list[list[int]]] = {}
    try:
        if name:
            with inside(folder, name).open(newline="", encoding="utf-8") as source:
                for row in csv.DictReader(source):
                    found.setdefault(row["allocator"], []).append([int(row[column]) for column in BY_RULE])
        return {allocator: Classes(*numpy.array(sorted(rows), dtype=float).T) for allocator, rows in found.items()}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}
