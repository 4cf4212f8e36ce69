"""Results and snapshots with flipped bytes, odd values and cut ends: each is read, or refused in a sentence; nothing crashes."""

import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import zlib

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "analysis"))

from report import snapshots  # noqa: E402
from report.main import main  # noqa: E402

ODD = [None, "", -1, 0, 1e308, -1e308, 1e-320, 2**63, 2**64, 10**400, [], {}, "x", True, [1], {"a": 1}, "\0", "../x", float("nan"),
       float("inf"), "libc", "x" * 5000, [[]], [None]]
CELLS = ["", "-1", "nan", "inf", "-inf", "1e308", "0", "x", "9" * 30, '"', "1;2", "1,5", "True", "0x10", " 5", "-5e300"]


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    assert heaptape("trace", "synth", "-o", folder / "small.tape", "--events=3k", "--live=100", "--lanes=2").returncode == 0
    made = heaptape("bench", folder / "small.tape", "-a", "htmalloc", "-n", "2", "--snapshots", "-o", folder / "results")
    assert made.returncode == 0, made.stderr
    return folder / "results"


def places(value, path=()):
    """Where a value stands in JSON, as keys and indices from the top."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def mutate_json(rng: random.Random, path: pathlib.Path) -> None:
    value = json.loads(path.read_text())
    where = rng.choice(list(places(value)))
    above = value
    for key in where[:-1]:
        above = above[key]
    if rng.random() < 0.25:
        del above[where[-1]]
    else:
        above[where[-1]] = rng.choice(ODD)
    path.write_text(json.dumps(value))


def mutate_table(rng: random.Random, path: pathlib.Path) -> None:
    lines = path.read_text().split("\n")
    at = rng.randrange(len(lines))
    cells = lines[at].split(",")
    cells[rng.randrange(len(cells))] = rng.choice(CELLS)
    lines[at] = ",".join(cells if rng.random() < 0.8 else cells[:-1])
    path.write_text("\n".join(lines if rng.random() < 0.8 else lines[:at]))


def mutate_bytes(rng: random.Random, path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data if rng.random() < 0.7 else data[:at])


def mutate_snapshot(rng: random.Random, path: pathlib.Path) -> None:
    """A head's figure, or coded bytes with a checksum that is right."""
    data, at = bytearray(path.read_bytes()), snapshots.HEAD.size
    for _ in range(rng.randrange(snapshots.HEAD.unpack_from(data)[3])):
        at += snapshots.ENTRY.size + snapshots.ENTRY.unpack_from(data, at)[12]
    begin, coded = at + snapshots.ENTRY.size, snapshots.ENTRY.unpack_from(data, at)[12]
    if rng.random() < 0.4 or not coded:
        struct.pack_into("<Q", data, at + 8 + 8 * rng.randrange(10), rng.choice([0, 1, 1 << 33, 1 << 40, 1 << 63, 2**64 - 1]))
    else:
        for _ in range(rng.choice([1, 4, 12])):
            data[begin + rng.randrange(coded)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        struct.pack_into("<I", data, at + 4, zlib.crc32(data[begin : begin + coded]))
    path.write_bytes(data)


def mutate(rng: random.Random, path: pathlib.Path) -> None:
    own = {".json": mutate_json, ".csv": mutate_table, ".heap": mutate_snapshot}[path.suffix]
    (own if rng.random() < 0.8 else mutate_bytes)(rng, path)


@pytest.mark.filterwarnings("error")
def test_results_are_read_or_refused(results, tmp_path, capsys):
    statuses = []
    for seed in range(60):
        rng, folder = random.Random(seed), tmp_path / str(seed)
        shutil.copytree(results, folder)
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".csv", ".heap"))
        mutate(rng, rng.choice([folder / "results.json", rng.choice(files)]))
        try:
            statuses.append(main([str(folder), "--format=data", "-q"]))
        except SystemExit as refused:
            statuses.append(refused.code)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        said = capsys.readouterr().err
        assert statuses[-1] in (0, 3) and said.count("\n") == bool(statuses[-1]), f"seed {seed}: {said}"
        assert bool(statuses[-1]) != (folder / "data" / "summary.csv").exists(), f"seed {seed}"
        shutil.rmtree(folder)
    assert statuses.count(0) > 10 and statuses.count(3) > 5


def test_snapshots_are_blamed_or_refused(results, tmp_path):
    tape, statuses = results.parent / "small.tape", []
    for seed in range(150):
        rng, heap = random.Random(seed), tmp_path / "x.heap"
        shutil.copy(results / "snapshots" / "small.libc.heap", heap)
        for _ in range(8):
            mutate_snapshot(rng, heap)
        if seed % 3 == 0:
            mutate_bytes(rng, heap)
        result = subprocess.run([BUILD / "libexec/heaptape/heaptape-blame", tape, f"--heap={heap}", f"--at={rng.choice(['peak', 'live', 'end'])}"],
                                capture_output=True, text=True, timeout=60)
        assert result.returncode in (0, 3), f"seed {seed}: {result.returncode} {result.stderr}"
        assert result.returncode == 0 or (result.stderr.startswith("heaptape blame: ") and result.stderr.count("\n") == 1), result.stderr
        statuses.append(result.returncode)
    assert statuses.count(0) > 20 and statuses.count(3) > 20


@pytest.mark.parametrize("where, value, status", [(("settings",), None, 0), (("settings", "confidence"), None, 0), (("settings", "confidence"), "x", 0),
                                                  (("machine",), None, 0), (("tapes", 0, "peak_live_bytes"), float("nan"), 3),
                                                  (("tapes", 0, "lanes"), 10**400, 3)])
def test_a_page_of_results_that_lack_something(heaptape, results, tmp_path, where, value, status):
    """A value of None stands for a key that is not there."""
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    whole = above = json.loads((folder / "results.json").read_text())
    for key in where[:-1]:
        above = above[key]
    above[where[-1]] = value
    if value is None:
        del above[where[-1]]
    (folder / "results.json").write_text(json.dumps(whole))
    result = heaptape("report", folder, "--format=html", "-q")
    assert result.returncode == status and result.stderr.count("\n") == bool(status), result.stderr


def test_a_table_with_figures_that_cannot_be_drawn(heaptape, results, tmp_path):
    """Infinities, figures beyond all memory, and rows without an operation were drawn, or ended in a traceback."""
    for cell, column in (("-inf", 4), ("", 0)):
        folder = tmp_path / f"{column}{cell[:4]}"
        shutil.copytree(results, folder)
        path = folder / "series" / "small.libc.csv"
        lines = path.read_text().split("\n")
        cells = lines[9].split(",")
        cells[column] = cell
        lines[9] = ",".join(cells)
        path.write_text("\n".join(lines))
        result = heaptape("report", folder, "--format=html")
        assert result.returncode == 0 and result.stderr == "", result.stderr
        assert "not the columns and numbers expected" in (folder / "report.html").read_text()
