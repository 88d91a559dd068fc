"""One user, then three when its ping was answered."""

from locust import LoadTestShape, constant, task

from nakama_bots.load import NakamaUser


class Steady(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Shape(LoadTestShape):
    def tick(self) -> tuple[int, float] | None:
        stats = self.runner.stats if self.runner is not None else None
        pinged = stats is not None and stats.get("ping", "WS").num_requests
        return (3 if pinged else 1, 10.0)
