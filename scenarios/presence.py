"""Presence and status fan-out: every player follows nine neighbours and changes its status repeatedly.

The delivery of each status to the followers is reported as ``delivery.status``.
"""

from nakama_bots import NakamaUser, between, tag, task

CIRCLE = 10
CHANGES = 10
CHANGES_A_SECOND = 2.0


class PresenceFanOut(NakamaUser):
    """Circles of ten players: one change causes nine pushes."""

    by_name_only = True
    appear_online = True
    wait_time = between(0.1, 0.5)

    @tag("status")
    @task
    def be_seen(self) -> None:
        """Follow the present neighbours, change the status twice a second, unfollow."""
        place = self.player.identity.number % CIRCLE
        circle = [place ^ other for other in range(CIRCLE) if other != place]
        with self.player.follow(self.player.neighbours(*circle)) as followed:
            for tick in self.pace(CHANGES_A_SECOND, CHANGES / CHANGES_A_SECOND):
                followed.show(f"level {tick.number}")
