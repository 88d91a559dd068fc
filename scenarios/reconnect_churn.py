"""Reconnect churn: sockets come and go, some with a goodbye and some without.

Each visit opens a socket, shows a status, makes one round trip, and ends: closed as the protocol wants it, or
cut like a phone in a tunnel. The next visit keeps the session, now and then after a refresh.
"""

from nakama_bots import NakamaUser, between, tag, task


class ReconnectChurn(NakamaUser):
    """One short visit after the other; ``WS connect`` tells how long coming back takes."""

    by_name_only = True
    appear_online = True
    wait_time = between(0.05, 0.3)

    @tag("sockets", "churn")
    @task(3)
    def close(self) -> None:
        """Leave politely."""
        self.player.show("here for a moment")
        self.player.socket.ping_pong()
        self.player.disconnect()

    @tag("sockets", "churn")
    @task(2)
    def cut(self) -> None:
        """The network is gone; the server does not know yet."""
        self.player.socket.ping_pong()
        self.player.cut()

    @tag("sockets", "churn")
    @task(1)
    def refresh(self) -> None:
        """Come back with a new token."""
        self.player.disconnect()
        self.player.refresh()
