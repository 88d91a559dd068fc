"""Three users, one, and three again."""

from locust import LoadTestShape, constant, task

from nakama_bots.load import NakamaUser


class Steady(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Shape(LoadTestShape):
    def tick(self) -> tuple[int, float] | None:
        steps = ((1.5, 3), (3.5, 1), (5.5, 3))
        return next(((users, 10.0) for end, users in steps if self.get_run_time() < end), None)
