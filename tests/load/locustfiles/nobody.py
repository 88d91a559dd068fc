"""A user that only pings: the tests look at the processes around it."""

from locust import constant, task

from nakama_bots.load import NakamaUser


class Nobody(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()
