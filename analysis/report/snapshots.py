"""Snapshots of the heap (analysis/SNAPSHOTS.md), read into numpy arrays. A damaged file is a ValueError."""

from __future__ import annotations

import os
import pathlib
import struct
import zlib
from dataclasses import dataclass
from typing import Iterator

import numpy

MAGIC, VERSION, PAGE = b"HAPSNPS\0", 1, 4096
HEAD, ENTRY = struct.Struct("<8sIIIIQ"), struct.Struct("<II11Q32x")
GRID, PEAK_REQUESTED, END, PEAK_RESIDENT, NO_PAGES, ASKED = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True)
class Snapshot:
    """One moment. Addresses and sizes in bytes."""

    kinds: int
    event: int
    operation: int
    time_ns: int
    requested_bytes: int
    usable_bytes: int
    held_bytes: int
    resident_bytes: int
    mappings: numpy.ndarray  # rows of start, end, flags
    runs: numpy.ndarray  # of resident pages: likewise
    address: numpy.ndarray  # of the blocks, lowest first
    requested: numpy.ndarray
    usable: numpy.ndarray
    birth: numpy.ndarray  # empty where not asked for
    lane: numpy.ndarray  # likewise


def varints(coded: bytes) -> numpy.ndarray:
    """All values of the coded part."""
    plain = numpy.frombuffer(coded, dtype=numpy.uint8)
    if not len(plain):
        return numpy.empty(0, dtype=numpy.uint64)
    last = numpy.flatnonzero(plain < 0x80)
    if not len(last) or last[-1] != len(plain) - 1:
        raise ValueError("a snapshot is damaged")
    first = numpy.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    if length.max() > 10:
        raise ValueError("a snapshot is damaged")
    found = (plain[first] & 0x7F).astype(numpy.uint64)
    longer = numpy.flatnonzero(length > 1)
    for place in range(1, int(length.max())):  # most values are short, so that few are looked at again
        found[longer] |= (plain[first[longer] + place] & 0x7F).astype(numpy.uint64) << numpy.uint64(7 * place)
        longer = longer[length[longer] > place + 1]
    return found


def signed(values: numpy.ndarray) -> numpy.ndarray:
    return (values >> numpy.uint64(1)).astype(numpy.int64) ^ -(values & numpy.uint64(1)).astype(numpy.int64)


def ranges(values: numpy.ndarray) -> numpy.ndarray:
    """Rows of start, end, flags from gaps and lengths in pages."""
    rows = values.reshape(-1, 3)
    ends = numpy.cumsum(rows[:, 0] + rows[:, 1], dtype=numpy.uint64)
    page = numpy.uint64(PAGE)
    return numpy.stack([(ends - rows[:, 1]) * page, ends * page, rows[:, 2]], axis=1)


def first_bytes(coded: bytes, values: int) -> bytes:
    """What holds the first so many values, or all where there are fewer."""
    last = numpy.flatnonzero(numpy.frombuffer(coded, dtype=numpy.uint8) < 0x80)
    return coded[: int(last[values - 1]) + 1] if 0 < values <= len(last) else coded[: 0 if not values else None]


def decode(entry: tuple, coded: bytes, blocks_known: bool, births_known: bool) -> Snapshot:
    kinds, _, event, operation, time_ns, requested, usable, held, resident, blocks, mappings, runs, *_ = entry
    before = 3 * (mappings + runs)
    blocks = blocks if blocks_known else 0
    known = 5 if births_known else 3
    if known < 5 or not blocks_known:
        coded = first_bytes(coded, before + known * blocks)
    values = varints(coded)
    if len(values) != before + known * blocks:
        raise ValueError("a snapshot is damaged")
    columns = values[before:].reshape(known, blocks)
    none = numpy.empty(0, dtype=numpy.int64)
    return Snapshot(
        kinds, event, operation, time_ns, requested, usable, held, resident,
        mappings=ranges(values[: 3 * mappings]),
        runs=ranges(values[3 * mappings : before]),
        address=numpy.cumsum(columns[0], dtype=numpy.uint64),
        requested=columns[1],
        usable=(columns[1].astype(numpy.int64) + signed(columns[2])).astype(numpy.uint64),
        birth=numpy.cumsum(signed(columns[3])) if births_known else none,
        lane=columns[4] if births_known else none,
    )  # fmt: skip


def read(path: pathlib.Path, blocks: bool = True, births: bool = True) -> Iterator[Snapshot]:
    """The snapshots of the file, first to last; with `blocks` false as if there were no blocks, with `births` false without births
    and lanes, which is quicker. ValueError or OSError where it cannot be read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEAD.size)
        if len(head) < HEAD.size or head[:8] != MAGIC:
            raise ValueError("not snapshots of a heap")
        _, version, page, count, entry_bytes, _ = HEAD.unpack(head)
        if version != VERSION or page != PAGE or entry_bytes < ENTRY.size:
            raise ValueError(f"version {version} is not read here")
        for _ in range(count):
            raw = file.read(entry_bytes)
            if len(raw) < entry_bytes:
                raise ValueError("the file is cut short")
            entry = ENTRY.unpack_from(raw)
            if entry[12] > size - file.tell():  # before so much memory is asked for
                raise ValueError("the file is cut short")
            coded = file.read(entry[12])
            if len(coded) < entry[12]:
                raise ValueError("the file is cut short")
            if zlib.crc32(coded) != entry[1]:
                raise ValueError("a snapshot is damaged")
            yield decode(entry, coded, blocks, births)
