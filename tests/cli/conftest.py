"""A server that several test modules of a subcommand use, and humans on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bots.support import make_player, new_identity

from nakama_bots.bots.player import Player
from nakama_bots.config import Target
from nakama_bots.emulator.process import EmulatorProcess


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.2) as process:
        yield process


@pytest.fixture
def human(emulator: EmulatorProcess) -> Iterator[Callable[[], Player]]:
    made: list[Player] = []

    def make() -> Player:
        made.append(make_player(Target.parse(emulator.url), new_identity())[0])
        made[-1].connect()
        return made[-1]

    yield make
    for one in made:
        one.close()
