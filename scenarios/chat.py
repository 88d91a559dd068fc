"""Chat: rooms, direct chats and group chats, with the delivery of every message of a bot.

Reported as ``delivery.chat``: latency, lost, duplicated, reordered. Two who found the same group at once are
meant to collide: counted as ``provoked.group_exists``, and no failure.
"""

import random

import gevent
from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.chat import ChatRoom
from nakama_bots.players.acts.social import shared_group, user_ids
from nakama_bots.realtime.api import ChannelType

LINES = 5
PAUSE = (0.2, 0.6)
SMALL_TALK = ("hello all", "anyone up for a round?", "nice one", "brb", "that was close", "bye")


class Chat(NakamaUser):
    """One conversation after the other."""

    by_name_only = True
    wait_time = between(0.1, 0.5)

    @tag("chat")
    @task(3)
    def room(self) -> None:
        """A public room: read what was said, and talk."""
        with ChatRoom(
            self.player, f"{self.settings.id_prefix}-room-{self.player.identity.number // 10}"
        ) as room:
            room.history()
            self.talk(room)

    @tag("chat")
    @task(1)
    def direct(self) -> None:
        """With the neighbour, if there is one."""
        for user_id in user_ids(self.player, [self.player.identity.neighbour(1)]):
            with ChatRoom(self.player, user_id, channel_type=ChannelType.DIRECT_MESSAGE) as room:
                self.talk(room)

    @tag("chat", "groups")
    @task(1)
    def group(self) -> None:
        """In the group of four neighbours, which the first of them founds."""
        identity = self.player.identity
        name = f"{identity.prefix}-crew-{identity.seed}-{identity.worker}-{identity.number // 4}"
        with ChatRoom(self.player, shared_group(self.player, name), channel_type=ChannelType.GROUP) as room:
            self.talk(room)

    def talk(self, room: ChatRoom) -> None:
        """Say a few lines; correct the last one, and take it back."""
        for _ in range(LINES):
            ack = room.say({"text": random.choice(SMALL_TALK)})
            gevent.sleep(random.uniform(*PAUSE))
        socket = self.player.socket
        socket.update_chat_message(room.channel_id, ack["message_id"], {"text": "I mean: see you"})
        socket.remove_chat_message(room.channel_id, ack["message_id"])
