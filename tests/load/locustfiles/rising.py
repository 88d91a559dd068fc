"""One user, then three."""

from locust import LoadTestShape, constant, task

from nakama_bots.load import NakamaUser


class Steady(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Shape(LoadTestShape):
    def tick(self) -> tuple[int, float] | None:
        return (1 if self.get_run_time() < 1.5 else 3, 10.0)
