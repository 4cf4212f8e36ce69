"""The verdict in plain words: each allocator against libc, with figures and intervals."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Interval
from .overview import Overall
from .results import Results, Row, Tape
from .units import as_bytes, as_ns, as_percent, change_in_words, figures

BETTER, WORSE, SAME = "better", "worse", "same"
TIME_WORDS = ("less time", "more time", "times the time")
MEMORY_WORDS = ("less memory", "more memory", "times the memory")


@dataclass(frozen=True)
class Phrase:
    """'31 % less time', its interval in words, and whether that is good."""

    words: str
    interval: str
    kind: str


@dataclass(frozen=True)
class Line:
    """What is said of one allocator. `failure` takes the place of the phrases where there is one."""

    allocator: str
    time: Phrase | None
    memory: Phrase | None
    failure: str = ""


def apart(low: float, high: float, text) -> tuple[str, str]:
    """Both ends with as many digits as tell them apart; text(value, digits)."""
    for digits in (2, 3, 4):
        first, second = text(low, digits), text(high, digits)
        if first != second:
            break
    return first, second


def span(value: Interval, directed: bool = False) -> str:
    """
    The interval as a reader compares it with the phrase: '29 to 33 %'; signs spelled where it crosses 1, and with
    `directed`, for a phrase that has none.
    """
    low, high = value.low, value.high
    if high - low < 1e-6 * high:
        return ""
    if value.median >= 2:
        first, second = apart(low, high, figures)
        return f"{first} to {second} times"
    if low >= 1 or high <= 1:
        first, second = apart(*sorted((abs(low - 1), abs(high - 1))), as_percent)
        return f"{first.split()[0]} to {second}" + (f" {'more' if low >= 1 else 'less'}" if directed else "")
    return f"{as_percent(1 - low)} less to {as_percent(high - 1)} more"


def phrase(value: Interval | None, noun: str, words: tuple[str, str, str]) -> Phrase | None:
    """None where there is nothing to compare."""
    if value is None:
        return None
    if not value.shown:
        return Phrase(f"no difference in {noun} shown", span(value, True), SAME)
    return Phrase(change_in_words(value.median, *words), span(value), BETTER if value.median < 1 else WORSE)


def line(row: Row) -> Line:
    if not row.ok:
        return Line(row.allocator, None, None, row.failure)
    time = phrase(row.relative_time, "time", TIME_WORDS)
    return Line(row.allocator, time, phrase(row.relative_peak_resident, "memory", MEMORY_WORDS))


def absolute_line(row: Row) -> Line:
    """Without libc to compare with: the figures themselves."""
    if not row.ok:
        return Line(row.allocator, None, None, row.failure)
    time = memory = None
    if row.ns:
        time = Phrase(
            f"{as_ns(row.ns.median)} an operation", f"{figures(row.ns.low)} to {figures(row.ns.high)}", SAME
        )
    if row.peak_resident:
        peak = row.peak_resident
        memory = Phrase(
            f"{as_bytes(peak.median)} peak resident", f"{as_bytes(peak.low)} to {as_bytes(peak.high)}", SAME
        )
    return Line(row.allocator, time, memory)


def lines(tape: Tape) -> list[Line]:
    """Fastest first; failures last; libc itself left out where it is the measure."""
    rows = sorted(tape.rows, key=lambda r: (not r.ok, r.ns.median if r.ns else 0.0, r.allocator))
    if tape.baseline is None:
        return [absolute_line(r) for r in rows]
    return [line(r) for r in rows if r.allocator != "libc"]


def names(words: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def best(pairs: list[tuple[Interval, str]]) -> list[str]:
    """Those whose interval reaches down to that of the lowest: nobody among them is shown to be better."""
    lowest = min(pairs, key=lambda p: p[0].median)[0]
    chosen = [(v.median, n) for v, n in pairs if v.low <= lowest.high]
    return [n for _, n in sorted(chosen)]


def superlative(rows: list[Row], which: str, relative: str, adjective: str, words: tuple[str, str, str]) -> str:
    """'mimalloc is fastest', or that nobody can be told to be. Ratios to libc, paired by round, tell most."""
    chosen = relative if all(getattr(r, relative) for r in rows) else which
    pairs = [(getattr(r, chosen), r.allocator) for r in rows if getattr(r, chosen)]
    if len(pairs) < 2:
        return ""
    found = best(pairs)
    told_apart = chosen == which or any(value.shown for value, _ in pairs)
    if len(found) == len(pairs) or not told_apart:
        return f"no allocator is shown to be {adjective}"
    if len(found) > 1:
        return f"{names(found)} are {adjective}, with no difference shown between them"
    value = next(getattr(r, relative) for r in rows if r.allocator == found[0])
    by = f" ({change_in_words(value.median, *words)} than libc)" if value and value.shown and value.median < 1 else ""
    return f"{found[0]} is {adjective}{by}"


def headline(tape: Tape) -> str:
    """One sentence: who is fastest and who is leanest on this tape."""
    rows = [r for r in tape.rows if r.ok]
    if not rows:
        return "No allocator got through this tape."
    if len(tape.rows) == 1:
        return f"{rows[0].allocator} alone was measured; bench it beside others to compare."
    parts = [
        p
        for p in (
            superlative(rows, "ns", "relative_time", "fastest", TIME_WORDS),
            superlative(rows, "peak_resident", "relative_peak_resident", "leanest", MEMORY_WORDS),
        )
        if p
    ]
    said = "; ".join(parts)
    if not said:
        return "Too little was measured to compare."
    named = any(said.startswith(r.allocator) for r in rows)  # names keep their letters
    return (said if named else said[0].upper() + said[1:]) + "."


def better_in_both(one: Row, other: Row) -> bool:
    """Whether `one` needs less time and less memory, both beyond their intervals."""
    pairs = [
        (one.relative_time or one.ns, other.relative_time or other.ns),
        (one.relative_peak_resident or one.peak_resident, other.relative_peak_resident or other.peak_resident),
    ]
    return all(a is not None and b is not None and a.high < b.low for a, b in pairs)


def beaten(tape: Tape) -> str:
    """'For libc and tbbmalloc there is another ...'; '' where nobody is beaten in both, or times are not told apart."""
    rows = [r for r in tape.rows if r.ok]
    if tape.baseline is not None and not any(r.relative_time and r.relative_time.shown for r in rows):
        return ""
    found = [r.allocator for r in rows if any(better_in_both(o, r) for o in rows)]
    if not found:
        return ""
    return f"For {names(found)} there is another that takes both less time and less memory."


def undecided(found: list[Line]) -> str:
    """'No difference shown between libc and a, b.' for those with neither time nor memory told apart."""
    same = [
        l.allocator for l in found if l.time and l.memory and l.time.kind == SAME and l.memory.kind == SAME
    ]
    return (
        f"No difference shown between libc and {names(same)}, neither in time nor in memory." if same else ""
    )


def overall_phrase(entry: Overall, which: str, words: tuple[str, str, str], noun: str) -> Phrase | None:
    """
    The geometric mean in words, the range over the tapes, and on how many of them a difference is shown. A mean
    within 1 % of libc's is called even; where no tape shows a difference, neither does their mean.
    """
    mean, ratios = getattr(entry, f"{which}_mean"), getattr(entry, which)
    shown, ends = getattr(entry, f"{which}_shown"), getattr(entry, f"{which}_interval")
    if mean is None:
        return None
    low, high = figures(min(ratios)), figures(max(ratios))
    across = f"tape by tape {low} to {high} times libc's" if low != high else f"{low} times libc's on each tape"
    if ends:
        across = "; ".join(w for w in (span(Interval(mean, *ends), not shown), across) if w)
    if not shown:
        return Phrase(f"no difference in {noun} shown on any tape", across, SAME)
    if shown < len(ratios):
        across += f"; a difference is shown on {shown} of {len(ratios)}"
    if abs(mean - 1) < 0.01:
        return Phrase(f"even with libc in {noun}", across, SAME)
    return Phrase(change_in_words(mean, *words), across, BETTER if mean < 1 else WORSE)


def overall_lines(found: list[Overall], tapes: int) -> list[Line]:
    """One line an allocator over all tapes."""
    result = []
    for entry in found:
        if entry.allocator == "libc":
            continue
        failure = f"failed on {entry.failed} of {tapes} tapes" if entry.failed else ""
        time = overall_phrase(entry, "time", TIME_WORDS, "time")
        memory = overall_phrase(entry, "memory", MEMORY_WORDS, "memory")
        result.append(Line(entry.allocator, time, memory, failure))
    return result


def overall_headline(found: list[Overall], results: Results) -> str:
    """Who has the lowest geometric means."""
    timed = [(o.time_mean, o.allocator) for o in found if o.time_mean]
    sized = [(o.memory_mean, o.allocator) for o in found if o.memory_mean]
    if not timed or not sized:
        return "libc has no figures to compare with; see each tape."
    if not any(o.time_shown for o in found):
        return f"Over {len(results.tapes)} tapes, no difference in time is shown; {min(sized)[1]} takes the least memory."
    fastest, leanest = min(timed)[1], min(sized)[1]
    said = (
        f"{fastest} takes the least time and "
        + ("" if leanest == fastest else f"{leanest} ")
        + "the least memory"
    )
    return f"Over {len(results.tapes)} tapes, {said} (geometric means relative to libc)."
