"""JSON written by heaptape, read with care: typed look-ups whose failures are one sentence for the user.

Needs nothing but Python itself, so that heaptape plot works without numpy.
"""

from __future__ import annotations

import json
import math
import pathlib
from dataclasses import dataclass

SCHEMA_VERSION = 1
FIGURE_LIMIT = 2.0**64  # nothing that is counted or timed is as large


class ResultsError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Interval:
    """A median with its confidence interval; all three known."""

    median: float
    low: float
    high: float
    verdict: str = ""

    @property
    def shown(self) -> bool:
        """Whether a difference from the baseline is shown."""
        return self.verdict not in ("", "no difference shown", "baseline")


def figure(text: str) -> float:
    """A cell of a CSV file; an empty one is nan. ValueError for what is no figure, or none that can be drawn."""
    value = float(text) if text else math.nan
    if text and not abs(value) < FIGURE_LIMIT:  # nan and infinities, too
        raise ValueError(text)
    return value


def finite(text: str) -> float:
    """A number of JSON; ValueError for one that is none (NaN, Infinity) or too large to be one (1e999)."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def whole(text: str) -> int:
    value = int(text)
    if abs(value) > FIGURE_LIMIT:
        raise ValueError(text)
    return value


def read_json(path: pathlib.Path) -> dict:
    """The object in PATH, its schema_version checked."""
    again = "run heaptape bench again with -o"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ResultsError(f"cannot read {path.name}: {path}: {reason}") from None
    try:
        value = json.loads(text, parse_int=whole, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        raise ResultsError(f"{path.name} is torn or not JSON ({where}): {path}: {again}") from None
    if not isinstance(value, dict) or "schema_version" not in value:
        raise ResultsError(f"{path.name} is not heaptape's (no schema_version): {path}: {again}")
    version = value["schema_version"]
    if version != SCHEMA_VERSION:
        raise ResultsError(
            f"{path.name} has schema_version {version!r}, this heaptape reads {SCHEMA_VERSION}: {path}: "
            "use the heaptape that wrote it, or run heaptape bench again"
        )
    return value


class Fields:
    """Typed look-ups in a JSON object; a wrong type is a ResultsError naming the key."""

    def __init__(self, value: object, where: str):
        if not isinstance(value, dict):
            raise ResultsError(f"{where} is not an object: run heaptape bench again")
        self.value, self.where = value, where

    def wrong(self, key: str, expected: str) -> ResultsError:
        return ResultsError(
            f"{self.where}: {key} is not {expected}: the file was damaged or edited; run heaptape bench again"
        )

    def number(self, key: str) -> float | None:
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < FIGURE_LIMIT:
            raise self.wrong(key, "a number")
        return float(value)

    def count(self, key: str) -> int:
        return int(self.number(key) or 0)

    def text(self, key: str) -> str:
        value = self.value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def truth(self, key: str, default: bool = False) -> bool:
        value = self.value.get(key)
        return default if value is None else bool(value)

    def object(self, key: str) -> dict:
        value = self.value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return value

    def list(self, key: str) -> list:
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def objects(self, key: str) -> tuple[dict, ...]:
        return tuple(Fields(v, f"{self.where}: {key}[{i}]").value for i, v in enumerate(self.list(key)))

    def interval(self, key: str) -> Interval | None:
        """None unless the median is known; ends that are unknown fall on the median."""
        inner = Fields(self.object(key), f"{self.where}: {key}")
        median, low, high = inner.number("median"), inner.number("ci_low"), inner.number("ci_high")
        if median is None:
            return None
        return Interval(
            median, median if low is None else low, median if high is None else high, inner.text("verdict")
        )


def inside(folder: pathlib.Path, name: str) -> pathlib.Path:
    """A file of the results by its name in the folder. ValueError where the name leads elsewhere, or cannot be one."""
    path = folder / name
    try:
        found = folder.resolve() in path.resolve().parents
    except (OSError, ValueError, RuntimeError):
        found = False
    if not found:
        raise ValueError(f"{name} lies outside the results folder")
    return path


def file_of(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The same, None where there is no such file in the folder."""
    try:
        path = inside(folder, name)
        return path if name and path.is_file() else None
    except (OSError, ValueError):
        return None


def read_folder(folder: pathlib.Path) -> Fields:
    """The results.json of a folder that heaptape bench left."""
    make = "make one with heaptape bench TAPE -o FOLDER"
    path = folder / "results.json"
    try:
        if not folder.exists():
            raise ResultsError(f"no such folder: {folder}: {make}")
        if not folder.is_dir():
            raise ResultsError(f"not a folder: {folder}: name the folder that heaptape bench wrote, not a file in it")
        if not path.exists():
            raise ResultsError(f"no results.json in {folder}: {make}")
    except (OSError, ValueError) as error:  # of a folder above that may not be entered; a name that cannot be one
        raise ResultsError(f"cannot read {folder}: {getattr(error, 'strerror', None) or error}: {make}") from None
    return Fields(read_json(path), "results.json")
