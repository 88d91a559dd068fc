from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.record.capture.proxy import RecordingProxy

from .support import recorder

MakeRecorder = Callable[..., RecordingProxy]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Fail a test that hangs."""
    with gevent.Timeout(300, AssertionError("the test hangs")):
        yield


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorProcess]:
    long = ("--token-expiry", "7200", "--refresh-token-expiry", "86400")
    with EmulatorProcess.start(matchmaker_interval=0.1, extra=long) as process:
        yield process
        assert process.alive


@pytest.fixture
def record(emulator: EmulatorProcess) -> Iterator[MakeRecorder]:
    """Create recorders in front of the emulator, or of another server."""
    made: list[RecordingProxy] = []

    def make(url: str = "", **options: object) -> RecordingProxy:
        made.append(recorder(url or emulator.url, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()
