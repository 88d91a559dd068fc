"""Authoritative match: up to ten at a time send input to the server's own match, at N Hz.

``--nakama-tick-rate`` is N, ``--nakama-match-seconds`` how long one stays. The match runs at ten ticks a second
and gives every input to all, its sender too: a delivery (``delivery.match``) waits for the next tick, 50 ms on
average. The server needs the RPC ``find_benchmark_match`` and the match ``benchmark_match``, which
``nakama_modules/`` have and the embedded emulator too. A match that filled up meanwhile is counted as
``provoked.match_full``, and is no failure.
"""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.authoritative import BROADCAST, join_a_place
from nakama_bots.players.acts.match import MatchRun

STATE_SIZE = 64


class AuthoritativeMatch(NakamaUser):
    """A place in a match that is not full, or in a new one."""

    by_name_only = True
    needs = "the RPC find_benchmark_match (load nakama_modules/)"
    wait_time = between(0.3, 1.0)

    @tag("match", "authoritative")
    @task
    def play(self) -> None:
        """Come, play, leave."""
        with MatchRun(self.player, drop_in=True, op_codes=(BROADCAST, BROADCAST)) as match:
            join_a_place(self.player, match)
            match.play(self.settings.tick_rate, self.settings.match_seconds, STATE_SIZE)
