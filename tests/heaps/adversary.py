#!/usr/bin/python3
"""Programs that are bad for an allocator, as calls for `heaptape trace convert` (.rep on standard output).

  tests/heaps/adversary.py robson 1024 64 > robson.rep       any policy needs M (log2(n) / 2 + 1) - n + 1
  tests/heaps/adversary.py growing 1024 64 > growing.rep     first fit needs 0.8 M log2(n)
  tests/heaps/adversary.py best 256 16 > best.rep            best fit needs (M - 4 n + 11) (n - 2)
  tests/heaps/adversary.py sweep 256 16 > sweep.rep          next and worst fit need (M - n + 1) n
  heaptape trace convert -o robson.tape robson.rep

M is the most that is live at once and n the largest block, in units of a block of 32 bytes, the least of the boundary-tag
heap: a block of j units is malloc(32 j - 16), for 16 bytes are its tags. So live volumes and heaps are those of whole
blocks, as in the papers, and what is asked for is less.

An adversary looks at where its blocks are put before it decides what to do next. Here it looks at a model of the store
(class Store), so that it needs no allocator to run against; a test holds the model against the real ones.
"""

import bisect
import math
import sys

UNIT = 32  # bytes
TAGS = 16  # bytes of a block that malloc's caller does not see


class Store:
    """A store without end that begins at 0: first fit by address, or best fit (of several the lowest). What lies behind the
    last block is a free block, too, the largest."""

    def __init__(self, fit: str = "first"):
        self.fit = fit
        self.holes: list[tuple[int, int]] = []  # address, size; by address
        self.live: dict[int, tuple[int, int]] = {}  # by the block's number: address, size
        self.calls: list[str] = []
        self.taken = 0  # calls of take()
        self.volume = self.peak = 0  # live units
        self.end = self.extent = 0  # of the last block, now and at most

    def _hole(self, size: int) -> int | None:
        fitting = [(hole[1], i) for i, hole in enumerate(self.holes) if hole[1] >= size]
        if not fitting:
            return None
        return min(fitting)[1] if self.fit == "best" else fitting[0][1]

    def take(self, size: int) -> int:
        at = self._hole(size)
        if at is None:
            address = self.end
            self.end += size
            self.extent = max(self.extent, self.end)
        else:
            address, whole = self.holes.pop(at)
            if whole > size:
                self.holes.insert(at, (address + size, whole - size))
        block = self.taken
        self.taken += 1
        self.live[block] = address, size
        self.volume += size
        self.peak = max(self.peak, self.volume)
        self.calls.append(f"a {block} {size * UNIT - TAGS}")
        return block

    def give(self, *blocks: int) -> None:
        for block in blocks:
            address, size = self.live.pop(block)
            self.volume -= size
            self.calls.append(f"f {block}")
            at = bisect.bisect(self.holes, (address, 0))
            if at < len(self.holes) and self.holes[at][0] == address + size:
                size += self.holes.pop(at)[1]
            if at and sum(self.holes[at - 1]) == address:
                at -= 1
                address, before = self.holes.pop(at)
                size += before
            if address + size == self.end:
                self.end = address
            else:
                self.holes.insert(at, (address, size))


def fill(store: Store, most: int, size: int) -> None:
    while store.volume + size <= most:
        store.take(size)


def robson(most: int, largest: int, fit: str = "first") -> Store:
    """Robson's program against any allocator that does not move blocks, with sizes that are powers of two (J. M. Robson,
    Bounds for some functions concerning dynamic storage allocation, JACM 21, 1974). Step i keeps only blocks that
    cover a place at f modulo 2^i: between two of them no block of 2^i fits. Of the two f that go with the last one it takes that
    which keeps the most space from such blocks. Whatever the allocator does it needs
    M (log2(n) / 2 + 1) - n + 1 units."""
    store = Store(fit)
    fill(store, most, 1)
    place = 0
    for i in range(1, int(math.log2(largest)) + 1):
        size = 2**i

        def covering(offset: int) -> set[int]:
            return {block for block, (address, bytes_) in store.live.items() if (offset - address) % size < bytes_}

        def kept_away(offset: int) -> int:
            return sum(size - store.live[block][1] for block in covering(offset))

        place = max((place, place + size // 2), key=kept_away)
        store.give(*sorted(set(store.live) - covering(place)))
        fill(store, most, size)
    return store


def growing(most: int, largest: int) -> Store:
    """Every size from 1 to n in turn: frees all that it can while each hole stays smaller than the size, and then takes as many
    blocks of it as it may. Each goes to the end, whatever the fit."""
    store = Store()
    for size in range(1, largest + 1):
        kept_end = 0
        blocks = sorted(store.live.items(), key=lambda item: item[1])
        for (block, (address, bytes_)), (_, (after, _)) in zip(blocks, blocks[1:]):
            if after - kept_end < size:
                store.give(block)
            else:
                kept_end = address + bytes_
        fill(store, most, size)
    return store


class BestFitAttack:
    """Best fit can be led to R (F R1) (F R1) (F R1) ..., where F is a hole of n - 3 units, R1 a block of one unit and R a
    block of n - 2: live is a unit for each n - 2 of the store (J. M. Robson, Worst case fragmentation of first fit and best fit
    storage allocation strategies, Computer Journal 20, 1977; Knuth, The Art of Computer Programming 1, 2.5, exercise
    42).

    A block of one unit goes to the smallest hole, so one can be set behind a hole of n - 3 only where it fills a hole of one
    unit: in a hole of 2 n - 4 units a block of n leaves n - 4, a better fit than the holes of n - 3 for a block of n - 5, and
    that leaves 1 for the R1. Then the block of n is freed and its hole wanders to the store's beginning: in each step it
    changes places with the F R1 before it. At the beginning it becomes F R1 F R1, for R and it are 3 n - 6 units."""

    def __init__(self, most: int, largest: int):
        self.store, self.n = Store("best"), largest
        self.first = self.store.take(largest - 2)
        self.marks: list[int] = []  # the R1, by address
        while self.store.volume + 3 * (largest - 2) <= most:
            self.round()
        fill(self.store, most, largest)

    def cut(self) -> tuple[int, int, int]:
        """In a hole of 2 n - 4, the only one that large: blocks of n, n - 5 and 1."""
        return tuple(self.store.take(size) for size in (self.n, self.n - 5, 1))

    def step(self, left: int, filler: int) -> tuple[int, int]:
        """The hole of n in front of `filler` changes places with the hole, or nothing, and the block in front of it. Returns the
        new filler behind the hole, and the mark behind that; what it was is a hole of n - 3 now."""
        front, back = self.store.take(self.n - 2), self.store.take(2)
        self.store.give(left, front)
        hole, new_filler, mark = self.cut()
        self.store.give(hole, back, filler)
        return new_filler, mark

    def round(self) -> None:
        lower, upper, guard = (self.store.take(self.n - 2) for _ in range(3))
        self.store.give(lower, upper)
        hole, filler, mark = self.cut()
        self.store.give(hole, guard)
        marks = [mark]
        for left in reversed(self.marks):
            filler, mark = self.step(left, filler)
            marks.append(mark)
        filler, mark = self.step(self.first, filler)
        self.store.give(filler)
        self.first = self.store.take(self.n - 2)
        self.marks = [mark, *reversed(marks)]


def best(most: int, largest: int) -> Store:
    return BestFitAttack(most, largest).store


def sweep(most: int, largest: int) -> Store:
    """A block of n - 1 and one of a unit by turns, and only the unit stays. Whoever goes on behind it (next fit), or to the largest
    hole (worst fit), never uses the holes of n - 1 units again. The model is of first fit, which does: its extent says nothing."""
    store = Store()
    while store.volume + largest <= most:
        block = store.take(largest - 1)
        store.take(1)
        store.give(block)
    return store


PROGRAMS = {"robson": robson, "growing": growing, "best": best, "sweep": sweep}
LEAST = {"robson": 2, "growing": 1, "best": 7, "sweep": 2}


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in PROGRAMS or not all(word.isdigit() for word in arguments[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    name, most, largest = arguments[0], int(arguments[1]), int(arguments[2])
    if largest < LEAST[name] or most < 4 * largest or (name == "robson" and largest & (largest - 1)):
        print(f"adversary.py {name}: n is at least {LEAST[name]}{' and a power of two' * (name == 'robson')}, M at least 4 n",
              file=sys.stderr)
        return 2
    store = PROGRAMS[name](most, largest)
    print("\n".join(store.calls))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
