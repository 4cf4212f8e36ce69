#!/usr/bin/env python3
"""make bench-tools: the tools that read tapes on long ones.

    bench_tools.py BUILD TAPE...

For each tape and tool: seconds, million events a second, and the memory of the process at its peak, beside that for
the tape's first tenth, which has about the same live set. Exit status 1 where a tool failed or took more memory for
the whole than a quarter and 8 MiB more than for the tenth.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SLACK_MIB = 8


def run(command):
    """Seconds and MiB at the peak; None where it failed."""
    begin, child = time.monotonic(), os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    return None if status else (time.monotonic() - begin, usage.ru_maxrss / 1024)


class Tools:
    def __init__(self, build, folder):
        self.trace, self.analyze = (str(build / "libexec/heaptape" / name) for name in ("heaptape-trace", "heaptape-analyze"))
        self.folder = folder

    def commands(self, tape, facts):
        out, rep, trace = str(self.folder / "out.tape"), str(self.folder / "out.rep"), self.trace
        late = facts["events"] * 9 // 10
        yield "info", [trace, "info", tape]
        yield "check", [trace, "check", tape]
        if facts["site_depth"]:
            yield "top", [trace, "top", tape]
        yield "slice, whole", [trace, "slice", "--events=:", "-o", out, tape]
        yield "slice, late", [trace, "slice", f"--events={late}:{late + 10000}", "-o", out, tape]
        yield "dump, late", [trace, "dump", f"--from={late}", "--count=1000", tape]
        yield "analyze", [self.analyze, tape]
        yield "convert to .rep", [trace, "convert", "--to=rep", "-o", rep, tape]
        yield "convert from .rep", [trace, "convert", "-o", out, rep]

    def facts(self, tape):
        return json.loads(subprocess.run([self.trace, "info", "--format=json", tape], capture_output=True, check=True).stdout)

    def tenth(self, tape, events):
        path = str(self.folder / "tenth.tape")
        subprocess.run([self.trace, "slice", f"--events=:{events // 10}", "-o", path, tape], check=True)
        return path


def bench(tools, tape):
    facts, good = tools.facts(tape), True
    short = tools.tenth(tape, facts["events"])
    print(f"\n{tape}: {facts['events']:,} events, {facts['peak_live_blocks']:,} blocks live at most, "
          f"{facts['file_bytes'] >> 20} MiB")
    print(f"  {'tool':<18} {'s':>7} {'Mevents/s':>10} {'MiB':>7} {'MiB, a tenth':>13}")
    # The tenth first: what the whole leaves in out.rep is then read by the last.
    before = {name: run(command) for name, command in tools.commands(short, tools.facts(short))}
    for name, command in tools.commands(tape, facts):
        took, part = run(command), before[name]
        if not took or not part:
            print(f"  {name:<18} failed")
            good = False
            continue
        more = took[1] > 1.25 * part[1] + SLACK_MIB
        rate = "" if "late" in name else f"{facts['events'] / took[0] / 1e6:.1f}"
        print(f"  {name:<18} {took[0]:7.2f} {rate:>10} {took[1]:7.1f} {part[1]:13.1f}{'  grows' if more else ''}", flush=True)
        good &= not more
    return good


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    build = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=build) as folder:
        tools = Tools(build, pathlib.Path(folder))
        return 0 if all([bench(tools, tape) for tape in sys.argv[2:]]) else 1


if __name__ == "__main__":
    sys.exit(main())
