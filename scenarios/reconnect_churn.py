"""Reconnect churn: sockets open and close, some with a close handshake and some without.

Each visit opens a socket, shows a status, makes one round trip, and ends: closed as the protocol requires, or
cut like a phone in a tunnel. The next visit reuses the session, sometimes after a refresh.
"""

from nakama_bots import NakamaUser, between, tag, task


class ReconnectChurn(NakamaUser):
    """Makes one short visit after the other; ``WS connect`` is the time to reconnect."""

    by_name_only = True
    appear_online = True
    wait_time = between(0.05, 0.3)

    @tag("sockets", "churn")
    @task(3)
    def close(self) -> None:
        """Close the connection properly."""
        self.player.show("here for a moment")
        self.player.socket.ping_pong()
        self.player.disconnect()

    @tag("sockets", "churn")
    @task(2)
    def cut(self) -> None:
        """Cut the connection, which the server does not notice yet."""
        self.player.socket.ping_pong()
        self.player.cut()

    @tag("sockets", "churn")
    @task(1)
    def refresh(self) -> None:
        """Reconnect with a refreshed token."""
        self.player.disconnect()
        self.player.refresh()
