"""heaptape allocators and doctor: what is found, and what is said about what is not."""

import csv
import io
import json
import os
import shutil

import pytest

from driver_help import BROKEN, one_line

OWN = ["libc", "htmalloc", "null"]


def listed(result):
    assert result.returncode == 0, result.stderr
    return {entry["name"]: entry for entry in json.loads(result.stdout)["allocators"]}


def test_own_allocators_are_found(heaptape, build):
    found = listed(heaptape("allocators", "--format=json"))
    assert list(found)[0] == "libc" and list(found)[-1] == "null"
    assert set(OWN) <= set(found)
    assert found["libc"]["path"] == ""
    assert found["htmalloc"]["path"] == str(build / "lib/heaptape/libhtmalloc.so")
    assert [name for name, entry in found.items() if entry["is_floor"]] == ["null"]
    assert all(entry["version"] for entry in found.values())


@pytest.mark.parametrize("name, soname", [("jemalloc", "libjemalloc.so.2"), ("mimalloc", "libmimalloc.so.2"),
                                          ("tcmalloc", "libtcmalloc_minimal.so.4"),
                                          ("tbbmalloc", "libtbbmalloc_proxy.so.2")])
def test_those_of_the_system_are_found_with_their_versions(heaptape, name, soname):
    path = next((f"{d}/{soname}" for d in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
                 if os.path.exists(f"{d}/{soname}")), None)
    if not path:
        pytest.skip(f"{soname} is not installed")
    entry = listed(heaptape("allocators", "--format=json"))[name]
    assert os.path.samefile(entry["path"], path)
    assert any(digit in entry["version"] for digit in "0123456789")


def test_table_and_csv_hold_the_same(heaptape):
    names = list(listed(heaptape("allocators", "--format=json")))
    rows = list(csv.DictReader(io.StringIO(heaptape("allocators", "--format=csv").stdout)))
    assert [row["name"] for row in rows] == names
    table = heaptape("allocators").stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == names


def test_named_by_path(heaptape):
    jemalloc = listed(heaptape("allocators", "--format=json")).get("jemalloc")
    if not jemalloc:
        pytest.skip("no jemalloc here")
    found = listed(heaptape("allocators", "-a", f"mine={jemalloc['path']},MALLOC_CONF=narenas:1,tcache:false,A=2",
                            "-a", "other=jemalloc", "--format=json"))
    assert os.path.samefile(found["mine"]["path"], jemalloc["path"])
    assert found["mine"]["version"] == found["other"]["version"] == jemalloc["version"]


def test_an_unknown_name_lists_those_there_are(heaptape):
    result = heaptape("allocators", "-a", "nomalloc")
    assert result.returncode == 2
    message = one_line(result.stderr, "allocators")
    assert "nomalloc" in message
    assert all(name in message for name in OWN + ["jemalloc", "mimalloc", "tcmalloc", "tbbmalloc"])


def test_a_path_that_does_not_load_comes_with_the_loaders_words(heaptape, tmp_path):
    torn = tmp_path / "libtorn.so"
    torn.write_bytes(b"\x7fELF and nothing more")
    result = heaptape("allocators", "-a", f"torn={torn}")
    assert result.returncode == 4
    message = one_line(result.stderr, "allocators")
    assert str(torn) in message and "loader says" in message

    result = heaptape("allocators", "-a", f"gone={tmp_path}/libgone.so")
    assert result.returncode == 4 and "No such file" in one_line(result.stderr, "allocators")


def test_a_library_without_malloc_is_refused(heaptape):
    for path in ("/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6"):
        if os.path.exists(path):
            result = heaptape("allocators", "-a", f"m={path}")
            assert result.returncode == 4 and "no malloc" in one_line(result.stderr, "allocators")
            return
    pytest.skip("no libm.so.6 where it is looked for")


def test_one_that_crashes_at_once_is_told_and_kept(heaptape):
    result = heaptape("allocators", "-a", f"bad={BROKEN['start']}", "--format=json")
    assert listed(result)["bad"]["path"] == str(BROKEN["start"])
    assert "crashes" in one_line(result.stderr, "allocators")


@pytest.mark.parametrize("arguments", [["--nope"], ["--format=xml"], ["-a"], ["extra"], ["-a", "a$b=/lib/y.so"],
                                       ["-a", "=/lib/y.so"], ["-a", "htmalloc=jemalloc"],
                                       ["-a", "x=libc,NOVALUE"]])
def test_usage_errors(heaptape, arguments):
    result = heaptape("allocators", *arguments)
    assert result.returncode == 2 and result.stdout == ""
    one_line(result.stderr, "allocators")


@pytest.mark.parametrize("command", ["allocators", "bench", "diff", "doctor", "live", "replay", "run", "stats"])
def test_help_begins_with_examples(heaptape, command):
    result = heaptape(command, "--help")
    assert result.returncode == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "Examples:"
    assert sum(line.startswith(f"  heaptape {command}") for line in lines[1:4]) >= 2
    assert max(map(len, lines)) <= 110
    version = heaptape(command, "--version")
    assert version.returncode == 0 and version.stdout.startswith(f"heaptape {command} ")


def test_doctor_names_what_is_there(heaptape):
    result = heaptape("doctor", "--format=json")
    report = json.loads(result.stdout)
    states = {finding["what"]: finding["state"] for finding in report["findings"]}
    assert {"libc", "htmalloc", "null", "gcc", "gnuplot", "hyperfine", "memory files", "noise"} <= set(states)
    needed = [what for what, state in states.items() if state == "needed"]
    assert report["main_job_can_run"] == (not needed)
    assert result.returncode == (4 if needed else 0)
    for finding in report["findings"]:
        assert finding["advice"] or finding["state"] == "ok", finding


def test_doctor_gives_the_command_for_what_is_missing(heaptape, tmp_path):
    """On a PATH that has a shell but neither hyperfine nor gnuplot."""
    for tool in ("sh", "readlink", "dirname", "cat", "basename"):
        os.symlink(shutil.which(tool), tmp_path / tool)
    result = heaptape("doctor", env=dict(os.environ, PATH=str(tmp_path)))
    assert "apt-get install" in result.stdout
    for line in result.stdout.splitlines():
        if line.startswith("Everything that is missing:"):
            assert " gnuplot-nox" in line and " hyperfine" in line
            break
    else:
        pytest.fail("no command for all that is missing:\n" + result.stdout)
