#!/usr/bin/python3
"""Runs programs on each allocator in turn and prints CPU and peak resident memory relative to glibc.

Examples:
    bench.py --build build                          everything, three rounds
    bench.py --build build --only phases,python     by name, by part of a name, by kind
    bench.py --build build --allocators htmalloc,mimalloc --rounds 5
    bench.py --build build --other /elsewhere/libhtmalloc.so --allocators htmalloc --only kernel

`make bench-allocator` calls it (BENCH_ONLY, BENCH_ALLOCATORS, BENCH_ROUNDS, BENCH_SEED, BENCH_HTMALLOC,
BENCH_FORMAT). Rounds are interleaved: each runs every program on every allocator once, in a random order,
with a seed of the round's own for sizes and inputs. All figures go to BUILD/bench-allocator.json.

Exit status: 0 measured (whatever the figures are), 2 usage, 4 environment; Ctrl-C and SIGTERM keep what is complete.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import allocators
import applications
import gates
import inputs
import results as res
from runs import Program, run

SCHEMA_VERSION = 1


def kernels(build: Path) -> list[Program]:
    """The workloads that come with this folder (workloads.c)."""
    binary = str(build / "libexec/heaptape-bench/workloads")
    listing = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout
    return [Program(name, "kernel", what, (binary, name, "{seed}"))
            for name, what in (line.split("\t") for line in listing.splitlines())]


def tapes(build: Path) -> list[Program]:
    """Recordings of real programs, replayed: the allocator's calls alone."""
    replay = str(build / "libexec/heaptape/heaptape-replay")
    return [Program(f"tape-{path.stem}", "tape", "replayed", (replay,), tape=str(path), runs=3)
            for path in sorted((Path(__file__).resolve().parents[2] / "traces/corpus").glob("*.tape"))]


def select(programs: list[Program], only: list[str]) -> list[Program]:
    """Those of a kind that is named, or whose name or one of its parts is (phases-clean: clean)."""
    return [one for one in programs
            if not only or any(word in (one.kind, one.name, *one.name.split("-")) for word in only)]


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure_all(options: argparse.Namespace, chosen: list[allocators.Allocator],
                folder: Path) -> tuple[res.Results, list[gates.Gate]]:
    """The gates, then the rounds."""
    bench = options.build / "libexec/heaptape-bench"
    found, absent = applications.installed(options.build)
    programs = select(kernels(options.build) + found + tapes(options.build), options.only)
    for one, command in absent:
        if select([one], options.only):
            print(f"bench-allocator: {one.name}: left out, {command} is not installed", file=sys.stderr)
    results = res.Results(programs, [one.name for one in chosen])
    measured: list[gates.Gate] = []
    try:
        if not options.only or "gates" in options.only:
            measured = gates.measure(bench, chosen, folder, options.seed, progress)
        run_rounds(options, chosen, folder, results)
    except KeyboardInterrupt:
        print("bench-allocator: interrupted; what is complete follows", file=sys.stderr)
    progress("")
    if measured:
        measured = gates.program_gates(results) + measured
    return results, measured


def run_rounds(options: argparse.Namespace, chosen: list[allocators.Allocator], folder: Path,
               results: res.Results) -> None:
    launcher = options.build / "libexec/heaptape-bench/measure"
    applications.write_scripts(folder)
    for number in range(options.rounds):
        seed = options.seed * 1000 + number
        if any(one.kind in ("application", "tiny") for one in results.programs):
            progress(f"round {number + 1}: inputs")
            inputs.write(folder, seed)
        pairs = [(program, one) for program in results.programs for one in chosen]
        random.Random(seed).shuffle(pairs)
        for at, (program, one) in enumerate(pairs):
            progress(f"round {number + 1} of {options.rounds}, {at + 1} of {len(pairs)}: "
                     f"{program.name} on {one.name}")
            results.add(program.name, one.name, number, run(launcher, program, one.path, folder, seed))


def busy_line() -> str | None:
    """What to say where others use the machine: CPU time is theirs in part (caches, shared cores)."""
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    if load < 0.5 * cores:
        return None
    return (f"bench-allocator: {load:.1f} tasks are running on {cores} cores; CPU ratios will be rough, "
            "end other programs or use more rounds, BENCH_ROUNDS=9")


def document(options: argparse.Namespace, chosen: list[allocators.Allocator],
             results: res.Results, measured: list[gates.Gate]) -> dict:
    return {"schema_version": SCHEMA_VERSION, "rounds": options.rounds, "seed": options.seed,
            "cores": os.cpu_count(), "load_average": os.getloadavg()[1],
            "allocators": [vars(one) for one in chosen], **res.as_json(results),
            "gates": gates.as_json(measured, results.allocators)}


def parse() -> argparse.Namespace:
    words = lambda text: [word for word in text.replace(" ", ",").split(",") if word]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=words, default=[], metavar="WORD,...")
    parser.add_argument("--allocators", type=words, default=[], metavar="NAME,...")
    parser.add_argument("--other", default="", metavar="LIBRARY",
                        help="one more htmalloc library, as htmalloc-other")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    options.build = options.build.resolve()
    return options


def main() -> int:
    options = parse()
    try:
        chosen = allocators.chosen(options.build, options.allocators, options.other)
    except ValueError as error:
        print(f"bench-allocator: {error}", file=sys.stderr)
        return 2
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench-allocator: {error}; build it with make", file=sys.stderr)
        return 4
    # Also where it was started in the background, for which shells have SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    busy = busy_line()
    if busy and options.rounds > 1:
        print(busy, file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="heaptape-bench-") as folder:
        results, measured = measure_all(options, chosen, Path(folder))
    if not results.programs and not measured:
        print(f"bench-allocator: no program is called {' or '.join(options.only)}; "
              "kinds are kernel, application, tape, tiny, and gates",
              file=sys.stderr)
        return 2
    whole = document(options, chosen, results, measured)
    (options.build / "bench-allocator.json").write_text(json.dumps(whole, indent=1) + "\n")
    if options.format == "json":
        print(json.dumps(whole, indent=1))
    elif options.format == "csv":
        print(res.csv(results), end="")
        print("\n" + gates.csv(measured, results.allocators) if measured else "", end="")
    else:
        print(res.table(results) if results.programs else "", end="")
        print("\n" + gates.table(measured, results.allocators) if measured else "", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
