"""Party to match: two friends gather in a party, talk, look for another party, and play two against two.

Party data is reported as ``delivery.party``, the state of the match as ``delivery.match``. Members of a party
run in the same process, where they know each other already; run a multiple of four users.
"""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.match import MatchRun
from nakama_bots.players.acts.matchmaking import Ticket
from nakama_bots.players.acts.party import PartyRun
from nakama_bots.players.rendezvous import Rendezvous

PARTY = 2
TIMEOUT = 10.0
PATIENCE = 5.0
LINES = 5
STATE_SIZE = 64
friends = Rendezvous(PARTY)


class PartyToMatch(NakamaUser):
    """One party after the other."""

    by_name_only = True
    wait_time = between(0.2, 0.6)

    @tag("party", "match", "matchmaker")
    @task
    def together(self) -> None:
        """Gather, talk, find opponents, play, part."""
        seat = friends.meet(PATIENCE)
        if seat is None:  # nobody is free
            return
        with PartyRun(self.player, PARTY) as party:
            if seat.leads:
                try:
                    seat.told.set(party.lead())
                finally:
                    seat.tell_nothing()
            else:
                party_id = seat.hear(TIMEOUT)
                if not party_id:  # its failure has been told
                    return
                party.join(party_id, TIMEOUT)
            party.meet(PARTY, TIMEOUT)
            for _ in self.pace(self.settings.tick_rate, LINES / self.settings.tick_rate):
                party.say()
            party.finish()
            matched = party.find_match(self.ticket(), self.settings.matchmaker_timeout)
            with MatchRun(self.player) as match:
                match.join(matched)
                match.meet(2 * PARTY, TIMEOUT)
                match.play(self.settings.tick_rate, self.settings.match_seconds, STATE_SIZE)

    def ticket(self) -> Ticket:
        """Exactly one other party, of this run's bots."""
        return Ticket.among("party", self.settings.id_prefix, 2 * PARTY, 2 * PARTY)
