"""From samples to ratios and means, and what is printed of them.

A ratio is that of two samples of one round, which had the same seed; over rounds the median counts.
Means are geometric. Lower is better throughout.
"""
from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from runs import Program, Sample

KINDS = ("kernel", "application", "tape", "tiny")
MEASURES = (("cpu_us", "CPU", 1.15), ("resident_kib", "peak resident", 1.5))
PHASES_RESIDENT = 1.8


def limit(program: Program, measure: str) -> float:
    """Above this a program misses its gate."""
    if measure == "resident_kib" and program.name.startswith("phases"):
        return PHASES_RESIDENT
    return {name: most for name, _, most in MEASURES}[measure]


def geometric_mean(values: list[float]) -> float | None:
    if not values:
        return None
    return math.exp(sum(math.log(max(value, 1e-9)) for value in values) / len(values))


@dataclass
class Results:
    """Samples by program, allocator and round."""
    programs: list[Program]
    allocators: list[str]  # libc first
    samples: dict[tuple[str, str], dict[int, Sample | str]] = field(default_factory=dict)

    def add(self, program: str, allocator: str, number: int, sample: Sample | str) -> None:
        self.samples.setdefault((program, allocator), {})[number] = sample

    def of(self, program: str, allocator: str) -> dict[int, Sample]:
        return {number: one for number, one in self.samples.get((program, allocator), {}).items()
                if isinstance(one, Sample)}

    def failure(self, program: str, allocator: str) -> str | None:
        """The first failure's reason; one that fails in one round has failed."""
        for one in self.samples.get((program, allocator), {}).values():
            if isinstance(one, str):
                return one
        return None

    def value(self, program: str, allocator: str, measure: str) -> float | None:
        values = [getattr(one, measure) for one in self.of(program, allocator).values()]
        return statistics.median(values) if values else None

    def ratio(self, program: str, allocator: str, measure: str) -> float | None:
        if self.failure(program, allocator) or self.failure(program, "libc"):
            return None
        base, ours = self.of(program, "libc"), self.of(program, allocator)
        ratios = [getattr(ours[number], measure) / max(getattr(base[number], measure), 1)
                  for number in ours if number in base]
        return statistics.median(ratios) if ratios else None

    def mean(self, kind: str, allocator: str, measure: str) -> float | None:
        """Of one kind, or of "all"."""
        ratios = [self.ratio(one.name, allocator, measure) for one in self.programs
                  if kind in ("all", one.kind)]
        return geometric_mean([one for one in ratios if one is not None])


def _figure(value: float | None, measure: str) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.3f} s" if measure == "cpu_us" else f"{value / 1024:.1f} MiB"


def _row(results: Results, program: Program, measure: str) -> str:
    value = _figure(results.value(program.name, "libc", measure), measure)
    failed = results.failure(program.name, "libc")
    text = f"  {program.name:<17}{failed or value:>11}"
    for name in results.allocators[1:]:
        ratio = results.ratio(program.name, name, measure)
        if ratio is None:
            text += f" {(results.failure(program.name, name) or '-')[:9]:>9} "
        else:
            text += f" {ratio:>9.3f}" + ("!" if ratio > limit(program, measure) else " ")
    return text.rstrip()


def _header(results: Results) -> str:
    short = [name.replace("htmalloc-", "ht-") for name in results.allocators[1:]]
    return f"  {'program':<17}{'libc':>11}" + "".join(f" {name:>9} " for name in short).rstrip()


def table(results: Results) -> str:
    """For people; fits 100 columns with six allocators beside libc."""
    lines = []
    for measure, title, most in MEASURES:
        lines += [f"{title} relative to libc, lower is better; ! is above {most:g}"
                  + (f" (phases: {PHASES_RESIDENT:g})" if measure == "resident_kib" else ""),
                  _header(results)]
        kinds = [kind for kind in KINDS if any(one.kind == kind for one in results.programs)]
        for kind in kinds:
            lines += [_row(results, one, measure) for one in results.programs if one.kind == kind]
            lines.append("")
        lines.append("  geometric means")
        for kind in [*kinds, "all"]:
            count = sum(kind in ("all", one.kind) for one in results.programs)
            text = f"  {kind:<17}{count:>11}"
            for name in results.allocators[1:]:
                mean = results.mean(kind, name, measure)
                text += f" {'-' if mean is None else format(mean, '.3f'):>9} "
            lines.append(text.rstrip())
        lines.append("")
    return "\n".join(lines)


def csv(results: Results) -> str:
    lines = ["program,kind,allocator,cpu_s,peak_resident_bytes,minor_faults,cpu_ratio,"
             "peak_resident_ratio,failure"]
    for program in results.programs:
        for name in results.allocators:
            values = [results.value(program.name, name, measure)
                      for measure in ("cpu_us", "resident_kib", "faults")]
            ratios = [results.ratio(program.name, name, measure) for measure, _, _ in MEASURES]
            lines.append(",".join([
                program.name, program.kind, name,
                "" if values[0] is None else f"{values[0] / 1e6:.6f}",
                "" if values[1] is None else f"{values[1] * 1024:.0f}",
                "" if values[2] is None else f"{values[2]:.0f}",
                *("" if one is None else f"{one:.4f}" for one in ratios),
                results.failure(program.name, name) or ""]))
    return "\n".join(lines) + "\n"


def _sample(one: Sample | str) -> dict:
    if isinstance(one, str):
        return {"failure": one}
    return {"cpu_s": one.cpu_us / 1e6, "peak_resident_bytes": round(one.resident_kib * 1024),
            "minor_faults": round(one.faults)}


def as_json(results: Results) -> dict:
    """Every sample, ratios and means."""
    programs = []
    for program in results.programs:
        by = {}
        for name in results.allocators:
            by[name] = {
                "cpu_ratio": results.ratio(program.name, name, "cpu_us"),
                "peak_resident_ratio": results.ratio(program.name, name, "resident_kib"),
                "failure": results.failure(program.name, name),
                "rounds": [_sample(one) for _, one in
                           sorted(results.samples.get((program.name, name), {}).items())],
            }
        programs.append({"name": program.name, "kind": program.kind, "what": program.what,
                         "cpu_limit": limit(program, "cpu_us"),
                         "peak_resident_limit": limit(program, "resident_kib"), "results": by})
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in results.programs)]
    means = {kind: {name: {"cpu_ratio": results.mean(kind, name, "cpu_us"),
                           "peak_resident_ratio": results.mean(kind, name, "resident_kib")}
                    for name in results.allocators} for kind in [*kinds, "all"]}
    return {"programs": programs, "means": means}
