"""Locust patches the standard library when it is imported: not in the process that runs all tests."""

import os
from collections.abc import Iterator

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

_NAME = "LOCUST_SKIP_MONKEY_PATCH"
_before = os.environ.get(_NAME)
os.environ[_NAME] = "1"
import locust  # noqa: E402, F401

if _before is None:
    del os.environ[_NAME]


@pytest.fixture(scope="package")
def emulator() -> Iterator[EmulatorProcess]:
    """One emulator for all tests that only need a server: it takes as long to start as a short run."""
    with EmulatorProcess.start(matchmaker_interval=0.2) as process:
        yield process
