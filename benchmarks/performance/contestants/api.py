"""The client of this project without Locust, without a recorder and without any other observer."""

from __future__ import annotations

from typing import Final

from benchmarks.performance.contestants import playing
from benchmarks.performance.contestants.stage import Stage
from nakama_bots.observer import NullObserver
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

STAGE: Final = Stage()
WORLD: Final = World(
    Target.parse(STAGE.url), Credentials(server_key=STAGE.server_key), Timeouts(), Network(), NullObserver()
)
KEPT: Final[list[Player]] = []


def play(number: int) -> None:
    """Do the work of one player."""
    player = Player(WORLD, Identity(STAGE.prefix, 1, 0, number))
    KEPT.append(player)
    if STAGE.work != "E":
        player.connect()
    playing.play(STAGE, player, number)


if __name__ == "__main__":
    STAGE.play(play)
