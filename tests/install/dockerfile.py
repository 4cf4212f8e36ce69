"""The Dockerfile's instructions, and a clean Debian 12 in which to carry them out without Docker.

Root is needed. Nothing of it outlives the run: mounts are made in mount namespaces of their own, which end with the command, and
the folder is removed without leaving its file system.
"""

import json
import pathlib
import shlex
import shutil
import subprocess
import tempfile

KNOWN = ("FROM", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD")
FROM_HOST = ("etc/resolv.conf", "etc/hosts")  # how to reach the packages


def instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, the rest), continued lines joined. ValueError at one that is not known here."""
    found, pending = [], ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pending += line.rstrip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        word, _, rest = pending.strip().partition(" ")
        if word not in KNOWN:
            raise ValueError(f"{word}: an instruction that the test cannot carry out")
        found.append((word, rest.strip()))
        pending = ""
    return found


class Chroot:
    """A folder with a minimal Debian."""

    def __init__(self, release: str, mirror: str = "http://deb.debian.org/debian"):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="heaptape-dockerfile-", dir="/var/tmp"))
        self.work = "/"
        try:
            self._apart("debootstrap", "--variant=minbase", release, self.root, mirror)
        except BaseException:
            self.remove()
            raise
        for name in FROM_HOST:
            if pathlib.Path("/", name).exists():
                shutil.copy(f"/{name}", self.root / name)

    @staticmethod
    def _apart(*words, check=True):
        """In a mount namespace of its own, whose mounts nobody else sees."""
        return subprocess.run(["unshare", "--mount", "--propagation=private", *map(str, words)], check=check, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)

    def run(self, command: str):
        """As `sh -c` in the folder that WORKDIR named; its output, or CalledProcessError with it."""
        inside = f"cd {shlex.quote(self.work)} && {command}"
        mounts = ('mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev/shm" && '
                  'exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin sh -c "$2"')
        return self._apart("sh", "-c", mounts, "sh", self.root, inside)

    def work_in(self, folder: str):
        self.work = folder
        (self.root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def copy(self, checkout: pathlib.Path, words: list[str]):
        *sources, target = words
        place = self.root / self.work.lstrip("/") / target
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *sources], cwd=checkout, capture_output=True,
                                text=True, check=True).stdout.splitlines()
        for name in listed:
            if (checkout / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(checkout / name, place / name)

    def carry_out(self, checkout: pathlib.Path, steps: list[tuple[str, str]]):
        """Everything but FROM, in order. Returns what ENTRYPOINT and CMD say."""
        last = {"ENTRYPOINT": [], "CMD": []}
        for word, rest in steps:
            if word == "WORKDIR":
                self.work_in(rest)
            elif word == "COPY":
                self.copy(checkout, shlex.split(rest))
            elif word == "RUN":
                self.run(rest)
            elif word in last:
                last[word] = json.loads(rest)
        return last["ENTRYPOINT"], last["CMD"]

    def remove(self):
        mounted = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if f" {self.root}/" in line]
        if mounted:
            subprocess.run(["umount", "-R", self.root], check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=True)
