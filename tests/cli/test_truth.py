"""make truth: its arithmetic, and a small program through the whole of it; what heaptape live predicts from a tape."""

import json
import shutil
import struct
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

TRUTH = ROOT / "tests/truth"
sys.path.insert(0, str(TRUTH))
import arithmetic  # noqa: E402
import samples as tape_samples  # noqa: E402


def test_errors_are_shares_of_what_is_real():
    assert arithmetic.error(110, 100) == pytest.approx(0.10)
    assert arithmetic.error(90, 100) == pytest.approx(-0.10)


def test_pairs_count_only_what_truly_differs():
    real = {"a": 100, "b": 104, "c": 120, "d": 150}
    right, wrong = arithmetic.pairs(real, {"a": 104, "b": 100, "c": 119, "d": 118})
    assert ("a", "b") not in right + wrong  # 4 % apart
    assert wrong == [("c", "d")] and len(right) == 4


def test_a_tie_is_not_the_right_order():
    assert arithmetic.pairs({"a": 100, "b": 200}, {"a": 7, "b": 7}) == ([], [("a", "b")])


def test_pairs_whose_runs_overlap_have_no_order():
    real, predicted = {"a": 100, "b": 110}, {"a": 2, "b": 1}
    assert arithmetic.pairs(real, predicted, {"a": (95, 112), "b": (109, 111)}) == ([], [])
    assert arithmetic.pairs(real, predicted, {"a": (95, 101), "b": (109, 111)}) == ([], [("a", "b")])


def test_summary():
    found = arithmetic.summary({("p", "a"): -0.2, ("p", "b"): 0.01, ("q", "a"): 0.03})
    assert found["cells"] == 3 and found["median"] == pytest.approx(0.03) and found["greatest"] == pytest.approx(0.2)
    assert found["above_tenth"] == [["p", "a"]]
    assert arithmetic.summary({})["median"] is None


def test_a_series_that_fits_the_samples_has_no_error():
    operations, values = [10, 20, 30, 40], [100, 500, 1000, 400]
    taken = [(5, 3100), (20, 3500), (30, 4000), (40, 3400)]
    found = arithmetic.against_samples(taken, operations, values)
    assert found["peak_error"] == 0 and found["mean_difference"] == 0
    assert found["beside_bytes"] == 3000 and found["peak_bytes"] == 4000


def test_a_series_that_misses_shows_by_how_much():
    operations, values = [10, 20, 30, 40], [100, 500, 1000, 400]
    taken = [(10, 3100), (20, 3500), (30, 5000), (40, 3400)]
    found = arithmetic.against_samples(taken, operations, values)
    assert found["peak_error"] == pytest.approx(-0.2)
    assert found["mean_difference"] == pytest.approx(1000 / 4 / 5000)
    assert arithmetic.against_samples(taken[:1], operations, values) is None


needs_gawk = pytest.mark.skipif(not shutil.which("gawk"), reason="gawk is not installed")


@needs_gawk
def test_the_whole_on_one_small_program(tmp_path):
    done = subprocess.run([sys.executable, TRUTH / "truth.py", BUILD, "-o", tmp_path, "-n", "2", "--only", "gawk small",
                           "-a", "htmalloc"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "truth.json").read_text())
    live = found["programs"]["gawk small"]["live"]
    assert set(live) == {"libc", "htmalloc"} and found["summary"]["memory"]["cells"] == 1
    entry = live["htmalloc"]
    assert entry["prediction_error"] == pytest.approx(
        entry["predicted_peak_resident_bytes"] / entry["peak_resident_bytes"] - 1, abs=1e-4)
    assert abs(entry["prediction_error"]) < 0.05
    assert len(entry["cpu_seconds_runs"]) == 2 and entry["predicted_cpu_seconds"] > 0
    assert (tmp_path / "truth.md").read_text().strip() == done.stdout.strip()


# A pool of its own by mmap, which is at its highest after the heap has gone: what is beside the heap moves.
POOL = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char *volatile blocks[20000];
int main(void)
{
    for (int i = 0; i < 20000; i++) { blocks[i] = malloc(1000); memset(blocks[i], 1, 1000); if (i % 100 == 0) usleep(1000); }
    usleep(50000);
    for (int i = 0; i < 20000; i++) { free(blocks[i]); if (i % 100 == 0) usleep(500); }
    usleep(50000);
    char *pool = mmap(NULL, 40 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pool, 1, 40 << 20);
    usleep(300000);
    for (int i = 0; i < 100; i++) { free(malloc(100)); usleep(500); }
    return 0;
}
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    subprocess.run(["cc", "-O1", "-x", "c", "-", "-o", folder / "pool"], input=POOL, text=True, check=True)
    subprocess.run([BUILD / "libexec/heaptape/heaptape-record", "-q", "-o", folder / "pool.tape", "--", folder / "pool"],
                   check=True, timeout=60)
    return folder


def test_samples_are_read(pool):
    found = tape_samples.read_samples(pool / "pool.tape")
    assert len(found) > 5 and max(s.resident for s in found) > 40 << 20
    assert [s.time_ns for s in found] == sorted(s.time_ns for s in found)
    with open(pool / "torn", "wb") as torn:
        torn.write((pool / "pool.tape").read_bytes()[:64] + struct.pack("<64s", b"no block"))
    with pytest.raises(ValueError):
        tape_samples.read_samples(pool / "torn")


def test_live_looks_for_the_peak_of_heap_and_pool_together(heaptape, pool):
    """An allocator that never gives memory back holds the heap still when the pool, and with it the process, is at its
    peak; by the heap's peak alone, which is nearly that on libc, it would be missed by a third."""
    done = heaptape("live", "-n", 2, "--no-hyperfine", "-a", f"bump={BUILD}/tests/record_bump.so", "-o", pool / "r",
                    "--format=json", pool / "pool.tape", "--", pool / "pool")
    assert done.returncode == 0, done.stderr
    libc, bump = json.loads(done.stdout)["entries"]
    assert bump["status"] == "ok" and bump["relative_peak_resident"] > 1.3
    assert bump["time_seconds"] is None and libc["prediction_error"] == 0
    assert abs(bump["prediction_error"]) < 0.08, bump


def test_live_words(heaptape, pool):
    done = heaptape("live", "-n", 2, "--no-hyperfine", "-a", "htmalloc", "--pace=asap", "-o", pool / "r", pool / "pool.tape", "--",
                    pool / "pool")
    assert done.returncode == 0, done.stderr
    assert "processor time" in done.stdout and "off by" in done.stdout
    assert heaptape("live", "--pace=backwards", "--", "true").returncode == 2
    assert heaptape("live", "--touch=some", "--", "true").returncode == 2
