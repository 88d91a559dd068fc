"""The locustfile of ``benchmarks.master``: players, or calls of many names; a worker also keeps its reports.

With ``KEPT_REPORTS`` set, a worker appends what it sends to its master to that file, as Locust's messages.
"""

import os
import random
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from locust import events
from locust.rpc import Message

from nakama_bots import NakamaUser, constant, task
from nakama_bots.observer import FinishedCall
from scenarios.duel import Duel
from scenarios.town_square import TownSquare

__all__ = ["Duel", "ManyNames", "TownSquare"]

NAMES: Final = 200


class ManyNames(NakamaUser):
    """Reports calls of 200 names that it does not make, 10 per second."""

    needs_socket = False
    wait_time = constant(0.1)

    @task
    def call(self) -> None:
        """Report a call."""
        elapsed = random.lognormvariate(-5.0, 0.7)
        name = f"message_{random.randrange(NAMES):03d}"
        self.player.calls.call(FinishedCall("WS", name, perf_counter() - elapsed, elapsed, 100, None, 0.0))


def _on_init(environment: Any, **_: Any) -> None:
    kept = os.environ.get("KEPT_REPORTS")
    if kept and environment.parsed_options.worker:
        # After the listeners that put the figures into a report.
        environment.events.report_to_master.add_listener(partial(_keep, Path(kept)))


def _keep(path: Path, client_id: str, data: dict[str, Any]) -> None:
    with path.open("ab") as file:
        file.write(Message("stats", data, client_id).serialize())


events.init.add_listener(_on_init)
