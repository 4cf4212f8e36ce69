#!/usr/bin/python3
"""Writes the section "The yardstick" of htmalloc's DESIGN.md from the results of make bench-allocator.

Examples:
    design.py build/bench-allocator.json allocator/htmalloc/DESIGN.md
"""
from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

HEADING = "## The yardstick"
END = "<!-- end of the yardstick -->"


def _ratio(value: float | None, most: float) -> str:
    return "-" if value is None else f"**{value:.2f}**" if value > most else f"{value:.2f}"


def _median(rounds: list[dict], key: str) -> float:
    return statistics.median([one[key] for one in rounds if key in one] or [0])


def _means(whole: dict, names: list[str]) -> list[str]:
    lines = ["| geometric means, CPU / resident |" + "".join(f" {name} |" for name in names),
             "| --- |" + " --- |" * len(names)]
    for kind, by in whole["means"].items():
        count = sum(kind in ("all", one["kind"]) for one in whole["programs"])
        lines.append(f"| {kind} ({count}) |" + "".join(
            f" {_ratio(by[name]['cpu_ratio'], 99)} / {_ratio(by[name]['peak_resident_ratio'], 99)} |"
            for name in names))
    return lines


def _gates(whole: dict, names: list[str]) -> list[str]:
    lines = ["| gate | most | verdict | libc |" + "".join(f" {name} |" for name in names),
             "| --- | --- | --- | --- |" + " --- |" * len(names)]
    for gate in whole["gates"]:
        by = gate["allocators"]
        digits = 0 if gate["most"] > 25 or gate["unit"] in ("KiB", "faults") else 2
        cells = ["-" if by[name]["figure"] is None else f"{by[name]['figure']:.{digits}f}"
                 for name in ["libc", *names]]
        lines.append(f"| {gate['name']} | {gate['most']:g} {gate['unit']} | {by['htmalloc']['verdict']} | "
                     + " | ".join(cells) + " |")
    return lines


def _programs(whole: dict, names: list[str]) -> list[str]:
    lines = ["| program | libc: CPU, resident |" + "".join(f" {name} |" for name in names),
             "| --- | --- |" + " --- |" * len(names)]
    for program in whole["programs"]:
        base = program["results"]["libc"]["rounds"]
        cells = [f"{program['name']}: {program['what']}",
                 f"{_median(base, 'cpu_s'):.3f} s, {_median(base, 'peak_resident_bytes') / 2**20:.1f} MiB"]
        for name in names:
            one = program["results"][name]
            cells.append(one["failure"] or
                         f"{_ratio(one['cpu_ratio'], program['cpu_limit'])} / "
                         f"{_ratio(one['peak_resident_ratio'], program['peak_resident_limit'])}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def section(whole: dict) -> str:
    names = [one["name"] for one in whole["allocators"] if one["name"] != "libc"]
    done = max(len(one["results"]["libc"]["rounds"]) for one in whole["programs"])
    load = whole.get("load_average", 0)
    busy = (["", f"The machine was busy meanwhile ({load:.0f} tasks on its cores): CPU ratios are rough."]
            if load > 0.75 * whole["cores"] else [])
    gates = [*_gates(whole, names), ""] if whole["gates"] else []
    return "\n".join([
        HEADING, "",
        f"`make bench-allocator`, {done} interleaved round{'s' if done > 1 else ''}, {whole['cores']} cores, CPU and peak "
        "resident memory relative to libc (ARCHITECTURE.md says",
        "how they are measured). Lower is better; bold is above a gate (CPU 1.15, resident 1.5, phase changes 1.8). Written by",
        "`allocator/bench/design.py` from the results file.", *busy, "",
        *_means(whole, names), "", *gates, *_programs(whole, names), "", END, ""])


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    whole, path = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    text = path.read_text()
    if HEADING in text:
        before, _, rest = text.partition(HEADING)
        after = rest.partition(END)[2].lstrip("\n")
    else:
        before, after = text.rstrip("\n") + "\n\n", ""
    path.write_text(before + section(whole) + ("\n" + after if after else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
