"""Notifications: sent by the server's runtime, timed to their arrival, listed, and deleted.

``PUSH notifications`` is from the call of the RPC to the push on the player's own socket. The server needs the
RPC ``notify_user``, which ``nakama_modules/`` have and the embedded emulator too.
"""

from nakama_bots import NakamaUser, between, tag, task

PAGE = 20


class Notifications(NakamaUser):
    """Fleeting ones, and ones that stay until they are deleted."""

    by_name_only = True
    needs = "the RPC notify_user (load nakama_modules/)"
    wait_time = between(0.1, 0.5)

    @tag("notifications")
    @task(3)
    def fleeting(self) -> None:
        """Only who is connected gets it."""
        self.player.notify_myself(persistent=False)

    @tag("notifications", "rest")
    @task(1)
    def lasting(self) -> None:
        """It is in the list until it is deleted."""
        sent = self.player.notify_myself(persistent=True)
        listed = self.player.api.list_notifications(limit=PAGE).get("notifications", ())
        ids = [found["id"] for found in listed]
        assert sent["id"] in ids or len(ids) == PAGE
        self.player.api.delete_notifications(ids)
