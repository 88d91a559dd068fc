"""Three users, one, and three again."""

from locust import LoadTestShape, constant, task

from nakama_bots.load import NakamaUser


class Steady(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()


class Shape(LoadTestShape):
    step = until = 0

    def tick(self) -> tuple[int, float] | None:
        """The next step when the users of this one are there, for as long as they take to log in."""
        assert self.runner is not None
        users = (3, 1, 3)[self.step]
        logins = self.runner.stats.get("/v2/account/authenticate/device", "POST").num_requests
        if self.runner.user_count == users and logins >= (3, 3, 5)[self.step]:
            pings = self.runner.stats.get("ping", "WS").num_requests
            self.until = self.until or pings + 5
            if pings >= self.until:
                self.step, self.until = self.step + 1, 0
                return self.tick() if self.step < 3 else None
        return users, 10.0
