"""heaptape animate: the heaps of a tape's allocators in the course of the replay, as a GIF or an animated PNG."""

from __future__ import annotations

import argparse
import pathlib
import sys

if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).absolute().parent.parent)

from report.command_line import EXIT_BAD_INPUT, EXIT_ENVIRONMENT, EXIT_USAGE, Parser, fail, run  # noqa: E402
from report.fields import ResultsError  # noqa: E402

USAGE = """Examples:
  heaptape bench --snapshots app.tape -o results && heaptape animate results -o heaps.gif
  heaptape animate results -o heaps.png --tape=app -a libc -a jemalloc

Usage: heaptape animate RESULTS -o FILE [OPTIONS]

Draws how each allocator's heap fills and empties: a square is a stretch of pages, rows go from low addresses (at the
bottom) to high ones, bright is full of live blocks, dark is resident for nothing. Needs a bench with --snapshots.

  -o, --output=FILE  FILE.gif, or FILE.png (animated PNG: all colours, larger)
  --tape=TAPE        which tape (default: the first)
  -a ALLOCATOR       this allocator (again for more; default: all)
  --frames=N         moments shown, evenly spread over the operations (default 60)
  --seconds=S        how long it takes (default 9), the last moment apart
  --version          the version
  --help             this text

Exit status: 0 ok, 2 usage, 3 the folder cannot be used, 4 cannot write.
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser("animate", USAGE)
    parser.add_argument("results")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--tape", default="")
    parser.add_argument("-a", "--allocator", action="append", default=[])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=9.0)
    options = parser.parse_args(arguments)
    if not options.output.endswith((".gif", ".png")):
        fail("animate", EXIT_USAGE, f"-o {options.output}: the name must end in .gif or .png; see heaptape animate --help")
    if not 2 <= options.frames <= 1000 or not 0.1 <= options.seconds <= 600:
        fail("animate", EXIT_USAGE, "--frames is 2 to 1000 and --seconds 0.1 to 600; see heaptape animate --help")
    return options


def chosen_tape(results, wanted: str):
    found = [t for t in results.tapes if not wanted or t.name == wanted]
    if not found:
        raise ResultsError(f"no tape {wanted} in these results: one of {', '.join(t.name for t in results.tapes)}")
    return found[0]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    from report import film
    from report.context import Context
    from report.results import load

    try:
        context = Context.of(load(pathlib.Path(options.results)))
        tape = chosen_tape(context.results, options.tape)
        reels = film.reels_of(context, tape, options.allocator)
    except ResultsError as error:
        fail("animate", EXIT_BAD_INPUT, str(error))
    try:
        film.write(context, tape, reels, pathlib.Path(options.output), options.frames, options.seconds)
    except OSError as error:
        fail("animate", EXIT_ENVIRONMENT, f"cannot write {options.output}: {error.strerror or error}: choose another file with -o")
    return 0


if __name__ == "__main__":
    run("animate", main)
