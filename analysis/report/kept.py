"""What was read last of a tape's snapshots, which take long to read: its charts and its tables are made one after the other."""

from __future__ import annotations

import pathlib
from typing import Callable, Generic, TypeVar

from .results import Tape

Value = TypeVar("Value")


def state(path: pathlib.Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


class Kept(Generic[Value]):
    """One value; read again where it is another tape's, or a file has changed."""

    def __init__(self, read: Callable[[pathlib.Path, Tape], Value]):
        self.read = read
        self.key: tuple | None = None
        self.value: Value | None = None

    def __call__(self, folder: pathlib.Path, tape: Tape) -> Value:
        files = [row.snapshots for row in tape.rows if row.ok and row.snapshots]
        key = (folder, tape.name, tuple((row.allocator, row.snapshots) for row in tape.rows), tuple(state(folder / f) for f in files))
        if key != self.key:
            self.value, self.key = self.read(folder, tape), key
        return self.value
