"""Presence and status fan-out: everybody follows its nine neighbours and changes its status again and again.

Each status is stamped; how it reaches the followers is reported as ``delivery.status``.
"""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.social import user_ids
from nakama_bots.players.acts.status import StatusBoard

CIRCLE = 10
CHANGES = 10
CHANGES_A_SECOND = 2.0


class PresenceFanOut(NakamaUser):
    """Ten to a circle: one change is nine pushes."""

    by_name_only = True
    appear_online = True
    wait_time = between(0.1, 0.5)

    @tag("status")
    @task
    def be_seen(self) -> None:
        """Follow who has come, change the status twice a second, follow no more."""
        identity = self.player.identity
        first = identity.number - identity.number % CIRCLE
        circle = [identity.neighbour(identity.number ^ number) for number in range(first, first + CIRCLE)]
        with StatusBoard(self.player, user_ids(self.player, circle)) as board:
            for _ in self.pace(CHANGES_A_SECOND, CHANGES / CHANGES_A_SECOND):
                board.show()
