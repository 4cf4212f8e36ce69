#!/usr/bin/env python3
"""make truth: replay held against the programs themselves.

    truth.py BUILD [-o FOLDER] [-n RUNS] [--only NAME]... [-a ALLOCATOR]...

Part A records each program on an allocator, replays the tape on the same one, and holds the replay's held and resident
bytes against the samples that the recorder took of the program. Part B runs each program on each allocator (`heaptape
live`) and holds its peak resident against what replay predicted from the tape recorded on libc; part C its processor
time. Prints the tables, and leaves FOLDER/truth.json and FOLDER/truth.md. Exit status 1 where a figure misses its goal.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import arithmetic
import samples as tape_samples
import workloads as catalogue

RECORDED_ON = ("libc", "jemalloc", "mimalloc")
MIB = 1 << 20
SECONDS = 600


class Truth:
    def __init__(self, build, folder, runs, allocators):
        self.build, self.folder, self.runs, self.allocators = build, folder, runs, allocators
        found = json.loads(self.run(["allocators", "--format=json"]).stdout)
        found = found["allocators"] if isinstance(found, dict) else found
        self.libraries = {entry["name"]: entry.get("path") or "" for entry in found}

    def run(self, words, **options):
        program = self.build / f"libexec/heaptape/heaptape-{words[0]}"
        return subprocess.run([program, *map(str, words[1:])], capture_output=True, check=True, text=True, timeout=SECONDS,
                              **options)

    def place(self, workload):
        """The workload's folder with its files; kept from an earlier run of the same folder."""
        place = self.folder / workload.name.replace(" ", "_")
        for name, text in workload.files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(text())
        place.mkdir(parents=True, exist_ok=True)
        return place

    def arguments(self, workload):
        return [str(self.build / word[8:]) if word.startswith("{build}/") else word for word in workload.arguments]

    def record(self, workload, place, allocator):
        tape = place / f"{allocator}.tape"
        environment = dict(os.environ, **workload.environment)
        if allocator != "libc":
            environment["LD_PRELOAD"] = self.libraries[allocator]
        with open(place / workload.input if workload.input else os.devnull, "rb") as stdin, open(os.devnull, "wb") as out:
            subprocess.run([self.build / "libexec/heaptape/heaptape-record", "-q", "-o", tape, "--", *self.arguments(workload)],
                           cwd=place, env=environment, stdin=stdin, stdout=out, check=True, timeout=SECONDS)
        return tape

    def series(self, tape, allocator):
        """A replay on `allocator` at the recorded pace: its figures, and its series by column."""
        environment = dict(os.environ)
        if allocator != "libc":
            environment["LD_PRELOAD"] = self.libraries[allocator]
        lines = self.run(["engine", "--mode=memory", "--pace=recorded", "--print", "--series", "--tape", tape],
                         env=environment).stdout.splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith("operation,"))
        rows = [list(map(int, line.split(","))) for line in lines[begin + 1 :]]
        figures = dict(line.split(None, 1) for line in lines[:begin])
        return figures, dict(zip(lines[begin].split(","), zip(*rows)))

    # ---- part A

    def against_itself(self, tape, allocator):
        figures, series = self.series(tape, allocator)
        operations, skipped = int(figures["operations"]), int(figures["skipped"])
        scale = operations / (operations + skipped)
        taken = tape_samples.read_samples(tape)[:-1]  # the last repeats the one before
        return {
            name: arithmetic.against_samples([(s.event * scale, getattr(s, name)) for s in taken if getattr(s, name)],
                                             series["operation"], series[f"{name}_bytes"])
            for name in ("resident", "held")
        }

    # ---- parts B and C

    def live(self, workload, place, tape):
        words = ["live", "-n", self.runs, "--no-hyperfine", "--format=json", "-o", place / "live"]
        for name in self.allocators:
            words += ["-a", name] if name != "libc" else []
        words += [f"--input={place / workload.input}"] if workload.input else []
        done = self.run([*words, tape, "--", *self.arguments(workload)], cwd=place, env=dict(os.environ, **workload.environment))
        return {entry["allocator"]: entry for entry in json.loads(done.stdout)["entries"]}

    def measure(self, workload):
        place = self.place(workload)
        tapes = {name: self.record(workload, place, name) for name in RECORDED_ON if name in ("libc", *self.allocators)}
        result = {"itself": {name: self.against_itself(tape, name) for name, tape in tapes.items()}}
        result["live"] = self.live(workload, place, tapes["libc"])
        for tape in tapes.values():
            tape.unlink()
        return result


# ---- tables


def percent(value, digits=1):
    return "-" if value is None else f"{100 * value:+.{digits}f} %"


def table(head, rows):
    """Markdown that also reads well as text."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"  # noqa: E731
    return "\n".join([line(head), "| " + " | ".join("-" * width for width in widths) + " |", *map(line, rows)])


def table_a(results):
    rows = []
    for program, result in results.items():
        for allocator, found in result["itself"].items():
            p, h = found["resident"], found["held"]
            rows.append([
                program, allocator, p["samples"] if p else "-", f"{p['peak_bytes'] / MIB:.1f}" if p else "-",
                percent(p and p["peak_error"]), percent(p and p["mean_difference"]).lstrip("+"),
                percent(h and h["peak_error"]), percent(h and h["mean_difference"]).lstrip("+"),
            ])  # fmt: skip
    return table(["program", "recorded on", "samples", "peak, MiB", "peak resident", "mean difference", "peak held",
                  "mean difference"], rows)


def cells(results, real, predicted):
    """Errors by (program, allocator), for all allocators but libc that the program ran on."""
    return {
        (program, name): arithmetic.error(entry[predicted], entry[real])
        for program, result in results.items()
        for name, entry in result["live"].items()
        if name != "libc" and entry["status"] == "ok" and entry[predicted] is not None
    }


def table_live(results, errors, real, scale, format_, unit):
    names = list(dict.fromkeys(name for result in results.values() for name in result["live"] if name != "libc"))
    rows = []
    for program, result in results.items():
        live = result["live"]
        row = [program, format_.format(live["libc"][real] / scale)]
        for name in names:
            if (program, name) not in errors:
                row.append(live[name]["status"] if name in live else "-")
                continue
            row.append(f"{format_.format(live[name][real] / scale)} ({percent(errors[program, name])})")
        rows.append(row)
    return table(["program", f"libc, {unit}", *names], rows)


def judge_pairs(results, real, predicted, runs=None):
    right, wrong = 0, []
    for program, result in results.items():
        ok = {name: entry for name, entry in result["live"].items() if entry["status"] == "ok" and entry[predicted] is not None}
        ranges = {name: (min(entry[runs]), max(entry[runs])) for name, entry in ok.items()} if runs else None
        good, bad = arithmetic.pairs({n: e[real] for n, e in ok.items()}, {n: e[predicted] for n, e in ok.items()}, ranges)
        right += len(good)
        wrong += [[program, *pair] for pair in bad]
    return {"right": right, "wrong": wrong}


def naive(results, names=("libc",)):
    """What would be said without any replay: the same as on libc."""
    return {
        (program, name): arithmetic.error(result["live"]["libc"]["peak_resident_bytes"], entry["peak_resident_bytes"])
        for program, result in results.items()
        for name, entry in result["live"].items()
        if name not in names and entry["status"] == "ok"
    }


def sentence(kind, found, pairs):
    total = pairs["right"] + len(pairs["wrong"])
    text = f"{kind}: {found['cells']} cells, median error {100 * (found['median'] or 0):.2f} %, greatest {100 * (found['greatest'] or 0):.1f} %"
    text += f"; {len(found['above_tenth'])} above 10 %; order right in {pairs['right']} of {total} pairs that differ by more than 5 %"
    return text + (f" (wrong: {'; '.join(f'{p}: {a} < {b}' for p, a, b in pairs['wrong'])})" if pairs["wrong"] else "")


def report(results):
    """The tables as Markdown, the summary, and whether the goals were met."""
    memory = cells(results, "peak_resident_bytes", "predicted_peak_resident_bytes")
    cpu = cells(results, "cpu_seconds", "predicted_cpu_seconds")
    found = {
        "memory": {**arithmetic.summary(memory), "pairs": judge_pairs(results, "peak_resident_bytes", "predicted_peak_resident_bytes")},
        "cpu": {**arithmetic.summary(cpu), "pairs": judge_pairs(results, "cpu_seconds", "predicted_cpu_seconds", "cpu_seconds_runs")},
        "same_as_libc": arithmetic.summary(naive(results)),
    }
    itself = [item[kind]["peak_error"] for result in results.values() for item in result["itself"].values()
              for kind in ("resident", "held") if item[kind]]
    found["itself"] = {"cells": len(itself), "within_5_percent": sum(abs(value) <= 0.05 for value in itself),
                       "median": statistics.median(map(abs, itself)) if itself else None}
    text = "\n".join([
        "### A. Replay on the allocator of the recording, against the program's own samples", "", table_a(results), "",
        f"{found['itself']['within_5_percent']} of {found['itself']['cells']} peaks within 5 %.", "",
        "### B. Peak resident on other allocators: measured, MiB (error of the prediction)", "",
        table_live(results, memory, "peak_resident_bytes", MIB, "{:.1f}", "MiB"), "",
        sentence("Memory", found["memory"], found["memory"]["pairs"]) + ".",
        f"Saying \"the same as on libc\" instead has a median error of {100 * (found['same_as_libc']['median'] or 0):.1f} %.", "",
        "### C. Processor time on other allocators: measured, seconds (error of the prediction)", "",
        table_live(results, cpu, "cpu_seconds", 1, "{:.2f}", "s"), "",
        sentence("Processor time", found["cpu"], found["cpu"]["pairs"]) + ".", "",
    ])  # fmt: skip
    pairs = found["memory"]["pairs"]
    good = (found["memory"]["median"] or 0) <= 0.03 and not found["memory"]["above_tenth"]
    good &= len(pairs["wrong"]) * 9 <= pairs["right"]
    return text, found, good


def leave(folder, results):
    """What was found so far as files: the tables, and whether the goals are met."""
    text, found, good = report(results)
    (folder / "truth.json").write_text(json.dumps({"summary": found, "programs": results}, indent=1) + "\n")
    (folder / "truth.md").write_text(text)
    return text, good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("-a", "--allocator", action="append", default=[])
    options = parser.parse_args()
    build = options.build.resolve()
    folder = (options.output or build / "truth").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = options.allocator or ["htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc"]
    truth = Truth(build, folder, options.runs, [])
    truth.allocators = [name for name in wanted if name in truth.libraries]
    results = {}
    for workload in catalogue.workloads():
        if options.only and workload.name not in options.only:
            continue
        needs = workload.needs.replace("{build}", str(build))
        if not shutil.which(needs):
            print(f"truth: {workload.name}: left out, {needs} is not there", file=sys.stderr)
            continue
        print(f"truth: {workload.name}", file=sys.stderr, flush=True)
        try:
            results[workload.name] = truth.measure(workload)
            text, good = leave(folder, results)
        except subprocess.SubprocessError as trouble:
            said = getattr(trouble, "stderr", "") or ""
            print(f"truth: {workload.name}: left out: {trouble} {said.strip()[-300:]}", file=sys.stderr)
    if not results:
        print("truth: nothing could be measured", file=sys.stderr)
        return 4
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
