"""An emulator per module, and humans on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from players.support import make_player, new_identity

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.player import Player
from nakama_bots.settings.target import Target


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.2) as process:
        yield process


@pytest.fixture
def human(emulator: EmulatorProcess) -> Iterator[Callable[[], Player]]:
    players: list[Player] = []

    def make() -> Player:
        players.append(make_player(Target.parse(emulator.url), new_identity())[0])
        players[-1].connect()
        return players[-1]

    yield make
    for player in players:
        player.close()
