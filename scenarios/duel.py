"""Duel: two players meet through the matchmaker, play at a tick rate, chat, and part."""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.chat import ChatRoom
from nakama_bots.players.acts.match import MatchRun
from nakama_bots.players.acts.matchmaking import Ticket, find_opponents

JOIN_TIMEOUT = 10.0
STATE_SIZE = 64


class Duel(NakamaUser):
    """One match after the other: 10 states a second for 15 s, by default."""

    weight = 4
    wait_time = between(0.2, 1.0)

    @tag("duel", "match", "matchmaker", "chat")
    @task
    def duel(self) -> None:
        """Find an opponent, play, leave."""
        matched = find_opponents(self.player, self.ticket(), self.settings.matchmaker_timeout)
        with MatchRun(self.player) as match:
            match.join(matched)
            match.meet(2, JOIN_TIMEOUT)
            with ChatRoom(self.player, f"duel-{match.match_id}") as room:
                room.say({"text": "good luck"})
                match.play(self.settings.tick_rate, self.settings.match_seconds, STATE_SIZE)
                room.say({"text": "good game"})

    def ticket(self) -> Ticket:
        """Bots of this run's prefix only: on a shared server no human is matched with one."""
        return Ticket.among("duel", self.settings.id_prefix, 2, 2)
