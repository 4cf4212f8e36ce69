#!/usr/bin/env python3
"""make stress-recorder: the recorder's tests in their long form, and the survival table.

    record_stress.py BUILD [pytest's options]

Takes about ten minutes. Exit status: pytest's.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def show(rows):
    heads = ("case", "runs", "events promised", "events lost", "verdict")
    lines = [heads]
    for row in rows:
        figures = ["-" if row[key] is None else f"{row[key]:,}" for key in ("promised", "lost")]
        lines.append((row["case"], str(row["runs"]), *figures, row["verdict"] or ("LOST" if row["lost"] else "ok")))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(line[i].rjust(widths[i]) for i in (1, 2, 3)), line[4]]
        print("  ".join(cells))


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        table = pathlib.Path(folder) / "survival"
        environment = dict(os.environ, B=sys.argv[1], HEAPTAPE_STRESS="full", HEAPTAPE_SURVIVAL=str(table))
        tests = sorted(str(p) for p in (ROOT / "tests/cli").glob("test_record*.py"))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=10", *sys.argv[2:], *tests]
        status = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
        rows = [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []
    print("\nWhat had completed when the program, or recording, ended, and is on no tape. A case that failed its test is\n"
          "not listed, or with what it lost.\n")
    show(rows)
    return status


if __name__ == "__main__":
    sys.exit(main())
