from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player
from nakama_bots.settings.target import Target

from .support import Recorder, make_player

MakePlayer = Callable[..., tuple[Player, Recorder]]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Fails a test that hangs."""
    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.1) as process:
        yield process
        assert process.alive


@pytest.fixture
def doomed() -> Iterator[EmulatorProcess]:
    """An emulator that the test kills."""
    with EmulatorProcess.start(matchmaker_interval=0.1) as process:
        yield process


@pytest.fixture
def player(emulator: EmulatorProcess) -> Iterator[MakePlayer]:
    """Creates connected players, on the module's emulator or on the server at ``url``."""
    created: list[tuple[Player, Recorder]] = []

    def make(
        identity: Identity | None = None, *, url: str = "", connect: bool = True
    ) -> tuple[Player, Recorder]:
        created.append(make_player(Target.parse(url or emulator.url), identity))
        if connect:
            created[-1][0].connect()
        return created[-1]

    yield make
    for player, recorder in created:
        player.close()
        ledger = recorder.ledger()
        ends = ("ok", "error", "timeout", "closed", "abandoned")
        assert ledger.get("ledger.sent", 0) == sum(ledger.get(f"ledger.{end}", 0) for end in ends)
        assert "ledger.unmatched" not in ledger
