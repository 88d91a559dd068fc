"""Authoritative match: up to ten players send input to a server match at N Hz.

``--nakama-tick-rate`` is N, ``--nakama-match-seconds`` how long a player stays. The match runs at ten ticks a
second and broadcasts every input to all, including the sender: a delivery waits for the next tick, 50 ms on
average. The server needs the RPC ``find_benchmark_match`` and the match ``benchmark_match``, which
``nakama_modules/`` and the embedded emulator have. A match that filled up meanwhile is counted as
``provoked.match_full`` and is not a failure.
"""

from nakama_bots import NakamaUser, between, stamped, tag, task

BROADCAST = 2


class AuthoritativeMatch(NakamaUser):
    """Joins a match that is not full, or a new one."""

    by_name_only = True
    needs = "the RPC find_benchmark_match (load nakama_modules/)"
    wait_time = between(0.3, 1.0)
    delivery = stamped(to="all")

    @tag("match", "authoritative")
    @task
    def play(self) -> None:
        """Join, play and leave."""
        with self.player.join_listed_match("find_benchmark_match") as match:
            for _ in match.ticks():
                match.send(BROADCAST, bytes(28))
