"""The players of ``benchmarks.capacity``: each calls ``work``, then thinks for a second on average.

BURN is the CPU seconds that a call costs the generator, to plant its own limit.
"""

from __future__ import annotations

import os
import random
from time import thread_time

from locust import task

from nakama_bots.load import NakamaUser

BURN = float(os.environ.get("BURN", "0"))


class Worker(NakamaUser):
    """One player of a closed queueing network."""

    def wait_time(self) -> float:
        """Return an exponential time to think."""
        return random.expovariate(1.0)

    def on_start(self) -> None:
        """Be known to the server before the first wait."""
        self.attempt(self.work)

    @task
    def work(self) -> None:
        """Call the server once."""
        self.player.socket.rpc("work")
        until = thread_time() + BURN
        while thread_time() < until:
            pass
