#!/usr/bin/python3
"""Runs the list of real programs without and with heaptape's recorder, or an allocator, in them.

Examples:
  tests/programs/run.py --under=record                 every program that is installed
  tests/programs/run.py --under=htmalloc --only=git,gcc
  tests/programs/run.py --install --under=record       apt-get what is missing first
  tests/programs/run.py --list                         the table of programs

Exit status: 0 all the same, 1 something differs, 2 usage, 4 nothing is built or cannot be installed."""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from catalogue import PROGRAMS  # noqa: E402
from execute import become_reaper  # noqa: E402
from judge import Row, Tools, judge  # noqa: E402
from program import installed_packages, missing  # noqa: E402

COLUMNS = (("name", 16), ("kind", 19), ("result", 8), ("plain_seconds", 8), ("seconds", 8), ("tapes", 6), ("events", 10))
HEADINGS = {"plain_seconds": "plain s", "seconds": "under s"}
ROOT = HERE.parent.parent


def fail(status, message):
    print(f"programs: {message}", file=sys.stderr)
    sys.exit(status)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--under", metavar="WHAT", default="record",
                        help="record (default), none (plain, twice), or an allocator as `heaptape run -a` takes it")
    parser.add_argument("--only", metavar="NAME,...", help="these entries, or all of a kind")
    parser.add_argument("--list", action="store_true", help="the table of programs, run nothing")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get (as root or by sudo)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="entries at a time (default 1)")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("B") or ROOT / "build"),
                        metavar="DIR", help="where heaptape is built (default: $B, or build)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="keep the last run of each entry, with its tapes, here")
    return parser.parse_args()


def chosen(only) -> list:
    if not only:
        return PROGRAMS
    words = set(only.split(","))
    unknown = words - {p.name for p in PROGRAMS} - {p.kind for p in PROGRAMS}
    if unknown:
        fail(2, f"no entry or kind {', '.join(sorted(unknown))}; see --list")
    return [p for p in PROGRAMS if {p.name, p.kind} & words]


# ---- the list --------------------------------------------------------------------------------------------------


def print_list(programs, form):
    if form == "json":
        fields = ("name", "kind", "packages", "sees", "says", "refused", "note")
        rows = [{f: getattr(p, f) for f in fields} | {"ignore": p.ignore, "normalise": [n.reason for n in p.normalise]} for p in programs]
        json.dump(rows, sys.stdout, indent=1)
        print()
        return
    print("| program | kind | packages | what is special |\n| --- | --- | --- | --- |")
    for p in programs:
        words = [p.note] if p.note else []
        words += [f"the recorder says: `{p.says}`"] if p.says else []
        words += [f"refused, exit 4: `{p.refused}`"] if p.refused else []
        words += [f"crashes on {', '.join(p.breaks_on)}: {next(iter(p.breaks_on.values()))}"] if p.breaks_on else []
        words += [f"not compared: {name} ({why})" for name, why in p.ignore.items()]
        words += [f"normalised: {rule.where} ({rule.reason})" for rule in p.normalise]
        print(f"| {p.name} | {p.kind} | {p.packages} | {'; '.join(words).replace('|', chr(92) + '|')} |")
    print(f"\n{len(programs)} programs of {len({p.kind for p in programs})} kinds.")


def install(programs):
    packages = sorted({m for p in programs for m in missing(p, installed_packages())})
    if not packages:
        return
    if not shutil.which("apt-get"):
        fail(4, f"no apt-get here; install these yourself: {' '.join(packages)}")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    print(f"programs: installing {' '.join(packages)}", file=sys.stderr)
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=False, stdout=sys.stderr)
    done = subprocess.run(
        [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        fail(4, "apt-get could not install the packages above")


# ---- the runs --------------------------------------------------------------------------------------------------


def one_entry(task) -> Row:
    tools, name = task
    program = next(p for p in PROGRAMS if p.name == name)
    try:
        return judge(tools, program)
    except Exception as error:  # an entry that breaks the runner is a row, not the end of the run
        return Row(program.name, program.kind, "differs", detail=f"the runner failed: {type(error).__name__}: {error}")


def rows_of(tools, programs, jobs):
    """Rows in the order of the list as they are done. Entries run in a process of their own, which reaps for them."""
    installed = installed_packages()
    absent = {p.name: missing(p, installed) for p in programs}
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=become_reaper) as pool:
        running = {p.name: pool.submit(one_entry, (tools, p.name)) for p in programs if not absent[p.name]}
        for program in programs:
            if absent[program.name]:
                yield Row(program.name, program.kind, "skipped", detail=f"not installed: {' '.join(absent[program.name])}")
            else:
                yield running[program.name].result()


def table_line(row: Row) -> str:
    words = []
    for name, width in COLUMNS:
        value = getattr(row, name)
        value = f"{value:.2f}" if isinstance(value, float) else str(value)
        words.append(value.ljust(width) if name in ("name", "kind", "result") else value.rjust(width))
    return "  ".join(words) + ("  " + row.detail if row.detail else "")


def summary(rows) -> str:
    count = {result: sum(r.result == result for r in rows) for result in ("same", "refused", "breaks", "differs", "skipped")}
    events, tapes = sum(r.events for r in rows), sum(r.tapes for r in rows)
    text = ", ".join(f"{n} {result}" for result, n in count.items() if n)
    if tapes:
        text += f"; {events} events on {tapes} tapes, {sum(r.bytes for r in rows) / max(events, 1):.3f} bytes an event"
    return text + f"; {sum(r.plain_seconds for r in rows):.0f} s plain, {sum(r.seconds for r in rows):.0f} s under"


def main() -> int:
    chosen_options = options()
    programs = chosen(chosen_options.only)
    if chosen_options.list:
        print_list(programs, chosen_options.format)
        return 0
    if chosen_options.install:
        install(programs)
    libexec = chosen_options.build.resolve() / "libexec/heaptape"
    if not (libexec / "heaptape-record").exists():
        fail(4, f"nothing is built at {libexec}; run make")
    scratch = chosen_options.keep or pathlib.Path(tempfile.mkdtemp(prefix="heaptape-programs-", dir="/tmp"))
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o755)
    tools = Tools(libexec, scratch.resolve(), chosen_options.under)
    table, rows = chosen_options.format == "table", []
    try:
        if table:
            print(table_line(dataclasses.replace(Row("name", "kind", "result"), **{n: HEADINGS.get(n, n) for n, _ in COLUMNS})))
        for row in rows_of(tools, programs, chosen_options.jobs):
            rows.append(row)
            if table:
                print(table_line(row), flush=True)
    finally:
        if not chosen_options.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    if table:
        print(f"under {chosen_options.under}: {summary(rows)}")
    else:
        json.dump([dataclasses.asdict(row) for row in rows], sys.stdout, indent=1)
        print()
    return 1 if any(row.result == "differs" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
