"""heaptape allocators and doctor: what is found, and what is said about what is not."""

import csv
import io
import json
import os
import shutil
import subprocess

import pytest

from driver_help import BROKEN, make_tape, one_line, results_of

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


# ---- described ---------------------------------------------------------------------------------------------


@pytest.fixture
def library(build, tmp_path):
    """A folder with htmalloc under awkward names."""
    for name in ("libmine.so", "lib,x=1.so", "libb.so,Y=2"):
        shutil.copy(build / "lib/heaptape/libhtmalloc.so", tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("spec, name, path, environment", [
    ("mine=./libmine.so", "mine", "libmine.so", []),
    ("./libmine.so", "mine", "libmine.so", []),
    ("./libmine.so,A=1", "mine+A", "libmine.so", ["A=1"]),
    ("~/libmine.so", "mine", "libmine.so", []),
    ("m=~/libmine.so,A=1", "m", "libmine.so", ["A=1"]),
    ("m=./libmine.so,A=1,B=x:1,y:2,C=", "m", "libmine.so", ["A=1", "B=x:1,y:2", "C="]),
    ("m=./libmine.so,A=a\\,B=2", "m", "libmine.so", ["A=a,B=2"]),
    ("m=./libmine.so,A=k=v=w", "m", "libmine.so", ["A=k=v=w"]),
    ("m=./lib,x=1.so", "m", "lib,x=1.so", []),
    ("m=./lib,x=1.so,A=1", "m", "lib,x=1.so", ["A=1"]),
    ("m=./libb.so,Y=2", "m", "libb.so,Y=2", []),
    ("m=./libb.so\\,Y=2,Y=3", "m", "libb.so,Y=2", ["Y=3"]),
    ("libc,GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1", "libc+GLIBC_TUNABLES", None,
     ["GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"]),
    ("quiet=libc,MALLOC_ARENA_MAX=1,MALLOC_PERTURB_=7", "quiet", None, ["MALLOC_ARENA_MAX=1", "MALLOC_PERTURB_=7"]),
    ("ht2=htmalloc,HTMALLOC_OPTIONS=verbose=0", "ht2", "htmalloc", ["HTMALLOC_OPTIONS=verbose=0"])])
def test_descriptions(heaptape, build, library, spec, name, path, environment):
    result = heaptape("allocators", "-a", spec, "--format=json", cwd=library, env=dict(os.environ, HOME=str(library)))
    entry = listed(result)[name]
    expected = {None: "", "htmalloc": str(build / "lib/heaptape/libhtmalloc.so")}.get(path, str(library / str(path)))
    assert entry["path"] == expected and entry["environment"] == environment
    assert entry["version"] and not entry["is_floor"]


def test_the_same_description_twice_has_two_names(heaptape):
    found = listed(heaptape("allocators", "-a", "libc,A=1", "-a", "libc,A=2", "--format=json"))
    assert found["libc+A"]["environment"] == ["A=1"] and found["libc+A-2"]["environment"] == ["A=2"]


def test_the_environment_reaches_the_program(heaptape):
    result = heaptape("run", "-a", "m=libc,HEAPTAPE_A=1,x,HEAPTAPE_B=2=3", "--", "env")
    lines = result.stdout.splitlines()
    assert "HEAPTAPE_A=1,x" in lines and "HEAPTAPE_B=2=3" in lines


def test_version_package_and_build(heaptape, library):
    found = listed(heaptape("allocators", "-a", "m=./libmine.so", "--format=json", cwd=library))
    # nothing tells the version of a copy under another name but its build
    assert found["m"]["version"] == "build " + found["m"]["build_id"][:12]
    assert found["m"]["build_id"] == found["htmalloc"]["build_id"] and len(found["m"]["build_id"]) == 40
    notes = subprocess.run(["readelf", "-n", library / "libmine.so"], capture_output=True, text=True)
    if notes.returncode == 0:
        assert f"Build ID: {found['m']['build_id']}" in notes.stdout
    if "jemalloc" in found and shutil.which("dpkg-query"):
        version = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "libjemalloc2"], capture_output=True, text=True)
        assert found["jemalloc"]["package"] == f"libjemalloc2 {version.stdout}"
    assert found["m"]["package"] == found["libc"]["package"] == ""


def test_a_file_of_named_ones(heaptape, library, tmp_path):
    own = tmp_path / "config/heaptape"
    own.mkdir(parents=True)
    (own / "allocators").write_text("# mine\n\n  tuned = x\n".replace("tuned = x", "tuned=libc,A=1  "))
    (library / "some.allocators").write_text("rel=./libmine.so,B=2,c\n#x=y\ncommas=./lib,x=1.so\nht=htmalloc\n")
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path / "config"))
    named = f"--allocators={library}/some.allocators"
    found = listed(heaptape("allocators", named, "--format=json", env=env, cwd="/"))
    assert found["rel"]["path"] == str(library / "libmine.so") and found["rel"]["environment"] == ["B=2,c"]
    assert found["commas"]["path"] == str(library / "lib,x=1.so") and found["ht"]["path"].endswith("libhtmalloc.so")
    assert found["tuned"]["environment"] == ["A=1"]
    # by name, with more variables, in other tools
    found = listed(heaptape("allocators", named, "-a", "rel,D=4", "-a", "mine=tuned,A=9", "--format=json", env=env))
    assert found["rel+D"]["environment"] == ["B=2,c", "D=4"] and found["mine"]["environment"] == ["A=1", "A=9"]
    result = heaptape("run", "-a", "tuned", "--", "env", env=env)
    assert "A=1" in result.stdout.splitlines()
    assert "rel" not in listed(heaptape("allocators", "--format=json", env=env))  # nothing unasked from elsewhere


def test_a_file_in_a_bench(heaptape, library, tmp_path):
    (library / "list").write_text("mine=libmine.so\n".replace("libmine", "./libmine"))
    tape = make_tape(tmp_path / "t.tape", events=5000)
    result = heaptape("bench", tape, "-n", 1, f"--allocators={library}/list", "-a", "mine", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    entry = next(a for a in results_of(tmp_path / "r")["allocators"] if a["name"] == "mine")
    assert entry["path"] == str(library / "libmine.so") and entry["version"] == "build " + entry["build_id"][:12]


@pytest.mark.parametrize("line, status, word", [
    ("./libmine.so", 2, "NAME=PATH"), ("a=", 2, "missing"), ("=./libmine.so", 2, "no name"),
    ("a b=./libmine.so", 2, "no name"), ("jemalloc=./libmine.so", 2, "heaptape's own"), ("x=unheard", 2, "neither"),
    ("x=libc,NOVALUE", 2, "ENV=VALUE"), ("one=libc\none=libc", 2, "described in"), ("x=./gone.so", 4, "No such file"),
    ("x=./list", 4, "loader")])
def test_errors_of_a_file_have_their_line(heaptape, library, line, status, word):
    path = library / "list"
    path.write_text(f"# remarks\n\n{line}\n")
    number = 4 if "\n" in line else 3
    result = heaptape("allocators", f"--allocators={path}")
    message = one_line(result.stderr, "allocators")
    assert result.returncode == status and f"{path}:{number}: " in message and word in message


def test_the_users_own_file_stops_nothing(heaptape, tmp_path):
    own = tmp_path / "heaptape"
    own.mkdir()
    (own / "allocators").write_text("gone=./gone.so\ngood=libc,A=1\n")
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path))
    result = heaptape("allocators", "--format=json", env=env)
    assert "good" in listed(result) and "gone" not in listed(result)
    assert "left out" in one_line(result.stderr, "allocators")
    result = heaptape("allocators", "-a", "gone", env=env)
    assert result.returncode == 4
    result = heaptape("allocators", "--allocators=/no/such/file")
    assert result.returncode == 4 and "/no/such/file" in one_line(result.stderr, "allocators")


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
