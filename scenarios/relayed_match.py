"""Relayed match: four at a time send state to each other through the server, at N Hz.

``--nakama-tick-rate`` is N, ``--nakama-match-seconds`` how long one stays. Players come and go while the
others play. How each state arrives is reported as ``delivery.match``.
"""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.match import MatchRun

PLAYERS = 4
STATE_SIZE = 64


class RelayedMatch(NakamaUser):
    """A match of one's own four neighbours, without the matchmaker."""

    by_name_only = True
    wait_time = between(0.3, 1.0)

    @tag("match", "relayed")
    @task
    def play(self) -> None:
        """Come, play, leave."""
        identity = self.player.identity
        group = identity.number // PLAYERS
        with MatchRun(self.player, drop_in=True) as match:
            match.join_named(f"{identity.prefix}-relayed-{identity.seed}-{identity.worker}-{group}")
            match.play(self.settings.tick_rate, self.settings.match_seconds, STATE_SIZE)
