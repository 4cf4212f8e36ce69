"""Thread scaling: a chart where a bench has tapes of one program with several numbers of threads, and only there."""

import json
import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "analysis"))
from make_results import make  # noqa: E402


def made(heaptape, folder, lanes, programs=("p", "p", "p")):
    tapes = tuple((f"t{i}", program) for i, program in enumerate(programs))
    results = make(folder, tapes=tapes, allocators=("libc", "mimalloc", "null"), points=10)
    for tape, count in zip(results["tapes"], lanes):
        tape["lanes"] = count
    for row in results["summary"]:  # libc gets half as fast with each doubling of the threads, mimalloc stays
        if row["allocator"] == "libc":
            factor = lanes[int(row["tape"][1:])]
            row["ns_per_operation"] = {key: value * factor for key, value in row["ns_per_operation"].items()}
    (folder / "results.json").write_text(json.dumps(results))
    ran = heaptape("report", folder, "--format=html,svg")
    assert ran.returncode == 0, ran.stderr
    return folder


def test_a_line_for_each_allocator(heaptape, tmp_path):
    """By hand: libc takes 30 ns on one thread, 120 on four: 33.3 and 8.33 million operations a second."""
    folder = made(heaptape, tmp_path, (1, 2, 4))
    text = (folder / "charts" / "scaling.svg").read_text()
    assert ">libc 8.33<" in text and ">mimalloc " in text and ">recorded threads<" in text
    page = (folder / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "libc: 33.3 million a second on 1, 16.7 million a second on 2, 8.33 million a second on 4" in page


def test_other_benches_have_none(heaptape, tmp_path):
    for name, lanes, programs in (("same", (2, 2, 2), ("p",) * 3), ("others", (1, 2, 4), ("p", "q", "r"))):
        folder = made(heaptape, tmp_path / name, lanes, programs)
        assert not list((folder / "charts").glob("scaling*"))
