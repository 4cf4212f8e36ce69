"""python3 analysis/study FOLDER: study.csv, study.json, charts and index.html of what make study has left in FOLDER."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent))

import charts  # noqa: E402
import data  # noqa: E402
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: E402
from measures import MEASURES  # noqa: E402
from report.canvas import set_style  # noqa: E402


def summary(study: data.Study) -> list[dict]:
    names = sorted((name for name in study.allocators if study.of(name)), key=lambda name: study.mean(name, "net", "max_over_max"))
    columns = [(base, measure) for base in ("gross", "net") for measure in MEASURES[:4]]

    def cells(name: str) -> list[str]:
        shares = [study.mean(name, *column) for column in columns]
        shares += [study.median(name, "net", "max_over_max"), study.mean(name, "outside", "max_over_max"), study.resident(name)]
        return [charts.percent(share) for share in shares]

    return [{"name": name, "tapes": len(study.of(name)), "cells": cells(name)} for name in names]


def table(rows: list[dict]) -> str:
    """The summary for a terminal and for Markdown."""
    lines = ["| allocator | tapes | gross over time | at max R | at max H | max/max | net over time | at max R | at max H | max/max | "
             "median | outside | resident |", "| --- |" + " ---: |" * 12]
    return "\n".join(lines + [f"| {row['name']} | {row['tapes']} | {' | '.join(row['cells'])} |" for row in rows])


def main(folder: pathlib.Path) -> int:
    try:
        study = data.read(folder)
    except OSError as trouble:
        print(f"study: {trouble}", file=sys.stderr)
        return 3
    set_style()
    data.write(study)
    drawn = charts.all_charts(study)
    (folder / "charts").mkdir(exist_ok=True)
    for chart in drawn:
        for ending in (".png", ".svg"):
            chart.canvas.save(folder / "charts" / f"{chart.name}{ending}")
    here = pathlib.Path(__file__).resolve().parent
    page = Environment(loader=FileSystemLoader(here), autoescape=select_autoescape(default=True), undefined=StrictUndefined)
    rows = summary(study)
    failed = [f"{row.allocator} on {row.tape}: {row.status}, {row.detail}" for row in study.rows if not row.ok]
    unknown = sorted({row.allocator for row in study.rows if row.ok and not row.held_known})
    (folder / "index.html").write_text(page.get_template("study.html.j2").render(
        tapes=study.tapes, summary=rows, failed=failed, unknown=unknown, charts=drawn))
    print(table(rows))
    print(f"study: {folder}/index.html", file=sys.stderr)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
