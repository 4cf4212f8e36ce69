"""heaptape replay: its figures, its options, and allocators that go wrong."""

import json
import subprocess

import pytest

from driver_help import BROKEN, make_tape


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "one.tape")


@pytest.fixture(scope="module")
def threads_tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "threads.tape", lanes=2, cross=5)


def test_replay_gives_the_names_that_others_build_on(heaptape, tape):
    result = heaptape("replay", tape, "-a", "htmalloc", "--format=json")
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    info = json.loads(heaptape("replay", tape, "--format=json").stdout)
    assert set("operations ns_per_operation floor_ns_per_operation timed_seconds wall_seconds peak_requested_bytes "
               "peak_resident_bytes peak_held_bytes status".split()) <= set(figures)
    assert figures["status"] == "ok" and figures["allocator"] == "htmalloc"
    assert figures["operations"] == info["operations"] > 50000
    assert figures["peak_requested_bytes"] == info["peak_requested_bytes"] > 0
    assert 0 < figures["floor_ns_per_operation"] < figures["ns_per_operation"]
    assert figures["ns_per_operation"] == pytest.approx(1e9 * figures["timed_seconds"] / figures["operations"], rel=1e-3)
    assert figures["peak_resident_bytes"] >= figures["peak_requested_bytes"] / 2
    table = dict(line.split(None, 1) for line in heaptape("replay", tape).stdout.splitlines())
    assert int(table["operations"]) == figures["operations"]


@pytest.mark.parametrize("name, status", [("crash", "crashed"), ("null", "out_of_memory"), ("exit", "error")])
def test_replay_of_what_goes_wrong(heaptape, tape, name, status):
    result = heaptape("replay", tape, "-a", f"bad={BROKEN[name]}", "--format=json")
    assert result.returncode == 1
    figures = json.loads(result.stdout)
    assert figures["status"] == status and figures["ns_per_operation"] is None
    assert figures["floor_ns_per_operation"] > 0


@pytest.mark.parametrize("options", [["--touch=none"], ["--touch=full"], ["--order=strict"], ["--order=serial"], ["-a", "null"]])
def test_replay_options_reach_the_engine(heaptape, threads_tape, options):
    result = heaptape("replay", threads_tape, *options, "--format=json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["operations"] > 0


TELLS = """
#include <stddef.h>
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void __libc_free(void *);
void *malloc(size_t n) { return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return __libc_realloc(p, n); }
void free(void *p) { __libc_free(p); }
size_t heaptape_metadata(void) { return 12345; }
"""


def test_what_an_allocator_tells_of_its_own_data(heaptape, tape, tmp_path):
    def told(*arguments):
        result = heaptape("replay", tape, "--memory", "--format=json", *arguments)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)["metadata_bytes"]

    (tmp_path / "tells.c").write_text(TELLS)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "libtells.so", tmp_path / "tells.c"], check=True)
    assert told("-a", f"tells={tmp_path}/libtells.so") == 12345
    assert told("-a", "libc") is None
    assert told("-a", "htmalloc") > 4096
    known = json.loads(heaptape("allocators", "--format=json").stdout)["allocators"]
    for name in {"jemalloc", "tcmalloc"} & {a["name"] for a in known if a.get("path")}:
        assert told("-a", name) > 64 << 10


def test_settings_of_an_allocator_reach_it(heaptape, tape):
    """glibc asked to fill every block with a byte touches what nobody else does."""
    plain = json.loads(heaptape("replay", tape, "--touch=none", "--format=json").stdout)
    filled = json.loads(heaptape("replay", tape, "--touch=none", "-a", "filled=libc,MALLOC_PERTURB_=85",
                                 "--format=json").stdout)
    assert filled["minor_faults"] > 1.5 * plain["minor_faults"]
    assert filled["peak_resident_bytes"] > 1.1 * plain["peak_resident_bytes"]


@pytest.mark.parametrize("command", [["replay"], ["replay", "--verify"], ["replay", "--latency"], ["bench"]])
def test_a_tape_cut_before_its_first_event_is_no_success(heaptape, tape, tmp_path, command):
    """Replaying nothing and saying ok would let --verify pass in CI on a broken file."""
    cut = tmp_path / "cut.tape"
    cut.write_bytes(open(tape, "rb").read()[:3000])
    result = heaptape(*command, cut, *(["-o", tmp_path / "results"] if command == ["bench"] else []))
    assert result.returncode == 3, result.stdout
    assert "damaged" in result.stderr and "record the program again" in result.stderr
    assert not result.stdout
