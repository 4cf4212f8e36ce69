"""heaptape report RESULTS: options, then load, draw, write."""

from __future__ import annotations

import argparse
import pathlib
import sys

from .command_line import EXIT_BAD_INPUT, EXIT_ENVIRONMENT, EXIT_USAGE, Parser, fail, say
from .writer import Writer

FORMATS = ("html", "png", "svg", "data")

USAGE = """Examples:
  heaptape report results                      results/report.html and results/charts/
  heaptape report results -o ~/public/heap     the same, written elsewhere
  heaptape report results --format=png         the charts alone, as PNG
  heaptape report before after                 what changed: after/compare.html

Usage: heaptape report RESULTS [OPTIONS]
       heaptape report OLD NEW [OPTIONS]

Writes report.html (one file, needs no network), charts/*.png and *.svg and the figures of all of them as data/*.csv,
data.json, summary.prom and summary.txt (explained in analysis/DATA.md) from the folder that heaptape bench left. With
two folders it writes compare.html: what changed from the first to the second, and whether that is shown or noise (as
heaptape diff). The paths written go to stdout.

  -o, --output=DIR   where to write (default: RESULTS itself, or NEW)
  --format=LIST      what to write: html, png, svg, data, comma-separated (default: all)
  -q, --quiet        no paths on stdout
  --version          the version
  --help             this text

Exit status: 0 ok, 2 usage, 3 the folder cannot be used, 4 cannot write.
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser("report", USAGE)
    parser.add_argument("results", nargs="+")
    parser.add_argument("-o", "--output")
    parser.add_argument("--format", default=",".join(FORMATS))
    parser.add_argument("-q", "--quiet", action="store_true")
    options = parser.parse_args(arguments)
    if len(options.results) > 2:
        fail("report", EXIT_USAGE, "one results folder, or two to compare; see heaptape report --help")
    options.format = [f for f in options.format.split(",") if f]
    unknown = [f for f in options.format if f not in FORMATS]
    if unknown or not options.format:
        fail("report", EXIT_USAGE, f"--format={','.join(unknown)}: html, png, svg or data; see heaptape report --help")
    return options


def progress(text: str) -> None:
    """One changing line on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[Kheaptape report: {text}", end="", file=sys.stderr, flush=True)


def write(results, writer: Writer) -> None:
    """Draws every chart of the results and writes the page."""
    from . import data_charts, data_files, data_heap, data_tables, data_tapes, gallery, page
    from .canvas import set_style
    from .context import Context

    set_style()
    context = Context.of(results)
    drawn = gallery.draw(context, writer, progress)
    tables = []
    if "data" in writer.formats:
        tables = [*data_tables.tables(results), *data_tapes.tables(results), *drawn.tables, *data_heap.joined([data_heap.blame(context)])]
        for name, text in data_files.files(results, tables):
            writer.data(name, text)
        for name in data_charts.stale({table.name for table in tables}):
            (writer.folder / "data" / f"{name}.csv").unlink(missing_ok=True)
    if "html" in writer.formats:
        names = {table.name for table in tables}
        overview, live = (data_charts.linked(figures, names) for figures in (drawn.overview, drawn.live))
        writer.page(page.render(context, overview, [data_charts.linked(figures, names) for figures in drawn.tapes], live))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    from .fields import ResultsError
    from .results import load

    folders = tuple(pathlib.Path(name) for name in options.results)
    writer = Writer(pathlib.Path(options.output) if options.output else folders[-1], options.format)
    try:
        results = [load(folder) for folder in folders]
        if len(results) == 1:
            write(results[0], writer)
        else:
            from . import compare

            compare.write(*results, sys.stdin.read(), writer)  # report.sh has heaptape diff at the other end
    except ResultsError as error:
        fail("report", EXIT_BAD_INPUT, str(error))
    except OSError as error:
        fail(
            "report",
            EXIT_ENVIRONMENT,
            f"cannot write {error.filename or writer.folder}: {error.strerror}: choose another folder with -o",
        )
    if not options.quiet:
        say("report", "".join(f"{p}\n" for p in writer.written))
    return 0
