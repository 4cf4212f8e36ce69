"""heaptape report RESULTS: options, then load, draw, write."""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

EXIT_USAGE, EXIT_BAD_INPUT, EXIT_ENVIRONMENT = 2, 3, 4
FORMATS = ("html", "png", "svg", "data")

EXAMPLES = """Examples:
  heaptape report results                      results/report.html and results/charts/
  heaptape report results -o ~/public/heap     the same, written elsewhere
  heaptape report results --format=png         the charts alone, as PNG
  heaptape report before after                 what changed: after/compare.html

Usage: heaptape report RESULTS [OPTIONS]
       heaptape report OLD NEW [OPTIONS]
"""


class Parser(argparse.ArgumentParser):
    """Speaks as every heaptape command does: examples first, one line for an error, exit 2."""

    def format_help(self) -> str:
        return (
            EXAMPLES
            + """
Writes report.html (one file, needs no network), charts/*.png and *.svg and the figures of all of them as data/*.csv,
data.json, summary.prom and summary.txt (explained in analysis/DATA.md) from the folder that heaptape bench left. With two folders it writes compare.html: what changed from the first to the second, and whether that is shown
or noise (as heaptape diff). The paths written go to stdout.

  -o, --output=DIR   where to write (default: RESULTS itself, or NEW)
  --format=LIST      what to write: html, png, svg, data, comma-separated (default: all)
  -q, --quiet        no paths on stdout
  --version          the version
  --help             this text

Exit status: 0 ok, 2 usage, 3 the folder cannot be used, 4 cannot write.
"""
        )

    def error(self, message: str):
        fail(EXIT_USAGE, f"{message}; see heaptape report --help")


def fail(status: int, message: str):
    print(f"heaptape report: {message}", file=sys.stderr)
    raise SystemExit(status)


def version() -> str:
    """From the VERSION file: share/heaptape's once installed, the checkout's otherwise."""
    here = pathlib.Path(__file__).absolute().parent
    for place in (here.parent / "VERSION", here.resolve().parent.parent / "VERSION"):
        if place.is_file():
            return place.read_text().strip()
    return "unknown"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog="heaptape report", allow_abbrev=False)
    parser.add_argument("results", nargs="+")
    parser.add_argument("-o", "--output")
    parser.add_argument("--format", default=",".join(FORMATS))
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--version", action="version", version=f"heaptape {version()}")
    options = parser.parse_args(arguments)
    if len(options.results) > 2:
        fail(EXIT_USAGE, "one results folder, or two to compare; see heaptape report --help")
    options.format = [f for f in options.format.split(",") if f]
    unknown = [f for f in options.format if f not in FORMATS]
    if unknown or not options.format:
        fail(EXIT_USAGE, f"--format={','.join(unknown)}: html, png, svg or data; see heaptape report --help")
    return options


def safe(name: str) -> str:
    """A tape's name in a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".") or "tape"


class Writer:
    """Writes charts and the page below one folder and remembers what it wrote."""

    def __init__(self, folder: pathlib.Path, formats: list[str]):
        self.folder, self.formats = folder, formats
        self.written: list[pathlib.Path] = []

    def chart(self, chart, tape: str = "") -> list[str]:
        """Paths of the chart's files, relative to the page."""
        stem = f"{safe(tape)}.{chart.name}" if tape else chart.name
        files = []
        for ending in ("png", "svg"):
            if ending not in self.formats:
                continue
            path = self.folder / "charts" / f"{stem}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            chart.canvas.save(path)
            self.written.append(path)
            files.append(f"charts/{stem}.{ending}")
        return files

    def copy(self) -> "Writer":
        """One that has written nothing yet, for another process."""
        return Writer(self.folder, self.formats)

    def data(self, name: str, text: str) -> None:
        """A file of figures."""
        path = self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
        self.written.append(path)

    def page(self, text: str, name: str = "report.html") -> None:
        """Whole or not at all: written beside, then renamed."""
        path = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".html.part")
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.replace(path)
        self.written.insert(0, path)


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
    drawn = gallery.draw(context, writer, progress) if set(writer.formats) - {"data"} else None
    tables = []
    if "data" in writer.formats:
        tables = data_tables.tables(results) + data_tapes.tables(results) + data_heap.tables(context)
        for name, text in data_files.files(results, tables):
            writer.data(name, text)
        for name in data_charts.stale({table.name for table in tables}):
            (writer.folder / "data" / f"{name}.csv").unlink(missing_ok=True)
    if drawn and "html" in writer.formats:
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
        fail(EXIT_BAD_INPUT, str(error))
    except OSError as error:
        fail(
            EXIT_ENVIRONMENT,
            f"cannot write {error.filename or writer.folder}: {error.strerror}: choose another folder with -o",
        )
    if not options.quiet:
        print("\n".join(str(p) for p in writer.written))
    return 0
