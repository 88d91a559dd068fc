"""Notifications: sent by the server's runtime, timed until their arrival, listed, and deleted.

``PUSH notifications`` is the time from the RPC call to the push on the player's socket. The server needs the
RPC ``notify_user``, which ``nakama_modules/`` and the embedded emulator have.
"""

from nakama_bots import NakamaUser, between, tag, task

PAGE = 20


class Notifications(NakamaUser):
    """Sends transient notifications, and persistent ones that it deletes."""

    by_name_only = True
    needs = "the RPC notify_user (load nakama_modules/)"
    wait_time = between(0.1, 0.5)

    @tag("notifications")
    @task(3)
    def fleeting(self) -> None:
        """Send one that only a connected user receives."""
        self.player.notify_myself(persistent=False)

    @tag("notifications", "rest")
    @task(1)
    def lasting(self) -> None:
        """Send one that is listed until it is deleted."""
        sent = self.player.notify_myself(persistent=True)
        listed = self.player.api.list_notifications(limit=PAGE).get("notifications", ())
        ids = [found["id"] for found in listed]
        assert sent["id"] in ids or len(ids) == PAGE
        self.player.api.delete_notifications(ids)
