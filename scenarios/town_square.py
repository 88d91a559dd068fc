"""Town square: a room where players read the history, talk, and change their status."""

import random
from itertools import cycle

import gevent

from nakama_bots import NakamaUser, between, stamped, tag, task

ROOMS = 5
LINES_A_VISIT = 5
PAUSE = (0.5, 1.5)
FOLLOWED = 20
SMALL_TALK = ("hello all", "anyone up for a round?", "nice weather on this map", "brb", "that was close", "bye")
STATUSES = cycle(("in the square", "looking for a group", "away", ""))


class TownSquare(NakamaUser):
    """Makes one visit after the other."""

    weight = 1
    wait_time = between(0.5, 2.0)
    appear_online = True
    delivery = stamped()  # players of other workers are in the same rooms

    @tag("town_square", "chat", "status")
    @task
    def visit(self) -> None:
        """Join a room, read its history, follow the other members, talk and leave."""
        with self.player.chat(f"{self.settings.id_prefix}-square-{random.randrange(ROOMS)}") as room:
            room.history()
            with self.player.follow(room.others[:FOLLOWED]) as followed:
                followed.show(next(STATUSES))
                for _ in range(LINES_A_VISIT):
                    gevent.sleep(random.uniform(*PAUSE))
                    room.say(random.choice(SMALL_TALK))
