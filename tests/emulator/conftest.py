"""One emulator per test module, and emulators without state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from nakama_bots.emulator.pytest_plugin import Nakama
from nakama_bots.emulator.server.process import EmulatorProcess


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    """A running emulator with a matchmaker that runs often."""
    with EmulatorProcess.start(matchmaker_interval=0.2, extra=("--token-expiry", "7200")) as process:
        yield process
        assert process.alive, "the emulator did not survive its tests"
    assert process.exit_code == 0
    assert "Traceback" not in process.stderr


class Fresh(Protocol):
    """Returns an emulator without any state. Those with the same options share a process, which is reset."""

    def __call__(self, *options: str, matchmaker_interval: float) -> EmulatorProcess: ...


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    processes: dict[tuple[str | float, ...], EmulatorProcess] = {}

    def find(*options: str, matchmaker_interval: float) -> EmulatorProcess:
        key = (matchmaker_interval, *options)
        if key in processes:
            Nakama(processes[key]).reset()
        else:
            extra = ("--control-port", "0", *options)
            process = EmulatorProcess.start(matchmaker_interval=matchmaker_interval, extra=extra)
            processes[key] = running.enter_context(process)
        return processes[key]

    with ExitStack() as running:
        yield find
        assert all(process.alive for process in processes.values())
    assert {process.exit_code for process in processes.values()} == {0}
