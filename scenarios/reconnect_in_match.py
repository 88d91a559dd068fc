"""Reconnect in match: four players play, and each loses its connection once and reconnects.

The sample ``reconnect`` is the time from the end of the connection to being in the match again. Deliveries
during that time are counted as ``missed``, not as ``lost``.
"""

import random

import gevent

from nakama_bots import NakamaUser, between, tag, task

PLAYERS = 4
AWAY = 0.5


class ReconnectInMatch(NakamaUser):
    """Plays a match with three neighbours."""

    by_name_only = True
    wait_time = between(0.3, 1.0)

    @tag("match", "relayed", "reconnect")
    @task
    def play(self) -> None:
        """Play, lose the connection at a random moment, reconnect and continue."""
        with self.player.join_match(name=self.player.identity.shared_name("reconnect", PLAYERS)) as match:
            before = random.random() * self.settings.match_seconds
            for seconds in (before, self.settings.match_seconds - before):
                for tick in match.ticks(seconds=seconds):
                    match.send(1, {"tick": tick.number})
                if seconds == before:
                    self.player.cut()
                    gevent.sleep(AWAY)
                    self.player.reconnect()
