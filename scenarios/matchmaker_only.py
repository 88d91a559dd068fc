"""Matchmaker only: tickets of every kind, and what becomes of them; nobody plays.

Pairs, groups in even numbers, a wish for one's own region, a range of skill, and tickets that are taken back.
All tickets fit each other, so that a lone one is rare. One that is matched in the moment it is taken back is
counted as ``provoked.matched_meanwhile``, and is no failure.
"""

import random

from nakama_bots import NakamaUser, Ticket, between, tag, task


class MatchmakerOnly(NakamaUser):
    """One ticket after the other; run an even number."""

    by_name_only = True
    wait_time = between(0.1, 0.5)

    @tag("matchmaker")
    @task(3)
    def pair(self) -> None:
        """Anyone will do."""
        self.player.find_opponents(self.ticket(2))

    @tag("matchmaker")
    @task(2)
    def team(self) -> None:
        """Two to eight, in even numbers; from my region if possible, of any skill that is one."""
        self.player.find_opponents(
            self.ticket(8, " +properties.skill:>=0 +properties.skill:<=1 properties.region:eu^5")
        )

    @tag("matchmaker")
    @task(1)
    def change_my_mind(self) -> None:
        """Take the ticket back before the matchmaker has found somebody, or shortly after."""
        self.player.cancel_ticket(self.ticket(2), random.uniform(0.05, 0.5))

    def ticket(self, most: int, query: str = "") -> Ticket:
        """Of this run's bots only, with all properties that any query asks for."""
        group = Ticket.among("matchmaker", self.settings.id_prefix, 2, most)
        return Ticket(
            group.query + query,
            2,
            most,
            {**(group.string_properties or {}), "region": random.choice(("eu", "us", "asia"))},
            {"skill": self.player.persona.skill},
            2,
        )
