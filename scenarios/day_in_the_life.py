"""A day in the life: players log in for a session of typical actions with pauses, and leave.

The length of a session follows a log-normal distribution (median 4 minutes, a tenth over 12 minutes, multiplied
by the environment variable ``DAY_IN_THE_LIFE_SCALE``, such as 0.01 for a short try). Actions are weighted: much
reading and chat, sometimes a match, rarely anything else. It needs no modules on the server.
"""

import math
import os
import random

import gevent

from nakama_bots import NakamaUser, between, tag, task

SCALE = float(os.environ.get("DAY_IN_THE_LIFE_SCALE", "1"))
SESSION_MEDIAN = 240.0 * SCALE
SESSION_SPREAD = 0.86
THINK = (2.0 * SCALE, 8.0 * SCALE)
LINES = ("hello", "who is up for one more?", "good game", "see you")


class DayInTheLife(NakamaUser):
    """Plays one session after the other, with minutes between them."""

    by_name_only = True
    needs_socket = False
    wait_time = between(20 * SCALE, 120 * SCALE)

    @tag("day_in_the_life")
    @task
    def session(self) -> None:
        """Log in, act until the session is over, leave."""
        activities = (self.look_around, self.talk, self.play, self.save, self.make_friends)
        length = random.lognormvariate(math.log(SESSION_MEDIAN), SESSION_SPREAD)
        self.player.connect(create_status=True)
        self.player.calls.sample("session_length", length)
        try:
            with gevent.Timeout(length, exception=False):  # type: ignore[arg-type]
                while True:
                    random.choices(activities, (40, 25, 15, 12, 8))[0]()
                    gevent.sleep(random.uniform(*THINK))
        finally:
            self.player.disconnect()

    def look_around(self) -> None:
        """Read the account, the friends and the notifications."""
        self.player.api.get_account()
        self.player.api.list_friends(limit=50)
        self.player.api.list_notifications(limit=20)

    def talk(self) -> None:
        """Read a room and say something."""
        with self.player.chat(f"{self.settings.id_prefix}-lounge") as room:
            room.history()
            for line in random.sample(LINES, 2):
                room.say(line)
                gevent.sleep(random.uniform(*THINK))

    def play(self) -> None:
        """Play a short relayed match with present players."""
        with self.player.join_match(name=self.player.identity.shared_name("day", 4)) as match:
            for tick in match.ticks(seconds=self.settings.match_seconds * SCALE):
                match.send(1, {"x": tick.number, "y": random.random()})

    def save(self) -> None:
        """Load the game and save it."""
        game = self.player.save_game("day")
        game.load()
        game.save({"played": random.randrange(1000)})

    def make_friends(self) -> None:
        """Befriend the neighbour."""
        for user_id in self.player.neighbours(1):
            self.player.befriend(user_id)
