"""The size classes that heaptape analyze knows of, held against the allocators themselves."""

import json

import pytest

from conftest import BUILD, ROOT

KNOWN = ("libc", "htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc")


@pytest.fixture(scope="module")
def installed(heaptape) -> dict:
    found = json.loads(heaptape("allocators", "--format=json").stdout)["allocators"]
    return {one["name"]: one["version"] for one in found}


@pytest.fixture(scope="module")
def sqlite(heaptape) -> dict:
    return json.loads(heaptape("analyze", ROOT / "traces/corpus/sqlite3.tape", "--top=1000", "--format=json").stdout)


@pytest.mark.parametrize("name", KNOWN)
def test_the_rule_is_what_the_library_does(heaptape, installed, sqlite, name):
    """malloc_usable_size() of some 40,000 sizes, all to 40,000 and around the steps above."""
    version = next(row["version"] for row in sqlite["class_waste"] if row["allocator"] == name)
    if name not in installed:
        pytest.skip(f"{name} is not installed")
    if not version.endswith(installed[name].split()[-1]):
        pytest.skip(f"{name} is {installed[name]} here, the rule is of {version}")
    done = heaptape("run", "-a", name, "--", BUILD / "tests/class_probe", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[0] > "40000" and " 0 otherwise" in done.stdout


def test_a_wrong_rule_is_found(heaptape):
    assert heaptape("run", "-a", "jemalloc", "--", BUILD / "tests/class_probe", "libc").returncode == 1


def test_classes_add_up_to_the_waste(sqlite):
    for waste in sqlite["class_waste"]:
        rows = [row for row in sqlite["classes"] if row["allocator"] == waste["allocator"]]
        assert len(rows) == min(waste["classes"], 1000)
        assert len({row["usable_bytes"] for row in rows}) == len(rows)
        assert all(row["least_requested_bytes"] <= row["usable_bytes"] for row in rows)
        if waste["classes"] > 1000:
            continue
        assert sum(row["lost_at_peak_bytes"] for row in rows) == waste["lost_at_peak_bytes"]
        assert sum(row["requested_at_peak_bytes"] for row in rows) == sqlite["peak_live_bytes"]
        assert sum(row["allocations"] for row in rows) == sqlite["allocations"] + sqlite["reallocs"]
        header = 8 if waste["allocator"] == "libc" else 0
        assert waste["headers_at_peak_bytes"] == header * sum(row["blocks_at_peak"] for row in rows)
        large = sum(row["lost_at_peak_bytes"] for row in rows if row["usable_bytes"] > 65536)
        assert large == waste["lost_at_peak_large_bytes"]


@pytest.mark.parametrize("name", ["libc", "jemalloc", "mimalloc", "tcmalloc"])
def test_a_replay_loses_as_much(heaptape, installed, sqlite, name):
    """U - R when most is asked for, as the replay measured it on the real allocator. (htmalloc loses more: it may keep a
    realloc's larger block, and gives a larger one where its own class has none free.)"""
    if name not in installed:
        pytest.skip(f"{name} is not installed")
    replay = json.loads(heaptape("replay", ROOT / "traces/corpus/sqlite3.tape", "--memory", "-a", name, "--format=json").stdout)
    lost = replay["peak_usable_bytes"] - replay["peak_requested_bytes"]
    told = next(row["lost_at_peak_bytes"] for row in sqlite["class_waste"] if row["allocator"] == name)
    assert told == pytest.approx(lost, rel=0.1)
