"""Town square: a room where people read what was said, talk, and change their status."""

import random
from itertools import cycle

import gevent
from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.chat import ChatRoom

ROOMS = 5
LINES_A_VISIT = 5
PAUSE = (0.5, 1.5)
FOLLOWED = 20
SMALL_TALK = ("hello all", "anyone up for a round?", "nice weather on this map", "brb", "that was close", "bye")
STATUSES = cycle(("in the square", "looking for a group", "away", ""))


class TownSquare(NakamaUser):
    """One visit after the other."""

    weight = 1
    wait_time = between(0.5, 2.0)
    appear_online = True

    @tag("town_square", "chat", "status")
    @task
    def visit(self) -> None:
        """Join a room, read its history, follow who is there, talk, leave."""
        name = f"{self.settings.id_prefix}-square-{random.randrange(ROOMS)}"
        with ChatRoom(self.player, name) as room:
            room.history()
            followed = room.user_ids[:FOLLOWED]
            if followed:
                self.player.socket.follow_users(followed)
            self.player.socket.update_status(next(STATUSES))
            for _ in range(LINES_A_VISIT):
                gevent.sleep(random.uniform(*PAUSE))
                room.say({"text": random.choice(SMALL_TALK)})
            if followed:
                self.player.socket.unfollow_users(followed)
