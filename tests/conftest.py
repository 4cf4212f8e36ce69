"""What every test shares: where the checkout and its build are, and how to call the command."""

import os
import pathlib
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A job started in the background inherits an ignored SIGINT, and so would the programs that the tests
# interrupt. A handler here means the default for them.
signal.signal(signal.SIGINT, signal.default_int_handler)

BUILD = pathlib.Path(os.environ.get("B") or ROOT / "build").resolve()


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def build() -> pathlib.Path:
    return BUILD


@pytest.fixture(scope="session")
def heaptape():
    """heaptape("trace", "info", path) -> CompletedProcess with text output; keyword arguments go to run()."""

    def call(*arguments, **options):
        options.setdefault("capture_output", True)
        options.setdefault("text", True)
        options.setdefault("timeout", 300)
        options.setdefault("stdin", subprocess.DEVNULL)
        environment = dict(options.pop("env", None) or os.environ)
        environment["B"] = str(BUILD)
        return subprocess.run(
            [str(ROOT / "heaptape"), *map(str, arguments)], env=environment, check=False, **options
        )

    return call
