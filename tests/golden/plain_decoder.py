#!/usr/bin/python3
"""The events of a small tape, decoded as FORMAT.md says and as plainly as it can be said: plain_decoder.py TAPE

Slow on purpose, and written from the page alone: where it and the real decoder differ, one of the three is wrong.
Needs the program `zstd`, since Python has no such module of its own.
"""

import struct
import subprocess
import sys
from typing import NamedTuple

from tape_bytes import EVENTS, blocks

KIND_NAMES = ("malloc calloc aligned_alloc realloc(NULL) realloc realloc(p,0) free free(NULL) free(foreign) "
              "malloc_usable_size failed").split()
ALLOCATE, REALLOC, REFER, FREE = (1, 2, 3, 4), 5, (5, 6, 7, 10), (6, 7)
(SHAPE_KINDS, SHAPE_ALIGNS, SHAPE_SIZES, SHAPE_REFERENCES, TOKENS, SIZES, REFERENCES, NEW_IDS, FOREIGN_IDS, LANES,
 LANE_RUNS, CLOCK_EVENTS, CLOCK_STEPS, SITE_RANKS, STEPS, SITE_MISSES) = range(16)
FAR, SIZE_APART, REFERENCE_APART, STEP = 16, 32, 64, 128
BY_ID, BY_AGE, BY_TOUCH = range(3)


class Event(NamedTuple):
    time_ns: int
    lane: int
    kind: str
    object: int
    size_bytes: int
    align_bytes: int
    site: int


def undo_zigzag(value):
    return value >> 1 ^ -(value & 1)


def plane(how, stored, count):
    if how == 1:
        stored = subprocess.run(["zstd", "-dcq"], input=b"\x28\xb5\x2f\xfd" + stored, capture_output=True,
                                check=True).stdout
    elif how == 2:
        stored = stored * count
    assert len(stored) == count
    return stored


def read_columns(payload):
    heads = [struct.unpack_from("<BBBBI", payload, 24 + 8 * i) for i in range(payload[5])]
    at = 24 + 8 * len(heads)
    words = list(struct.unpack_from(f"<{sum(head[1] for head in heads)}I", payload, at))
    at += 4 * len(words)
    columns = {name: [] for name in range(16)}
    for name, width, transform, _, count in heads:
        values = [0] * count
        for number in range(width):
            word = words.pop(0)
            for i, byte in enumerate(plane(word >> 24, payload[at:at + (word & 0xFFFFFF)], count)):
                values[i] |= byte << 8 * number
            at += word & 0xFFFFFF
        if transform == 1:
            total, bits = 0, 64 if name in (SHAPE_SIZES, SIZES, CLOCK_STEPS) else 32
            for i in range(count):
                total = values[i] = (total + undo_zigzag(values[i])) % (1 << bits)
        columns[name] = values
    assert at == len(payload)
    return columns


class Objects:
    """Which object an event is about."""

    def __init__(self, next_id, how):
        self.next_id, self.how = next_id, how
        self.freed = []
        self.touches = 0
        self.touched = [0]        # by age: the object of each touch
        self.row = []             # by touch: (number of the latest touch, object)
        self.where, self.last, self.far = 0, 0, 0  # of the object named last: its place in the row, its touch

    def touch(self, name):
        self.touches += 1
        self.touched.append(name)
        self.row.append((self.touches, name))

    def allocate(self, apart):
        if apart is not None:
            name = apart
        else:
            name = self.freed.pop() if self.freed else self.next_id
        self.next_id = max(self.next_id, name + 1)
        return name

    def in_row(self, touch):
        return next(i for i, (number, _) in enumerate(self.row) if number == touch)

    def named(self, place):
        assert 0 <= place < len(self.row)
        self.where = place
        self.last, name = self.row.pop(place)
        return name

    def by_age(self, age):
        return self.named(len(self.row) - age if age <= 16 else self.in_row(self.touches + 1 - age))

    def by_step(self, step):
        if abs(step) > 16:
            return self.named(self.in_row(self.last + step))
        return self.named(self.where + step - (step > 0))


def refer(objects, flags, shape_reference, take):
    apart = flags & REFERENCE_APART
    if objects.how == BY_TOUCH and flags & FAR:
        objects.far = take(FOREIGN_IDS) if apart else (objects.far + undo_zigzag(shape_reference)) % 2**32
        return objects.far
    if objects.how == BY_TOUCH and flags & STEP:
        return objects.by_step(undo_zigzag(take(STEPS) if apart else shape_reference))
    value = take(REFERENCES) if apart else shape_reference
    if objects.how == BY_TOUCH:
        return objects.by_age(value)
    if objects.how == BY_AGE:
        return objects.touched[-value] if value else take(FOREIGN_IDS)
    return value


class Sites:
    def __init__(self):
        self.before = self.highest = 0
        self.of_token = [0] * 256
        self.pairs = [(0, 0)] * 16384

    def next(self, token, take):
        at = (self.before * 0x9E3779B1 + token * 0x85EBCA6B) % 2**32 >> 18
        guesses = (*self.pairs[at], self.highest + 1, self.of_token[token])
        rank = take(SITE_RANKS)
        site = guesses[rank] if rank < 4 else take(SITE_MISSES)
        if site != guesses[0]:
            self.pairs[at] = (site, guesses[0])
        self.before = self.of_token[token] = site
        self.highest = max(self.highest, site)
        return site


def decode_block(payload):
    next_id, how, _, shapes, time_ns, unit = struct.unpack_from("<IBBHQI", payload)
    columns = read_columns(payload)
    queues = {name: iter(values) for name, values in columns.items()}
    kinds, aligns, sizes, references = ((columns[name] or [0] * shapes) for name in range(4))
    lanes = [lane for lane, more in zip(columns[LANES], columns[LANE_RUNS]) for _ in range(more + 1)]
    steps, at = {}, 0
    for distance, step in zip(columns[CLOCK_EVENTS], columns[CLOCK_STEPS]):
        at += distance
        steps[at] = steps.get(at, 0) + step * unit
    objects, sites = Objects(next_id, how), Sites()

    def take(name):
        return next(queues[name])

    for i, token in enumerate(columns[TOKENS]):
        flags = kinds[token]
        kind, name, size, site = flags & 15, 0, 0, 0
        time_ns += steps.get(i, 0)
        if kind <= REALLOC or kind == 11:
            size = take(SIZES) if flags & SIZE_APART else sizes[token]
        if kind in ALLOCATE:
            name = objects.allocate(take(NEW_IDS) if flags & REFERENCE_APART else None)
        elif kind in REFER:
            name = refer(objects, flags, references[token], take)
        if kind in FREE:
            objects.freed.append(name)
        elif kind in ALLOCATE or kind in REFER:
            objects.touch(name)
        if kind <= REALLOC and columns[SITE_RANKS]:
            site = sites.next(token, take)
        align = 1 << aligns[token] if aligns[token] else 0
        yield Event(time_ns, lanes[i], KIND_NAMES[kind - 1], name, size, align, site)


def decode(data: bytes):
    for _, head, payload in blocks(data):
        if head["kind"] == EVENTS:
            yield from decode_block(payload)


if __name__ == "__main__":
    for event in decode(open(sys.argv[1], "rb").read()):
        print(*event)
