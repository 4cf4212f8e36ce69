"""What an entry of the list is: a real program, what it is given, and what is compared."""

import dataclasses
import shutil
import subprocess


@dataclasses.dataclass(frozen=True)
class Normalise:
    """Something that differs from one plain run to the next, with the reason. The runner proves the need: it
    runs the program twice without us, and a rule without which both runs are the same is an error."""

    where: str  # stdout, stderr, or a pattern of the names of files left in the work folder
    pattern: str  # a regular expression, over bytes
    replacement: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Program:
    """One entry. Commands run in an empty folder that holds `files`; whatever they leave there is compared, and
    stdout, stderr and the exit status with it. HOME and TMPDIR are empty folders beside it, not compared."""

    name: str
    kind: str
    packages: str  # Debian's, by blanks
    command: tuple | str  # a str is a script for sh -eu
    sees: str = ""  # programs of which a tape must be there, by blanks; where there is no script: the command
    files: dict = dataclasses.field(default_factory=dict)  # name: str, bytes, or a function that makes either
    stdin: object = b""  # str, bytes or a function
    environment: dict = dataclasses.field(default_factory=dict)
    prepare: str = ""  # a script for sh -eu, run before each run, neither recorded nor compared
    status: int = 0  # the exit status, as a shell has it
    shows: str = ""  # must occur in stdout: that the program did what the entry is for
    ignore: dict = dataclasses.field(default_factory=dict)  # pattern of file names: why they are not compared
    normalise: tuple = ()
    says: str = ""  # a regular expression: the line in which the recorder says what it cannot see
    refused: str = ""  # a regular expression: the one line, with exit status 4, and nothing is run
    breaks_on: dict = dataclasses.field(default_factory=dict)  # allocators by name: why it crashes on them
    user: str = ""  # where root runs the list, the program is run as this user instead
    seconds: int = 30  # plain; under a recorder or an allocator three times as long
    note: str = ""  # what makes it worth having

    @property
    def argv(self) -> list:
        return ["sh", "-euc", self.command] if isinstance(self.command, str) else list(self.command)

    @property
    def seen(self) -> list:
        if self.sees or self.refused:
            return self.sees.split()
        return [self.argv[0].rsplit("/", 1)[-1]]


def content(value) -> bytes:
    """The bytes of a file or of stdin: given as they are, as text, or as a function that makes either."""
    value = value() if callable(value) else value
    return value.encode() if isinstance(value, str) else value


def installed_packages() -> set | None:
    """Debian's installed packages; None where there is no dpkg to ask."""
    if not shutil.which("dpkg-query"):
        return None
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Status} ${Package}\n"], capture_output=True, text=True, check=True
    )
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("installed ")}


def missing(program: Program, installed: set | None) -> list:
    """The packages of an entry that are not there. Without dpkg: its programs that are not on PATH."""
    if installed is None:
        return [word for word in program.seen if not shutil.which(word)]
    return [package for package in program.packages.split() if package not in installed]
