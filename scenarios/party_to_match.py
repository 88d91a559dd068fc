"""Party to match: two friends gather in a party, talk, find another party, and play two against two.

Party data is reported as ``delivery.party``, match state as ``delivery``. Members of a party run in the same
process. Run a multiple of four users.
"""

from nakama_bots import NakamaUser, between, stamped, tag, task

PARTY = 2
LINES = 5


class PartyToMatch(NakamaUser):
    """Plays in one party after the other."""

    by_name_only = True
    must_do = ("matches_joined",)
    must_do_hint = "run a multiple of four users"
    wait_time = between(0.2, 0.6)
    delivery = stamped()  # the other party may be in another worker

    @tag("party", "match", "matchmaker")
    @task
    def together(self) -> None:
        """Gather, talk, find opponents, play and leave."""
        with self.player.party(PARTY) as party:
            for tick in party.ticks(seconds=LINES / party.rate):
                party.send(1, {"line": tick.number})
            with party.find_match("party", players=2 * PARTY) as match:
                for _ in match.ticks():
                    match.send(1, bytes(28))
