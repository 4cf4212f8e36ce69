"""What the tests of the bench driver share: random tapes, and broken allocators by name."""

import json
import subprocess

from conftest import BUILD

MAKE_TAPE = BUILD / "tests/engine_tape"
# abort, crash, exit, greedy, hang, null: after 5,000 calls of malloc; start: before main().
BROKEN = {name: BUILD / f"tests/libbroken_{name}.so"
          for name in ("abort", "crash", "ending", "exit", "forks", "greedy", "hang", "leak", "loud", "null", "start",
                        "thread")}


def make_tape(path, events=60000, live=300, lanes=1, cross=0):
    subprocess.run([MAKE_TAPE, path, str(events), str(live), str(lanes), str(cross)],
                   capture_output=True, check=True)
    return path


def one_line(text, command):
    """Errors are one line that names the command."""
    assert text.startswith(f"heaptape {command}: "), text
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return text


def results_of(folder):
    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads((folder / "results.json").read_text(), parse_constant=no_constant)
