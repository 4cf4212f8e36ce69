#!/usr/bin/env python3
"""make study: the textbook policies over real programs' tapes.

    study.py BUILD [-o FOLDER] [--tapes "cc1 jq"] [--only "buddy libc"] [--timeout 60s]

Records each program of tapes.py once, replays its tape on each allocator once for time and once for memory (heaptape
bench), counts what its blocks would take without any allocator's doing (tape_blocks) and the free blocks of each policy
(free_blocks), and has the page made (analysis/study). What is in FOLDER (BUILD/study) already is kept: after an
interruption the same command goes on; remove FOLDER, or FOLDER/TAPE, to measure anew. Exit status: 0 ok, 1 a run held less
than it was asked for, 2 usage, 4 environment, 130 interrupted.
"""

import argparse
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

import tapes

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# As in the literature: one heap that holds everything, grown by no more than it must.
PURE = ("TEXTBOOK_MMAP_THRESHOLD=1G", "TEXTBOOK_GROWTH=4k")
POLICIES = ("first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit", "best-fit-address",
            "worst-fit", "segregated", "buddy", "bump")
# A name of ours: library, switches.
VARIANTS = {name: (name, PURE) for name in POLICIES} | {
    "segregated-address": ("segregated", (*PURE, "TEXTBOOK_ORDER=address")),
    "best-fit-deferred": ("best-fit", (*PURE, "TEXTBOOK_COALESCE=deferred")),
    "first-fit-address-as-shipped": ("first-fit-address", ()),
}  # fmt: skip
PEERS = ("libc", "htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc")
COUNTED = tuple(name for name in VARIANTS if name not in ("bump", "first-fit-address-as-shipped"))


def say(text: str) -> None:
    print(f"study: {text}", file=sys.stderr, flush=True)


class Study:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path, only: list[str], timeout: str):
        self.build, self.folder, self.timeout = build, folder, timeout
        found = json.loads(self.tool("allocators", "--format=json").stdout)
        there = {entry["name"] for entry in (found["allocators"] if isinstance(found, dict) else found)}
        self.names = [name for name in (*VARIANTS, *PEERS) if (name in VARIANTS or name in there) and (not only or name in only)]

    def tool(self, name: str, *words, **options):
        options.setdefault("check", True)
        return subprocess.run([self.build / f"libexec/heaptape/heaptape-{name}", *map(str, words)], capture_output=True, text=True,
                              **options)

    def helper(self, name: str, *words, **options):
        return subprocess.run([self.build / f"tests/{name}", *map(str, words)], capture_output=True, text=True, check=True, **options)

    def record(self, workload) -> pathlib.Path:
        tape = self.folder / "tapes" / f"{workload.name}.tape"
        if tape.exists():
            return tape
        place = self.folder / "inputs" / workload.name
        place.mkdir(parents=True, exist_ok=True)
        tape.parent.mkdir(exist_ok=True)
        for name, text in workload.files.items():
            (place / name).write_text(text())
        part = tape.with_suffix(".part")
        with open(place / workload.input if workload.input else os.devnull, "rb") as stdin, open(os.devnull, "wb") as out:
            subprocess.run([self.build / "libexec/heaptape/heaptape-record", "-q", "--follow=none", "-o", part, "--",
                            *workload.arguments], cwd=place, env=dict(os.environ, **workload.environment), stdin=stdin, stdout=out,
                           check=workload.name != "git", timeout=300)  # git diff: 1 where there are differences
        part.rename(tape)
        return tape

    def bench(self, tape: pathlib.Path) -> pathlib.Path:
        """One round on each allocator, unless that was done."""
        results = self.folder / tape.stem
        try:
            there = json.loads((results / "results.json").read_text())
            if there["complete"] and {entry["name"] for entry in there["allocators"]} >= set(self.names):
                return results
        except (OSError, ValueError, KeyError):
            pass
        words = ["bench", tape, "-o", results, "-n", 1, "--latency-rounds=0", f"--timeout={self.timeout}"]
        for name in self.names:
            if name in VARIANTS:
                library, switches = VARIANTS[name]
                words += ["-a", ",".join((f"{name}={self.build}/lib/heaptape/lib{library}.so", *switches))]
            elif name != "libc":
                words += ["-a", name]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TEXTBOOK_")}
        self.tool(*words, env=clean)
        return results

    def blocks(self, tape: pathlib.Path, results: pathlib.Path) -> None:
        """RESULTS/blocks.csv: the tape's own blocks at every operation at which some series has a point. That the bytes asked
        for are the series' own shows that both count operations alike."""
        asked: dict[int, int] = {}
        for row in json.loads((results / "results.json").read_text())["summary"]:
            path = results / (row["series_csv"] or "")
            if not path.is_file():
                continue
            with open(path) as file:
                asked |= {int(point["operation"]): int(point["requested_bytes"]) for point in csv.DictReader(file)}
        text = self.helper("tape_blocks", tape, input="\n".join(map(str, sorted(asked)))).stdout
        for row in csv.DictReader(text.splitlines()):
            if int(row["requested_bytes"]) != asked[int(row["operation"])]:
                raise SystemExit(f"study: {tape.name}: at operation {row['operation']} the tape has {row['requested_bytes']} bytes, the "
                                 f"replay {asked[int(row['operation'])]}; remove {results} and start again")
        (results / "blocks.csv").write_text(text)

    def free_blocks(self, tape: pathlib.Path, results: pathlib.Path) -> None:
        """RESULTS/free/POLICY.csv for those that got through."""
        (results / "free").mkdir(exist_ok=True)
        done = {row["allocator"] for row in json.loads((results / "results.json").read_text())["summary"] if row["status"] == "ok"}
        for name in COUNTED:
            path = results / "free" / f"{name}.csv"
            if name not in done or path.exists():
                continue
            library, switches = VARIANTS[name]
            path.write_text(self.helper("free_blocks", tape, env={"TEXTBOOK_POLICY": library} | dict(
                switch.split("=") for switch in switches)).stdout)

    def too_little(self, results: pathlib.Path) -> list[str]:
        return [f"{row['tape']} on {row['allocator']}: held {row['peak_held_bytes']} of {row['peak_requested_bytes']} asked for"
                for row in json.loads((results / "results.json").read_text())["summary"]
                if row["status"] == "ok" and row["held_known"] and not row["is_floor"]
                and row["peak_held_bytes"] < row["peak_requested_bytes"]]

    def one(self, workload) -> list[str]:
        tape = self.record(workload)
        results = self.bench(tape)
        self.blocks(tape, results)
        self.free_blocks(tape, results)
        if not (results / "report.html").exists():
            self.tool("report", results)
        return self.too_little(results)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--tapes", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", default="60s")
    options = parser.parse_args()
    names = [workload.name for workload in tapes.workloads()]
    for unknown in set(options.tapes.split()) - set(names):
        parser.error(f"no tape {unknown}; there are {' '.join(names)}")
    for unknown in set(options.only.split()) - {*VARIANTS, *PEERS}:
        parser.error(f"no allocator {unknown}; there are {' '.join((*VARIANTS, *PEERS))}")
    return options


def main() -> int:
    options = arguments()
    build = options.build.resolve()
    folder = (options.output or build / "study").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(build, folder, options.only.split(), options.timeout)
    wrong, done = [], 0
    chosen = [w for w in tapes.workloads() if not options.tapes or w.name in options.tapes.split()]
    for number, workload in enumerate(chosen, 1):
        if not shutil.which(workload.needs):
            say(f"{workload.name}: left out, {workload.needs} is not there")
            continue
        say(f"[{number}/{len(chosen)}] {workload.name}")
        try:
            wrong += study.one(workload)
            done += 1
        except subprocess.SubprocessError as trouble:
            say(f"{workload.name}: left out: {trouble} {(getattr(trouble, 'stderr', '') or '').strip()[-300:]}")
    if not done:
        say("nothing could be measured")
        return 4
    page = subprocess.run([sys.executable, "-B", ROOT / "analysis/study", folder])
    for line in wrong:
        say(line)
    return page.returncode or bool(wrong)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        sys.exit(130)
