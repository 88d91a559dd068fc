"""A user that does nothing: what the processes around it do is looked at."""

from locust import constant, task

from nakama_bots.load import NakamaUser


class Nobody(NakamaUser):
    wait_time = constant(0.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()
