"""The gates of htmalloc, one by one, measured for every allocator in the run.

Each gate has a limit and for each allocator a figure, or None where it could not be measured.
"""
from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from allocators import Allocator
from results import MEASURES, PHASES_RESIDENT, Results, limit
from runs import Program, Sample, run_once

TRUE_RUNS = 20
BOUNDED = ("passing", "idle", "freers", "steady", "visitors")
MIB = 1 << 20


@dataclass
class Gate:
    name: str
    most: float
    unit: str
    figures: dict[str, float | None] = field(default_factory=dict)
    detail: dict[str, str] = field(default_factory=dict)  # what a figure does not tell

    def verdict(self, allocator: str) -> str:
        figure = self.figures.get(allocator)
        return "-" if figure is None else "pass" if figure <= self.most else "miss"


def _output(command: list[str], library: str, cwd: Path) -> str | None:
    env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    if library:
        env["LD_PRELOAD"] = library
    try:
        done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120,
                              check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return done.stdout + done.stderr


def start_gates(bench: Path, chosen: list[Allocator], folder: Path) -> list[Gate]:
    """What preloading costs /bin/true: medians of interleaved runs, above libc."""
    true = Program("true", "tiny", "", ("/bin/true",))
    samples: dict[str, list[Sample]] = {one.name: [] for one in chosen}
    for _ in range(TRUE_RUNS):
        for one in chosen:
            sample = run_once(bench / "measure", true, one.path, folder, 0)
            if isinstance(sample, Sample):
                samples[one.name].append(sample)
    gates = [Gate("/bin/true, resident above libc", 150, "KiB"),
             Gate("/bin/true, faults above libc", 20, "faults")]
    for gate, measure in zip(gates, ("resident_kib", "faults")):
        medians = {name: statistics.median(getattr(one, measure) for one in all_of)
                   for name, all_of in samples.items() if all_of}
        gate.figures = {name: value - medians["libc"] for name, value in medians.items()}
    return gates


def _instructions(bench: Path, size: int, count: int, library: str, folder: Path) -> int | None:
    output = _output(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                      str(bench / "pair"), str(size), str(count)], library, folder)
    found = re.search(r"Collected : (\d+)", output or "")
    return int(found.group(1)) if found else None


def pair_gates(bench: Path, chosen: list[Allocator], folder: Path) -> list[Gate]:
    """Instructions of a malloc and its free: what more of them in a loop adds."""
    few, many = 20_000, 60_000
    gates = [Gate("16-byte pair, instructions", 40, ""), Gate("100 KB pair, instructions", 120, "")]
    for gate, size in zip(gates, (16, 100_000)):
        for one in chosen:
            counts = [_instructions(bench, size, count, one.path, folder) if shutil.which("valgrind")
                      else None for count in (few, many)]
            gate.figures[one.name] = (None if None in counts
                                      else (counts[1] - counts[0]) / (many - few))
    return gates


def shrink_gates(bench: Path, chosen: list[Allocator], folder: Path) -> list[Gate]:
    """Resident memory after all but one in 2,000 small blocks of 120 MiB were freed."""
    gates = []
    for size, words in ((64, "64 bytes"), (0, "mixed")):
        for trim, when in ((0, "300 ms on"), (1, "malloc_trim")):
            gate = Gate(f"shrunk, {words}, {when}", 25, "MiB")
            for one in chosen:
                output = _output([str(bench / "shrink"), str(size), str(trim)], one.path, folder)
                gate.figures[one.name] = float(output.split()[2]) if output else None
            gates.append(gate)
    return gates


def bounded_gates(bench: Path, chosen: list[Allocator], folder: Path, seed: int) -> list[Gate]:
    """(peak held - 2 MiB) / peak live, and the same of resident growth."""
    gates = []
    for case in BOUNDED:
        held = Gate(f"bounded, {case}: held", 1.5, "")
        resident = Gate(f"bounded, {case}: resident", 1.5, "")
        for one in chosen:
            output = _output([str(bench / "bounded"), case, str(seed)], one.path, folder)
            live, peak_held, peak_resident = map(int, output.split()) if output else (0, -1, -1)
            for gate, peak in ((held, peak_held), (resident, peak_resident)):
                gate.figures[one.name] = None if peak < 0 else max(0, peak - 2 * MIB) / live
                gate.detail[one.name] = f"{peak / MIB:.1f} MiB held at most for {live / MIB:.1f} live"
        gates += [held, resident]
    return gates


def program_gates(results: Results) -> list[Gate]:
    """What follows from the table: means, the worst programs, realloc."""
    gates = []
    kinds = (("all", 0.67, 1.15), ("application", 0.85, 1.00))
    for kind, *most in kinds:
        if not any(kind in ("all", one.kind) for one in results.programs):
            continue
        for (measure, title, _), at_most in zip(MEASURES, most):
            gate = Gate(title.split()[-1] + (", mean of all" if kind == "all" else ", applications (aim)"),
                        at_most, "of libc")
            gate.figures = {name: results.mean(kind, name, measure) for name in results.allocators}
            gates.append(gate)
    for measure, title, most in MEASURES:
        for phases in (False, True) if measure == "resident_kib" else (False,):
            of = [one for one in results.programs if not phases or limit(one, measure) != most]
            of = [one for one in of if phases or limit(one, measure) == most]
            if of:
                gates.append(_worst(results, of, measure, f"{title.split()[-1]}, worst "
                                    + ("phase change" if phases else "program"),
                                    PHASES_RESIDENT if phases else most))
    for one in results.programs:
        if one.name.startswith("realloc-"):
            gate = Gate(f"{one.name}, CPU", 1.0, "of libc")
            gate.figures = {name: results.ratio(one.name, name, "cpu_us") for name in results.allocators}
            gates.append(gate)
    return gates


def _worst(results: Results, programs: list[Program], measure: str, name: str, most: float) -> Gate:
    gate = Gate(name, most, "of libc")
    for allocator in results.allocators:
        ratios = [(ratio, one.name) for one in programs
                  if (ratio := results.ratio(one.name, allocator, measure)) is not None]
        gate.figures[allocator] = max(ratios)[0] if ratios else None
        over = sorted((pair for pair in ratios if pair[0] > most), reverse=True)
        gate.detail[allocator] = ", ".join(f"{name} {ratio:.2f}" for ratio, name in over)
    return gate


def measure(bench: Path, chosen: list[Allocator], folder: Path, seed: int,
            progress: Callable[[str], None]) -> list[Gate]:
    """The gates that have programs of their own."""
    progress("gates: start")
    gates = start_gates(bench, chosen, folder)
    progress("gates: instructions")
    gates += pair_gates(bench, chosen, folder)
    progress("gates: shrinking")
    gates += shrink_gates(bench, chosen, folder)
    progress("gates: bounded")
    return gates + bounded_gates(bench, chosen, folder, seed)


def table(gates: list[Gate], names: list[str]) -> str:
    """A row a gate, a column an allocator; the verdict is htmalloc's (or that of the first that is
    not libc)."""
    judged = "htmalloc" if "htmalloc" in names else names[-1]
    short = [name.replace("htmalloc-", "ht-").replace("tbbmalloc", "tbb")[:8] for name in names]
    wide = 9 if len(names) < 7 else 8
    lines = [f"Gates: most allowed, {judged}'s verdict, figures of all; ! is above",
             f"  {'gate':<31}{'most':>5} {'':<5}" + "".join(f"{name:>{wide - 1}} " for name in short).rstrip()]
    for gate in gates:
        text = f"  {gate.name:<31}{gate.most:>5g} {gate.verdict(judged):<5}"
        for name in names:
            figure = gate.figures.get(name)
            digits = 0 if gate.unit in ("KiB", "faults", "") and gate.most > 10 else 2
            text += (f"{'-':>{wide - 1}} " if figure is None
                     else f"{figure:>{wide - 1}.{digits}f}" + ("!" if figure > gate.most else " "))
        lines.append(text.rstrip())
    missed = [gate for gate in gates if gate.verdict(judged) == "miss"]
    lines.append(f"  {judged} passes {sum(gate.verdict(judged) == 'pass' for gate in gates)} and misses "
                 f"{len(missed)} of {len(gates)}")
    for gate in missed:
        if gate.detail.get(judged):
            lines += _folded(f"  {gate.name}: {gate.detail[judged]}")
    return "\n".join(lines) + "\n"


def _folded(text: str, width: int = 98) -> list[str]:
    lines = []
    while len(text) > width:
        cut = text.rfind(" ", 0, width)
        lines.append(text[:cut])
        text = "    " + text[cut + 1:]
    return [*lines, text]


def csv(gates: list[Gate], names: list[str]) -> str:
    lines = ["gate,most,unit,allocator,figure,verdict"]
    for gate in gates:
        for name in names:
            figure = gate.figures.get(name)
            lines.append(f'"{gate.name}",{gate.most:g},{gate.unit},{name},'
                         f'{"" if figure is None else format(figure, ".4f")},{gate.verdict(name)}')
    return "\n".join(lines) + "\n"


def as_json(gates: list[Gate], names: list[str]) -> list[dict]:
    return [{"name": gate.name, "most": gate.most, "unit": gate.unit,
             "allocators": {name: {"figure": gate.figures.get(name), "verdict": gate.verdict(name),
                                   "detail": gate.detail.get(name, "")} for name in names}}
            for gate in gates]
