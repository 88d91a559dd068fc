"""Duel: two players meet through the matchmaker, play at a tick rate, chat, and leave."""

from nakama_bots import NakamaUser, between, stamped, tag, task

STATE = 1


class Duel(NakamaUser):
    """Plays one match after the other: by default 10 states of 64 bytes a second for 15 s."""

    weight = 4
    wait_time = between(0.2, 1.0)
    delivery = stamped()  # opponents may be in another worker

    @tag("duel", "match", "matchmaker", "chat")
    @task
    def duel(self) -> None:
        """Find an opponent, play and leave."""
        with self.player.find_match("duel", players=2) as match, self.player.chat(f"duel-{match.id}") as room:
            room.say("good luck")
            for _ in match.ticks():
                match.send(STATE, bytes(28))
            room.say("good game")
