"""Relayed match: four players send state to each other through the server, at N Hz.

``--nakama-tick-rate`` is N, ``--nakama-match-seconds`` how long a player stays. Players join and leave while
others play. The delivery of each state is reported as ``delivery``.
"""

from nakama_bots import NakamaUser, between, tag, task

PLAYERS = 4


class RelayedMatch(NakamaUser):
    """Plays a match with three neighbours, without the matchmaker."""

    by_name_only = True
    wait_time = between(0.3, 1.0)

    @tag("match", "relayed")
    @task
    def play(self) -> None:
        """Join, play and leave."""
        with self.player.join_match(name=self.player.identity.shared_name("relayed", PLAYERS)) as match:
            for tick in match.ticks():
                match.send(1, f"{tick.number:064}")
