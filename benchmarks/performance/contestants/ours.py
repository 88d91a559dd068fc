"""A Locust run of this project: public API, cid table, recorder, Locust's event, generator health."""

from __future__ import annotations

from typing import Any, Final

from locust import constant, events, task

from benchmarks.performance.contestants import playing
from benchmarks.performance.contestants.shape import shape_of
from benchmarks.performance.contestants.stage import Stage
from nakama_bots.load import NakamaUser
from nakama_bots.load.run_registry import run_of

STAGE: Final = Stage()
if STAGE.base:
    Further = shape_of(STAGE)


class Ours(NakamaUser):
    """One player."""

    needs_socket = STAGE.work != "E"
    wait_time = constant(0)

    @task
    def work(self) -> None:
        """Do the work."""
        steps = self.pace(STAGE.rate) if STAGE.work == "A" else None
        playing.play(STAGE, self.player, self.player.identity.number, steps)


def on_init(environment: Any, **_: Any) -> None:
    """Report Locust's own counts too: the measured calls must be in its tables."""

    def counted() -> dict[str, int]:
        run_of(environment).locust.table.flush()
        return {"events": environment.stats.total.num_requests, "errors": environment.stats.total.num_failures}

    STAGE.more = counted


events.init.add_listener(on_init)
