"""make install puts a heaptape that works from PREFIX; make uninstall leaves no file behind."""

import os
import subprocess

import pytest

from conftest import BUILD, ROOT


def make(*arguments):
    return subprocess.run(
        ["make", "--no-print-directory", f"B={BUILD}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    done = make("install", f"PREFIX={folder}")
    assert done.returncode == 0, done.stderr
    return folder


def installed(prefix, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "B"}
    return subprocess.run(
        [str(prefix / "bin" / "heaptape"), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, env=environment, stdin=subprocess.DEVNULL,
    )


def test_version_and_allocators(prefix):
    assert installed(prefix, "--version").stdout.strip() == "heaptape " + (ROOT / "VERSION").read_text().strip()
    listed = installed(prefix, "allocators", "--format=json")
    assert listed.returncode == 0 and str(prefix / "lib/heaptape/libhtmalloc.so") in listed.stdout


def test_the_main_job_from_prefix(prefix, tmp_path):
    out = tmp_path / "out"
    done = installed(prefix, "compare", "-o", out, "-n", "1", "-a", "htmalloc", "--", "sqlite3", ":memory:", "select 1")
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").stat().st_size > 10_000
    assert list((out / "charts").glob("*.png"))
    assert installed(prefix, "plot", out).stdout


def test_bundled_tapes_are_installed(prefix):
    tapes = sorted((prefix / "share/heaptape/corpus").glob("*.tape"))
    assert len(tapes) >= 3
    assert all(installed(prefix, "trace", "check", tape).returncode == 0 for tape in tapes)


def test_the_textbook_library_is_installed(prefix, tmp_path):
    done = subprocess.run(["cc", ROOT / "allocator/textbook/examples/mem.c", f"-I{prefix}/include", f"-L{prefix}/lib/heaptape", "-ltextbook-mem",
                           "-pthread", "-o", tmp_path / "example"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "example"], capture_output=True).returncode == 0


def test_demo_and_test_need_a_checkout(prefix):
    for command in ("demo", "test"):
        done = installed(prefix, command)
        assert done.returncode == 2 and "checkout" in done.stderr


def test_uninstall_leaves_no_file(tmp_path):
    assert make("install", "PREFIX=/usr", f"DESTDIR={tmp_path}").returncode == 0
    assert (tmp_path / "usr/bin/heaptape").exists()
    assert make("uninstall", "PREFIX=/usr", f"DESTDIR={tmp_path}").returncode == 0
    assert [p for p in tmp_path.rglob("*") if not p.is_dir()] == []
