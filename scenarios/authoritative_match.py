"""Authoritative match: up to ten at a time send input to the server's own match, at N Hz.

``--nakama-tick-rate`` is N, ``--nakama-match-seconds`` how long one stays. The match runs at ten ticks a second
and gives every input to all, its sender too: a delivery waits for the next tick, 50 ms on average. The server
needs the RPC ``find_benchmark_match`` and the match ``benchmark_match``, which ``nakama_modules/`` have and the
embedded emulator too. A match that filled up meanwhile is counted as ``provoked.match_full``: no failure.
"""

from nakama_bots import NakamaUser, between, stamped, tag, task

BROADCAST = 2


class AuthoritativeMatch(NakamaUser):
    """A place in a match that is not full, or in a new one."""

    by_name_only = True
    needs = "the RPC find_benchmark_match (load nakama_modules/)"
    wait_time = between(0.3, 1.0)
    delivery = stamped(to="all")

    @tag("match", "authoritative")
    @task
    def play(self) -> None:
        """Come, play, leave."""
        with self.player.join_listed_match("find_benchmark_match") as match:
            for _ in match.ticks():
                match.send(BROADCAST, bytes(28))
