"""Idle sockets: how many players can just be there (CCU soak).

Each user opens a socket, shows its status, and then only keeps its heartbeat. A socket that ends by itself is a
failure, ``WS hold``; one that was held for ``--nakama-hold-seconds`` counts as ``sockets_held`` and is held on.
"""

from nakama_bots import NakamaUser, constant, tag, task


class IdleSocket(NakamaUser):
    """One socket a user, for as long as the run goes on."""

    by_name_only = True
    appear_online = True
    wait_time = constant(0)

    @tag("sockets", "soak")
    @task
    def be_there(self) -> None:
        """Nothing but heartbeats."""
        self.player.hold(self.settings.hold_seconds)
