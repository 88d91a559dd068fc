"""Players that send pings: the scenario of ``benchmarks.paired``."""

from __future__ import annotations

from locust import constant, task

from nakama_bots.load import NakamaUser


class Pinging(NakamaUser):
    """About ten pings per second."""

    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        """Send one."""
        self.player.socket.ping_pong()
