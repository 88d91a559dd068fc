"""The number of Locust's users in work C, for the locustfiles of ``ours`` and ``naive``."""

from __future__ import annotations

from locust import LoadTestShape

from benchmarks.performance.contestants.stage import Stage


def shape_of(stage: Stage) -> type[LoadTestShape]:
    """Return the shape that starts the further players after the first are measured."""

    class Further(LoadTestShape):
        def tick(self) -> tuple[int, float]:
            return stage.wanted(), stage.spawn_rate

    return Further
