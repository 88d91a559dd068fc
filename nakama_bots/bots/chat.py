"""A chat room as a bot uses it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from nakama_bots import observer as names
from nakama_bots.bots.player import Player
from nakama_bots.errors import CallError
from nakama_bots.realtime.api import ChannelType
from nakama_bots.types.channels import ChannelMessageList
from nakama_bots.types.common import Json
from nakama_bots.types.realtime import Channel, ChannelMessage, ChannelMessageAck


class ChatRoom:
    """The room ``name``; a context manager that joins it and leaves it again."""

    def __init__(self, player: Player, name: str, *, persistence: bool = True) -> None:
        self._player = player
        self._name = name
        self._persistence = persistence
        self._channel: Channel | None = None
        self._early: list[str] = []
        self._remove = player.socket.tap("channel_message", self._on_message)

    def __enter__(self) -> Self:
        try:
            self._channel = self._player.socket.join_chat(
                self._name, ChannelType.ROOM, persistence=self._persistence
            )
        except BaseException:
            self._remove()
            raise
        # The others may speak before the reply that tells the room's id.
        heard = self._early.count(self.channel_id)
        if heard:
            self._player.world.observer.count(names.CHAT_RECEIVED, heard)
        self._early.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()
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
        """Send a message, a JSON object."""
        ack = self._player.socket.write_chat_message(self.channel_id, content)
        self._player.world.observer.count(names.CHAT_SENT)
        return ack

    def history(self, limit: int = 20) -> ChannelMessageList[Json]:
        """The newest messages of the room, newest first, over REST."""
        return self._player.client.list_channel_messages(
            self._player.session, self.channel_id, limit=limit, forward=False
        )

    def _on_message(self, message: ChannelMessage, _read_at: float, _size: int) -> None:
        if not self.channel_id:
            self._early.append(message.get("channel_id", ""))
        elif message.get("channel_id") == self.channel_id:
            self._player.world.observer.count(names.CHAT_RECEIVED)
