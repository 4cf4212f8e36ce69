"""What changed from one bench to another, as heaptape diff tells it, and in words."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .fields import Fields, Interval, ResultsError
from .units import as_bytes, as_change, as_ns, as_percent, change_in_words, figures

SHOWN = ("worse", "better")
# Of each metric: what it is called, and how a change of it is said.
METRICS = {
    "time": ("time relative to libc", ("less time", "more time", "times the time")),
    "peak_resident": ("peak resident", ("less memory", "more memory", "times the memory")),
    "peak_held": ("peak held", ("less held from the system", "more held from the system", "times as much held")),
}


@dataclass(frozen=True)
class Change:
    """One metric of one allocator on one tape. `change` is new/old - 1 with its interval; None where it cannot be told."""

    tape: str
    allocator: str
    metric: str
    unit: str
    verdict: str
    old: float | None
    new: float | None
    change: Interval | None
    detail: str

    @property
    def shown(self) -> bool:
        return self.verdict in SHOWN

    @property
    def ratio(self) -> Interval | None:
        """New over old."""
        value = self.change
        return Interval(value.median + 1, value.low + 1, value.high + 1) if value else None

    def said(self, value: float | None) -> str:
        """A value in its unit."""
        if value is None:
            return "–"
        if self.unit == "bytes":
            return as_bytes(value)
        return as_ns(value) if self.unit == "ns" else f"{figures(value)}×" if self.unit == "of libc's" else figures(value)

    @property
    def outcome(self) -> str:
        """What is thought of it."""
        words = {"within_limit": "no change shown", "not_shown": "no change shown", "missing": "gone", "new": "new"}
        word = words.get(self.verdict, self.verdict)
        return f"{word}: {self.detail}" if self.detail else word


@dataclass(frozen=True)
class Changes:
    counts: dict
    warnings: tuple[str, ...]
    changes: tuple[Change, ...]

    def of(self, metric: str) -> list[Change]:
        return [c for c in self.changes if c.metric == metric]

    @property
    def shown(self) -> list[Change]:
        """Those that are shown, the largest first."""
        found = [c for c in self.changes if c.shown]
        return sorted(found, key=lambda c: -abs(c.change.median) if c.change else float("-inf"))

    @property
    def compared(self) -> int:
        return sum(c.change is not None for c in self.changes)


def to_change(fields: Fields) -> Change:
    return Change(
        tape=fields.text("tape"),
        allocator=fields.text("allocator"),
        metric=fields.text("metric"),
        unit=fields.text("unit"),
        verdict=fields.text("verdict"),
        old=fields.number("old_median"),
        new=fields.number("new_median"),
        change=fields.interval("change"),
        detail=fields.text("detail"),
    )


def apart(text: str) -> str:
    """The JSON without what was said on standard error before and after it, which its warnings repeat."""
    begin, end = f"\n{text}".find("\n{"), text.rfind("\n}")
    return text[begin : end + 2] if 0 <= begin < end else text


def read(text: str) -> Changes:
    """From what heaptape diff --format=json said. ResultsError in one sentence where that the two cannot be compared."""
    try:
        top = Fields(json.loads(apart(text)), "heaptape diff")
    except ValueError:
        said = text.strip().splitlines() or ["heaptape diff said nothing: run it by hand"]
        raise ResultsError(said[-1].removeprefix("heaptape diff: ")) from None
    entries = [Fields(v, f"changes[{i}]") for i, v in enumerate(top.objects("changes"))]
    warnings = tuple(str(w.get("message", w)) if isinstance(w, dict) else str(w) for w in top.list("warnings"))
    return Changes(top.object("counts"), warnings, tuple(to_change(e) for e in entries))


def span(change: Change) -> str:
    """'+9 % to +15 %'."""
    ratio = change.ratio
    return f"{as_change(ratio.low)} to {as_change(ratio.high)}"


def sentence(change: Change) -> str:
    """'12 % more time', with its interval."""
    _, words = METRICS.get(change.metric, (change.metric, ("less", "more", "times as much")))
    if change.ratio is None:
        return change.outcome
    return f"{change_in_words(change.ratio.median, *words)} ({span(change)})"


def headline(found: Changes) -> str:
    worse, better = (sum(c.verdict == v for c in found.changes) for v in SHOWN)
    if not found.compared:
        return "Nothing could be compared."
    if not worse and not better:
        return f"No change is shown in any of {found.compared} comparisons."
    parts = [f"{n} {word}" for n, word in ((worse, "worse"), (better, "better")) if n]
    return f"Of {found.compared} comparisons, {' and '.join(parts)}; in the other {found.compared - worse - better} no change is shown."


def by_chance(found: Changes) -> str:
    """What of that noise alone would show."""
    share = as_percent(0.05)
    return (
        f"A change counts as shown where its 95 % interval leaves out no change at all. Were nothing changed, about {share} of "
        f"the comparisons, here {figures(0.05 * found.compared, 2)}, would still be shown: mind single small changes less than "
        "several of one kind."
    )
