"""Chat: rooms, direct chats and group chats, with the delivery of every bot's message.

Deliveries are reported as ``delivery.chat``. Two players may create the same group at the same time; the
conflict is counted as ``provoked.group_exists`` and is not a failure.
"""

import random

import gevent

from nakama_bots import ChatRoom, NakamaUser, between, tag, task

LINES = 5
PAUSE = (0.2, 0.6)
SMALL_TALK = ("hello all", "anyone up for a round?", "nice one", "brb", "that was close", "bye")


class Chat(NakamaUser):
    """Has one conversation after the other."""

    by_name_only = True
    wait_time = between(0.1, 0.5)

    @tag("chat")
    @task(3)
    def room(self) -> None:
        """Read a public room's history, and talk."""
        with self.player.chat(f"{self.settings.id_prefix}-room-{self.player.identity.number // 10}") as room:
            room.history()
            self.talk(room)

    @tag("chat")
    @task(1)
    def direct(self) -> None:
        """Talk with the neighbour, if there is one."""
        for user_id in self.player.neighbours(1):
            with self.player.chat(user=user_id) as room:
                self.talk(room)

    @tag("chat", "groups")
    @task(1)
    def group(self) -> None:
        """Talk in the group of four neighbours, which the first of them creates."""
        name = self.player.identity.shared_name("crew", 4)
        with self.player.group(name) as group, self.player.chat(group=group.id) as room:
            self.talk(room)

    def talk(self, room: ChatRoom) -> None:
        """Say a few lines, edit the last one, and delete it."""
        for _ in range(LINES):
            ack = room.say(random.choice(SMALL_TALK))
            gevent.sleep(random.uniform(*PAUSE))
        room.correct(ack["message_id"], "I mean: see you")
        room.take_back(ack["message_id"])
