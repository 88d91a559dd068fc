"""A scenario that keeps its process from everything else."""

from time import perf_counter

from locust import constant, task

from nakama_bots.load import NakamaUser


class Burning(NakamaUser):
    wait_time = constant(0.1)

    @task
    def burn(self) -> None:
        self.player.socket.ping_pong()
        end = perf_counter() + 0.02
        while perf_counter() < end:
            sum(range(100))
