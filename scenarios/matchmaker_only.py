"""Matchmaker only: tickets of every kind and their results, without a match.

Pairs, groups in even numbers, a preferred region, a range of skill, and cancelled tickets. All tickets fit each
other, so that an unmatched one is rare. A ticket matched while it is being cancelled is counted as
``provoked.matched_meanwhile`` and is not a failure.
"""

import random

from nakama_bots import NakamaUser, Ticket, between, tag, task


class MatchmakerOnly(NakamaUser):
    """Creates one ticket after the other; run an even number of users."""

    by_name_only = True
    wait_time = between(0.1, 0.5)

    @tag("matchmaker")
    @task(3)
    def pair(self) -> None:
        """Search for any opponent."""
        self.player.find_opponents(self.ticket(2))

    @tag("matchmaker")
    @task(2)
    def team(self) -> None:
        """Search for two to eight players, an even number; preferably of the same region, of any skill."""
        self.player.find_opponents(
            self.ticket(8, " +properties.skill:>=0 +properties.skill:<=1 properties.region:eu^5")
        )

    @tag("matchmaker")
    @task(1)
    def change_my_mind(self) -> None:
        """Cancel the ticket before the matchmaker finds a match, or shortly after."""
        self.player.cancel_ticket(self.ticket(2), random.uniform(0.05, 0.5))

    def ticket(self, most: int, query: str = "") -> Ticket:
        """Create a ticket for this run's bots only, with all properties that any query uses."""
        group = Ticket.among("matchmaker", self.settings.id_prefix, 2, most)
        return Ticket(
            group.query + query,
            2,
            most,
            {**(group.string_properties or {}), "region": random.choice(("eu", "us", "asia"))},
            {"skill": self.player.persona.skill},
            2,
        )
