"""What heaptape report and heaptape animate have in common on the command line: options, one-line errors, exit statuses."""

from __future__ import annotations

import argparse
import logging
import os
import pathlib
import sys
from typing import Callable, NoReturn

EXIT_USAGE, EXIT_BAD_INPUT, EXIT_ENVIRONMENT, EXIT_INTERRUPTED = 2, 3, 4, 130


def fail(command: str, status: int, message: str) -> NoReturn:
    print(f"heaptape {command}: {message}", file=sys.stderr)
    raise SystemExit(status)


def version() -> str:
    """From the VERSION file: share/heaptape's once installed, the checkout's otherwise."""
    here = pathlib.Path(__file__).absolute().parent
    for place in (here.parent / "VERSION", here.resolve().parent.parent / "VERSION"):
        if place.is_file():
            return place.read_text().strip()
    return "unknown"


def say(command: str, text: str) -> None:
    """Text to stdout. A closed pipe (| head) has had what it wanted."""
    if sys.stdout is None or not text:  # None: it was closed before the start
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in its buffer goes there at exit
        if not isinstance(error, BrokenPipeError):
            fail(command, EXIT_ENVIRONMENT, f"cannot write to stdout: {error.strerror}")


class Parser(argparse.ArgumentParser):
    """Speaks as every heaptape command does: examples first in its help, one line for an error, exit 2."""

    def __init__(self, command: str, text: str):
        super().__init__(prog=f"heaptape {command}", allow_abbrev=False)
        self.command, self.text = command, text
        self.add_argument("--version", action="version", version=f"heaptape {version()}")

    def parse_args(self, arguments: list[str]) -> argparse.Namespace:
        """A value may begin with a dash, as with getopt: "-o -x" is "-o" and its value."""
        joined, words = [], iter(arguments)
        for word in words:
            action = self._option_string_actions.get(word)
            value = next(words, None) if action is not None and action.nargs is None else None
            joined.append(word if value is None else f"{max(action.option_strings, key=len)}={value}")
            if word == "--":
                break
        return super().parse_args([*joined, *words])

    def format_help(self) -> str:
        return self.text

    def error(self, message: str) -> NoReturn:
        fail(self.command, EXIT_USAGE, f"{message}; see heaptape {self.command} --help")

    def _print_message(self, message: str, file=None) -> None:
        say(self.command, message)


def run(command: str, main: Callable[[list[str]], int]) -> NoReturn:
    """main() on the arguments, with an end in one line for what any part of it may meet."""
    if sys.stderr is None:  # it was closed before the start
        sys.stderr = open(os.devnull, "w")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where its cache lies is not our reader's business
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        os._exit(EXIT_INTERRUPTED)  # without waiting for what is still being drawn
    except MemoryError:
        fail(command, EXIT_ENVIRONMENT, "out of memory: free some, or raise ulimit -v")
