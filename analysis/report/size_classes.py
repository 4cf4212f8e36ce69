"""The size classes of an allocator as its blocks show them, from the snapshots of a heap: what was usable of what was asked for."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy

from . import snapshots


@dataclass(frozen=True)
class Classes:
    """An entry for each usable size that was seen, smallest first; the figures are of the live blocks at the highest R."""

    usable: numpy.ndarray  # bytes that a block of the class holds
    least: numpy.ndarray  # the smallest size that was given such a block, at any snapshot
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


def read(path: pathlib.Path) -> Classes | None:
    """None where no block was live at any snapshot. ValueError or OSError where the file cannot be read."""
    usable, least, best = [], [], None
    for one in snapshots.read(path):
        if not len(one.usable):
            continue
        sizes = one.usable.astype(numpy.int64)
        asked = one.requested.astype(numpy.int64)
        order = numpy.lexsort((asked, sizes))
        seen, first = numpy.unique(sizes[order], return_index=True)
        usable.append(seen)
        least.append(asked[order][first])
        if best is None or one.requested_bytes > best[0]:
            best = (one.requested_bytes, asked, sizes)
    if best is None:
        return None
    return of_blocks(best[1].astype(float), best[2], *merged(usable, least))
