from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player
from nakama_bots.settings.target import Target

from .support import Heard, make_player

MakePlayer = Callable[..., tuple[Player, Heard]]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """A test that hangs fails instead."""
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
    """Makes connected players; with ``url`` on another server than the module's emulator."""
    made: list[tuple[Player, Heard]] = []

    def make(identity: Identity | None = None, *, url: str = "", connect: bool = True) -> tuple[Player, Heard]:
        made.append(make_player(Target.parse(url or emulator.url), identity))
        if connect:
            made[-1][0].connect()
        return made[-1]

    yield make
    for player, heard in made:
        player.close()
        ledger = heard.ledger()
        ends = ("ok", "error", "timeout", "closed", "abandoned")
        assert ledger.get("ledger.sent", 0) == sum(ledger.get(f"ledger.{end}", 0) for end in ends)
        assert "ledger.unmatched" not in ledger
