"""A visitor for the open model: logs in, connects, asks once, leaves."""

from locust import task

from nakama_bots.load import NakamaUser


class Visitor(NakamaUser):
    """One arrival is four round trips: login, handshake, ping, close."""

    @task
    def ping(self) -> None:
        """One message."""
        self.player.socket.ping_pong()
