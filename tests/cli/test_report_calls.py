"""The report's table and chart of system calls: the figures of results.json; gone where there are none."""

import json
import re

import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "results"
    ran = heaptape("bench", ROOT / "traces/corpus/jq.tape", "-a", "jemalloc", "-n", 2, "-o", folder)
    assert ran.returncode == 0, ran.stderr
    return folder


def report(heaptape, folder, out):
    made = heaptape("report", folder, "-o", out)
    assert made.returncode == 0, made.stderr
    return (out / "report.html").read_text()


def rows_of(page: str) -> dict[str, list[str]]:
    """The cells of the table, without their second lines, by allocator."""
    table = page.partition("System calls and page faults</summary>")[2].partition("</table>")[0]
    rows = {}
    for row in re.findall(r"<tr.*?</tr>", table, re.S)[1:]:
        cells = [re.sub(r"<small>.*?</small>|<.*?>", "", cell, flags=re.S).strip()
                 for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        rows[cells[0]] = [re.sub(r"\s", "", cell) for cell in cells[1:]]
    return rows


def test_the_table_and_the_chart(heaptape, results, tmp_path):
    page = report(heaptape, results, tmp_path)
    rows = rows_of(page)
    summary = {row["allocator"]: row for row in json.loads((results / "results.json").read_text())["summary"]}
    assert set(rows) == {name for name, row in summary.items() if not row["is_floor"]}
    for name, cells in rows.items():
        row = summary[name]
        brk = sum(call["calls"] for call in row["system_calls"] if call["name"].startswith("brk"))
        assert cells[0] == str(row["system_call_count"])
        assert cells[4] == str(brk)
        assert cells[7] == str(row["memory_minor_faults"])
    for ending in ("png", "svg"):
        assert (tmp_path / f"charts/jq.system_calls.{ending}").stat().st_size > 1000
    drawn = (tmp_path / "charts/jq.faults.svg").read_text().replace("\N{NARROW NO-BREAK SPACE}", "")
    for name in rows:
        last = (results / "series" / f"jq.{name}.csv").read_text().splitlines()[-1].split(",")
        assert f">{name} {int(last[7]) + int(last[8])}<" in drawn


def test_results_without_them_have_neither(heaptape, results, tmp_path):
    """As written before they were counted, or where counting is not permitted."""
    old = tmp_path / "old"
    (old / "series").mkdir(parents=True)
    made = json.loads((results / "results.json").read_text())
    for row in made["summary"]:
        row.update(system_call_count=None, system_calls=[])
    (old / "results.json").write_text(json.dumps(made))
    for path in (results / "series").glob("*.csv"):
        lines = path.read_text().splitlines()
        if "system_calls" in lines[0]:
            lines = [line.rpartition(",")[0] for line in lines]
        (old / "series" / path.name).write_text("\n".join(lines) + "\n")
    page = report(heaptape, old, tmp_path / "out")
    assert "System calls and page faults" not in page
    assert "No memory curve" not in page
    assert not list((tmp_path / "out/charts").glob("*.system_calls.*"))
