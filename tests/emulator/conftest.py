"""One emulator per test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    """A running emulator with a matchmaker that runs often."""
    with EmulatorProcess.start(matchmaker_interval=0.2, extra=("--token-expiry", "7200")) as process:
        yield process
        assert process.alive, "the emulator did not survive its tests"
    assert process.exit_code == 0
    assert "Traceback" not in process.stderr
