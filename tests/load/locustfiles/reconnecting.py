"""A user that hangs up after every ping, two seconds apart: each connect asks for a valid token."""

from locust import constant, task

from nakama_bots.load import NakamaUser


class Reconnecting(NakamaUser):
    wait_time = constant(2.1)

    @task
    def ping(self) -> None:
        self.player.socket.ping_pong()
        self.player.close()
