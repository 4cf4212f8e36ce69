"""The allocators that a run compares: those that `heaptape allocators` finds, libc first."""
from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEFAULT = ("libc", "htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc")
OTHER = "htmalloc-other"


@dataclass(frozen=True)
class Allocator:
    name: str
    path: str  # to preload; empty for libc
    version: str


def found(build: Path) -> list[Allocator]:
    """Every allocator found here by name."""
    command = [str(build / "libexec/heaptape/heaptape-allocators"), "--format=json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Allocator(one["name"], one["path"], one["version"])
            for one in json.loads(answer)["allocators"]]


def chosen(build: Path, names: list[str], other: str) -> list[Allocator]:
    """The ones to run: `names`, or the usual six; libc is always the first, for all is relative to
    it. `other` is the path of one more htmalloc library. ValueError names what is not there."""
    known = {one.name: one for one in found(build)}
    wanted = ["libc"]
    wanted += [one for one in names or [name for name in DEFAULT if name in known]
               if one not in ("libc", OTHER)]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ValueError(f"no allocator {missing[0]} here; heaptape allocators lists those found")
    result = [known[name] for name in wanted]
    if other:
        if not Path(other).is_file():
            raise ValueError(f"{other}: no such library; build it there first")
        result.append(Allocator(OTHER, str(Path(other).resolve()), ""))
    return result
