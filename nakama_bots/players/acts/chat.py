"""A chat as a bot uses it: a room, the chat with another user, or a group's."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import orjson

from nakama_bots import observer as names
from nakama_bots.errors import CallError
from nakama_bots.players.delivery import Stamp
from nakama_bots.players.inbox import CHAT, Inbox, Outbox
from nakama_bots.players.player import Player
from nakama_bots.realtime.api import ChannelType
from nakama_bots.types.channels import ChannelMessageList
from nakama_bots.types.common import Json
from nakama_bots.types.realtime import Channel, ChannelMessage, ChannelMessageAck

_STAMP: Final = "nakama_bots"
"""The field of a message's content that its delivery is told by."""


class ChatRoom:
    """The room ``name``, or what ``channel_type`` makes of it; a context manager that joins and leaves again.

    Delivery is told of what comes between join and leave. Nobody says how much was sent: of each speaker, what
    is missing between the first and the last message that came is lost.
    """

    def __init__(
        self,
        player: Player,
        name: str,
        *,
        persistence: bool = True,
        channel_type: ChannelType = ChannelType.ROOM,
    ) -> None:
        self._player = player
        self._name = name
        self._type = channel_type
        self._persistence = persistence
        self._channel: Channel | None = None
        self._early: list[tuple[ChannelMessage, float]] = []
        # One number a visit: who comes again counts from 0 again.
        self._outbox = Outbox(secrets.randbits(64))
        self._inbox = Inbox(player, CHAT, drop_in=True)
        self._remove = player.socket.tap("channel_message", self._on_message)

    def __enter__(self) -> Self:
        try:
            self._channel = self._player.socket.join_chat(self._name, self._type, persistence=self._persistence)
        except BaseException:
            self._remove()
            raise
        # The others may speak before the reply that tells the room's id.
        for message, read_at in self._early:
            self._hear(message, read_at)
        self._early.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()
        self._inbox.report()
        if self._player.connected:
            # A failed leave is told to the observer; it must not hide what ended the visit.
            with suppress(CallError):
                self._player.socket.leave_chat(self.channel_id)

    @property
    def channel_id(self) -> str:
        """The id that the server gave the room."""
        return self._channel["id"] if self._channel else ""

    @property
    def user_ids(self) -> list[str]:
        """Who was there at the join, each once, without the player."""
        presences = self._channel.get("presences", ()) if self._channel else ()
        users = dict.fromkeys(presence["user_id"] for presence in presences)
        # Its own other sockets, and this one when it had joined before.
        users.pop(self._player.session.user_id, None)
        return list(users)

    def say(self, content: Mapping[str, object]) -> ChannelMessageAck:
        """Send a message, a JSON object; a stamp is added to it."""
        stamp = base64.b64encode(self._outbox.state().pack()).decode()
        ack = self._player.socket.write_chat_message(self.channel_id, {**content, _STAMP: stamp})
        self._player.world.observer.count(names.CHAT_SENT)
        return ack

    def history(self, limit: int = 20) -> ChannelMessageList[Json]:
        """The newest messages of the room, newest first, over REST."""
        return self._player.client.list_channel_messages(
            self._player.session, self.channel_id, limit=limit, forward=False
        )

    def _on_message(self, message: ChannelMessage, read_at: float, _size: int) -> None:
        if self.channel_id:
            self._hear(message, read_at)
        else:
            self._early.append((message, read_at))

    def _hear(self, message: ChannelMessage, read_at: float) -> None:
        if message.get("channel_id") != self.channel_id:
            return
        self._player.world.observer.count(names.CHAT_RECEIVED)
        stamp = _stamp(message.get("content", ""))
        if stamp is not None:
            self._inbox.receive(f"{stamp.sender:016x}", stamp, read_at)


def _stamp(content: str) -> Stamp | None:
    """The stamp in what somebody said; None where a human spoke."""
    try:
        return Stamp.unpack(base64.b64decode(orjson.loads(content)[_STAMP]))
    except (ValueError, KeyError, TypeError):
        return None
