"""Where the report's files go: charts, figures and pages below one folder."""

from __future__ import annotations

import pathlib
import re
from typing import Callable


def safe(name: str) -> str:
    """A tape's name in a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".") or "tape"


def put(path: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """A file, whole or not at all: `write` writes it beside, with the same ending, and it is renamed. Raises OSError."""
    draft = path.with_name(f".part.{path.name}")
    try:
        write(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class Writer:
    """Writes charts and the page below one folder and remembers what it wrote."""

    def __init__(self, folder: pathlib.Path, formats: list[str]):
        self.folder, self.formats = folder, formats
        self.written: list[pathlib.Path] = []

    def chart(self, chart, tape: str = "") -> list[str]:
        """Paths of the chart's files, relative to the page."""
        stem = f"{safe(tape)}.{chart.name}" if tape else chart.name
        files = []
        for ending in ("png", "svg"):
            if ending not in self.formats:
                continue
            path = self.folder / "charts" / f"{stem}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, chart.canvas.save)
            self.written.append(path)
            files.append(f"charts/{stem}.{ending}")
        return files

    def copy(self) -> "Writer":
        """One that has written nothing yet, for another process."""
        return Writer(self.folder, self.formats)

    def data(self, name: str, text: str) -> None:
        """A file of figures."""
        path = self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, lambda draft: draft.write_text(text, encoding="utf-8", errors="replace"))
        self.written.append(path)

    def page(self, text: str, name: str = "report.html") -> None:
        path = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        put(path, lambda draft: draft.write_text(text, encoding="utf-8", errors="replace"))
        self.written.insert(0, path)
