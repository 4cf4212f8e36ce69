#!/usr/bin/python3
"""Made tests/golden/good/expected.json with the version that wrote the files: make_expected.py HEAPTAPE_TRACE"""

import hashlib
import json
import pathlib
import subprocess
import sys

GOOD = pathlib.Path(__file__).resolve().parent / "good"
KEEP = "events allocations frees reallocs failed lanes peak_live_bytes peak_event live_at_end_bytes complete program".split()


def run(*arguments):
    return subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, check=True).stdout


expected = {}
for path in sorted(GOOD.glob("*.tape")):
    figures = json.loads(run("info", "--format=json", str(path)))
    listed = run("dump", "--format=csv", str(path))
    expected[path.name] = {"events_sha256": hashlib.sha256(listed.encode()).hexdigest(),
                           "info": {key: figures[key] for key in KEEP}}
(GOOD / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
