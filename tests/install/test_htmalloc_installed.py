"""htmalloc from an installed prefix: its header, pkg-config file, shared object and archive, by its own examples."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT

EXAMPLES = ROOT / "allocator" / "htmalloc" / "examples"
SAYS = {
    "private_heap.c": [
        r"whole: 8 words, one of them 3 times, 0 refused, \d+ bytes",
        r"limited: [1-9] words, one of them 3 times, \d+ refused, (1\d\d|200) bytes",
    ],
    "where.c": [
        r"live \d{6,}, free in runs \d{5,}, parts add up to what is mapped",
        r"most are of 208 bytes: \d{3} in use, \d{3,} free",
        r"trim gave something back: yes; the heap is valid",
    ],
    "prefixed.cc": [r"sum 4999950000, on htmalloc", r"bad_alloc where there is no memory"],
}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    command = ["make", "--no-print-directory", f"B={BUILD}", "install", f"PREFIX={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def package(prefix):
    """package("--cflags"): what pkg-config says of the installed htmalloc, in words."""
    if shutil.which("pkg-config") is None:
        pytest.skip("pkg-config is not installed")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))

    def ask(*words):
        command = ["pkg-config", *words, "htmalloc"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    return ask


def compiler_of(source):
    return ["g++", "-std=c++17"] if source.suffix == ".cc" else ["gcc", "-std=c11"]


def compiled(source, target, *flags):
    command = [*compiler_of(source), "-Wall", "-Wextra", "-Werror", "-O1", str(source), "-o", str(target), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run(program, **variables):
    done = subprocess.run([str(program)], env=dict(os.environ, **variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_each_example_is_known():
    assert {path.name for path in EXAMPLES.iterdir()} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_examples_on_the_shared_object(prefix, package, tmp_path, name):
    program = compiled(EXAMPLES / name, tmp_path / "program", *package("--cflags", "--libs"))
    for line, expected in zip(run(program, LD_LIBRARY_PATH=str(prefix / "lib")), SAYS[name], strict=True):
        assert re.fullmatch(expected, line), line


@pytest.mark.parametrize("name", sorted(SAYS))
def test_examples_on_the_archive(package, tmp_path, name):
    archive = package("--variable=archive")
    program = compiled(EXAMPLES / name, tmp_path / "program", *package("--cflags"), *archive, "-pthread")
    for line, expected in zip(run(program), SAYS[name], strict=True):
        assert re.fullmatch(expected, line), line


def test_a_static_program(package, tmp_path):
    program = compiled(
        EXAMPLES / "where.c", tmp_path / "program", "-static", *package("--cflags", "--libs", "--static")
    )
    assert re.fullmatch(SAYS["where.c"][0], run(program)[0])


def test_the_version_is_the_projects(package):
    assert package("--modversion") == [(ROOT / "VERSION").read_text().strip()]


def test_the_archive_has_no_other_names_to_clash_with(prefix):
    listed = subprocess.run(
        ["nm", "-g", "--defined-only", prefix / "lib/libhtmalloc.a"], capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", listed, re.M)
    assert len(names) > 20 and all(name.startswith("ht_") for name in names), names


def test_a_program_with_names_like_the_librarys_own(package, tmp_path):
    """What is global inside the library must not meet the program's."""
    source = tmp_path / "names.c"
    source.write_text(
        "#include <htmalloc.h>\n"
        "int options = 7, segment_map = 8, footprint = 9;\n"
        "int span_take(void); int span_take(void) { return 1; }\n"
        "int main(void) { ht_free(ht_malloc(10)); return options + segment_map + footprint + span_take() - 25; }\n"
    )
    archive = package("--variable=archive")
    run(compiled(source, tmp_path / "program", *package("--cflags"), *archive, "-pthread"))


def test_the_shared_object_takes_over_malloc(prefix, package, tmp_path):
    source = tmp_path / "malloc.c"
    source.write_text(
        "#include <htmalloc.h>\n#include <stdlib.h>\n"
        "int main(void) { void *volatile block = malloc(100000); struct ht_stats s; ht_stats(&s);\n"
        "    int ours = s.live >= 100000; free(block); ht_free(malloc(1)); free(ht_malloc(1)); return !ours; }\n"
    )
    run(compiled(source, tmp_path / "program", *package("--cflags", "--libs")), LD_LIBRARY_PATH=str(prefix / "lib"))
