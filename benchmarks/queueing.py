"""A server module for the emulator with a known capacity: the RPC ``work`` of ``benchmarks.capacity``.

QUEUE is its law: ``cliff:K`` answers at once while at most K players call, and after ``SLOW`` seconds above;
``queue:C:S`` is C servers with exponential service times of S seconds on average and one queue.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nakama_bots.emulator.runtime.functions import RpcContext
    from nakama_bots.emulator.runtime.initializer import Initializer
    from nakama_bots.emulator.runtime.nk import Nk

SLOW: Final = 0.4
"""Far above the limit of the gate, so that a stall of the machine is not taken for the cliff."""


class Cliff:
    """Answers at once up to a number of players; a player counts from its first call to its leaving."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._players: set[str] = set()

    def seconds(self, player: str) -> float:
        """Return how long a call takes."""
        self._players.add(player)
        return SLOW if len(self._players) > self._most else 0.0

    def left(self, player: str) -> None:
        """Called when a session has ended."""
        self._players.discard(player)


class Queue:
    """``servers`` with one queue, computed: a call that sleeps too long does not delay the next."""

    def __init__(self, servers: int, service: float) -> None:
        self._free = [0.0] * servers
        self._service = service
        # Another sequence in each run: searches with the same one would not be independent.
        self._random = random.Random()

    def seconds(self, _: str) -> float:
        """Return how long a call takes."""
        now = monotonic()
        done = max(now, heapq.heappop(self._free)) + self._random.expovariate(1 / self._service)
        heapq.heappush(self._free, done)
        return done - now

    def left(self, player: str) -> None:
        """Called when a session has ended."""


def init_module(nk: Nk, initializer: Initializer) -> None:  # noqa: ARG001 - the emulator's signature
    """Register the RPC."""
    law, *numbers = os.environ["QUEUE"].split(":")
    server = Cliff(int(numbers[0])) if law == "cliff" else Queue(int(numbers[0]), float(numbers[1]))

    async def work(context: RpcContext, payload: str) -> str:
        await asyncio.sleep(server.seconds(context.session_id))
        return payload

    initializer.register_rpc(work, "work")
    initializer.register_event_session_end(lambda context, _: server.left(context.session_id))
