"""The Dockerfile does what README says, and its steps work on a clean Debian 12 (make test-dockerfile)."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from dockerfile import Chroot, instructions

STEPS = instructions((ROOT / "Dockerfile").read_text())


def runs():
    return [rest for word, rest in STEPS if word == "RUN"]


def test_the_steps_are_the_documented_ones():
    """The set-up is the command's own, from the two files that it needs, before anything else is copied; then make and make
    install, which README names."""
    readme = (ROOT / "README.md").read_text()
    assert STEPS[0] == ("FROM", "debian:12")
    assert [re.sub(r" && rm -rf /var/lib/apt/lists/\*$", "", step) for step in runs()] == ["./heaptape setup", "make -j2", "make install"]
    order = [(word, rest) for word, rest in STEPS if word in ("COPY", "RUN")]
    assert order[0] == ("COPY", "heaptape VERSION ./") and order[2] == ("COPY", ". .")
    assert "make setup" in readme and "make install" in readme and "docker build" in readme
    for name in ("heaptape", "VERSION"):
        assert (ROOT / name).is_file()


def test_what_is_built_stays_out_of_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {"build", "build-*", ".git"} <= set(ignored)


def test_the_set_up_works_from_those_two_files_alone(tmp_path):
    """Where nothing is missing it says nothing; a name that apt does not know stops it with status 4."""
    for name in ("heaptape", "VERSION"):
        shutil.copy(ROOT / name, tmp_path / name)
    calls = tmp_path / "apt"
    calls.mkdir()
    (calls / "dpkg-query").write_text("#!/bin/sh\nfor last; do :; done\n[ \"$last\" = make ] || echo 'install ok installed'\n")
    (calls / "apt-get").write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\n")
    (calls / "id").write_text("#!/bin/sh\necho 0\n")
    for tool in calls.iterdir():
        tool.chmod(0o755)
    done = subprocess.run([tmp_path / "heaptape", "setup"], capture_output=True, text=True,
                          env=dict(os.environ, PATH=f"{calls}:{os.environ['PATH']}"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().splitlines()[-1].split()[-1] == "make"


@pytest.mark.parametrize("text, message", [("FROM debian:12\nADD x y\n", "ADD"), ("FROM a\nHEALTHCHECK NONE\n", "HEALTHCHECK")])
def test_an_instruction_that_is_not_known(text, message):
    with pytest.raises(ValueError, match=message):
        instructions(text)


def test_continued_lines():
    assert instructions("FROM a\n# no\nRUN one \\\n  && two\n") == [("FROM", "a"), ("RUN", "one   && two")]


@pytest.mark.skipif(not os.environ.get("HEAPTAPE_DOCKERFILE"), reason="takes minutes and packages from the network: make test-dockerfile")
def test_every_step_on_a_clean_debian():
    if os.geteuid() != 0:
        pytest.skip("making a chroot needs root")
    if not shutil.which("debootstrap"):
        pytest.skip("no debootstrap: apt-get install debootstrap")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here (a container?)")
    chroot = Chroot("bookworm")
    try:
        entry, command = chroot.carry_out(ROOT, STEPS)
        assert "compare" in chroot.run(" ".join(entry + command)).stdout
        listed = chroot.run(f"{entry[0]} allocators").stdout
        for name in ("htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc", "best-fit"):
            assert re.search(rf"^ *{name} +/", listed, re.M), listed
        chroot.run(f"{entry[0]} compare -o out -n 1 -- sqlite3 :memory: 'select 1'")
        assert (chroot.root / "data/out/report.html").stat().st_size > 10_000
    except subprocess.CalledProcessError as failed:
        pytest.fail(f"{failed.cmd[-1]}\n{failed.stdout[-3000:]}")
    finally:
        chroot.remove()
    assert not chroot.root.exists()
