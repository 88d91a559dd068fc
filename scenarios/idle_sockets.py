"""Idle sockets: how many players can be connected (CCU soak).

Each user opens a socket, shows its status, and then only keeps its heartbeat. A socket that closes unexpectedly
is a failure, ``WS hold``; one held for ``--nakama-hold-seconds`` counts as ``sockets_held`` and stays open.
"""

from nakama_bots import NakamaUser, constant, tag, task


class IdleSocket(NakamaUser):
    """One socket per user, for the duration of the run."""

    by_name_only = True
    appear_online = True
    wait_time = constant(0)

    @tag("sockets", "soak")
    @task
    def be_there(self) -> None:
        """Send only heartbeats."""
        self.player.hold(self.settings.hold_seconds)
