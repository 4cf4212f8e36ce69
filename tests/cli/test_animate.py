"""heaptape animate: frames, times and squares of the animation; what cannot be done."""

import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "analysis"))

import numpy  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from PIL import Image  # noqa: E402
from report import film, heap_story  # noqa: E402


@pytest.fixture(scope="module")
def results(heaptape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    tape, out = folder / "x.tape", folder / "results"
    subprocess.run([BUILD / "tests/engine_tape", tape, "60000", "900", "1", "0"], check=True, capture_output=True)
    made = heaptape("bench", tape, "-a", "libc", "-a", "mimalloc", "-n", 1, "--latency-rounds=0", "--snapshots", "-o", out)
    assert made.returncode == 0, made.stderr
    return out


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_frames_and_their_times(heaptape, results, tmp_path, ending):
    out = tmp_path / f"x.{ending}"
    made = heaptape("animate", results, "-o", out, "--frames=12", "--seconds=2.4")
    assert made.returncode == 0 and made.stdout == made.stderr == "", made.stderr
    with Image.open(out) as image:
        assert image.n_frames == 12 and image.is_animated
        image.seek(3)
        assert image.info["duration"] == 200
        image.seek(11)
        assert image.info["duration"] == 2500
    assert not list(tmp_path.glob("*.part"))


def test_squares_are_the_heap(heaptape, results, tmp_path):
    """In the last frame every square of libc's panel has the colour of its band's occupancy at the end."""
    out = tmp_path / "x.png"
    assert heaptape("plot", results, "--chart=heapmap", "-o", out).returncode == 0
    paths = sorted((results / "snapshots").glob("*.heap"))
    each = max(heap_story.pages_of_band(heap_story.union_of(p), film.ACROSS * film.UP) for p in paths)
    column = heap_story.read(next(p for p in paths if ".libc." in p.name), each).heap_map.occupancy[:, -1]
    with Image.open(out) as image:
        image.seek(image.n_frames - 1)
        pixels = numpy.array(image.convert("RGB"))
    for at, share in enumerate(column):
        x = film.MARGIN + at % film.ACROSS * film.SQUARE + 2
        y = film.TOP + film.HEAD + film.MAP_HEIGHT - 1 - at // film.ACROSS * film.SQUARE - 2
        wanted = [film.ABSENT] * 3 if numpy.isnan(share) else [round(255 * v) for v in colormaps[film.COLOURS](share)[:3]]
        assert numpy.abs(pixels[y, x].astype(int) - wanted).max() <= 1, (at, share)


def fails(heaptape, status, word, *arguments):
    done = heaptape("animate", *arguments)
    assert done.returncode == status, done.stderr
    assert len(done.stderr.splitlines()) == 1 and word in done.stderr and done.stderr.startswith("heaptape animate: ")


def test_mistakes_are_one_line(heaptape, results, tmp_path):
    out = tmp_path / "x.gif"
    fails(heaptape, 2, "--output", results)
    fails(heaptape, 2, ".gif", results, "-o", tmp_path / "x.mp4")
    fails(heaptape, 2, "--frames", results, "-o", out, "--frames=1")
    fails(heaptape, 3, "no tape other", results, "-o", out, "--tape=other")
    fails(heaptape, 3, "jemalloc", results, "-o", out, "-a", "jemalloc")
    fails(heaptape, 3, "nowhere", "/nowhere", "-o", out)
    fails(heaptape, 4, "/nowhere", results, "-o", "/nowhere/x.gif")
    letters = heaptape("plot", results, "--chart=heapmap")
    assert letters.returncode == 0 and "libc" in letters.stdout, "a still picture, in letters"
    snapshot = next((results / "snapshots").glob("*.mimalloc.heap"))
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[: len(whole) // 2])
    fails(heaptape, 3, "bench --snapshots", results, "-o", out)
    snapshot.unlink()
    fails(heaptape, 3, "bench --snapshots", results, "-o", out, "-a", "mimalloc")
