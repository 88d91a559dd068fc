"""A visitor for the open model: logs in, connects, sends a ping, leaves."""

from locust import task

from nakama_bots.load import NakamaUser


class Visitor(NakamaUser):
    """A user whose arrival is four round trips: login, handshake, ping, close."""

    @task
    def ping(self) -> None:
        """Send one message."""
        self.player.socket.ping_pong()
