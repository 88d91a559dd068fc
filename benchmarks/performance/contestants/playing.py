"""The works with this project's client, for the contestants ``ours`` and ``api``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import gevent

from benchmarks.performance.contestants.stage import Stage
from nakama_bots.players.behaviours.behaviour import State
from nakama_bots.players.player import Player


def play(stage: Stage, player: Player, number: int, steps: Iterator[object] | None = None) -> None:
    """Do the work of one player, which is connected unless the work needs only its REST client.

    ``steps``: the paced steps of the round trips, as a scenario writes them; None for the ticks of the stage.
    """
    if stage.work == "E":
        _register(stage, player)
    elif stage.work in "DF":
        _match(stage, player, number)
    stage.enter()
    if stage.work == "C":
        gevent.sleep(3600)
    if stage.rate:
        gevent.sleep(stage.phase(number))
        steps = stage.ticks(number) if steps is None else steps
    socket = player.socket
    for _ in steps or repeat(None):
        stage.sent += 1
        socket.ping_pong()
        stage.received += 1


def _register(stage: Stage, player: Player) -> None:
    client = player.client
    stage.enter()
    while True:
        stage.sent += 1
        client.authenticate_device(stage.new_device_id())
        stage.received += 1


def _match(stage: Stage, player: Player, number: int) -> None:
    def received(_: State) -> None:
        stage.received += 1

    with player.join_match(name=stage.match_name(number), players=stage.group) as match:
        match.on_state(received)
        stage.enter()
        gevent.sleep(stage.phase(number))
        for tick in match.ticks(stage.rate, 3600.0):
            match.send(1, stage.state(number, tick.number))
            stage.sent += 1
