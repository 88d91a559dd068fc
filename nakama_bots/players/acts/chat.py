"""Chat for a player: a room, a direct chat with another user, or a group chat."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from nakama_bots import observer as names
from nakama_bots.players.delivery.codecs import Stamped
from nakama_bots.players.delivery.exchange import To
from nakama_bots.players.delivery.stamps import Stamp
from nakama_bots.players.joined import Joined
from nakama_bots.types.realtime import ChannelType

if TYPE_CHECKING:
    from nakama_bots.players.player import Player
    from nakama_bots.types.channels import ChannelMessageList
    from nakama_bots.types.common import Json
    from nakama_bots.types.realtime import ChannelMessage, ChannelMessageAck

_STAMP: Final = "nakama_bots"
"""The field of a message's content that holds its stamp, if messages are stamped."""


class ChatRoom(Joined):
    """A chat channel; created by ``player.chat``. A context manager that joins and leaves.

    Measures the delivery of messages to the players of this process, the sender's own copy
    included. The content is sent unchanged, except with ``stamped``, which adds a field to it.
    """

    kind = "chat"
    id_field = "channel_id"
    presence_event = "channel_presence_event"

    def __init__(
        self, player: Player, target: str, channel_type: ChannelType, *, persistence: bool = True
    ) -> None:
        super().__init__(player)
        self._target = target
        self._type = channel_type
        self._persistence = persistence

    @property
    def others(self) -> list[str]:
        """User ids of the other users present."""
        return [user_id for user_id in self.presences if user_id != self.player.user_id]

    def say(self, content: str | Mapping[str, object]) -> ChannelMessageAck:
        """Send a message: text or a JSON object."""
        said: dict[str, object] = {"text": content} if isinstance(content, str) else dict(content)
        now = perf_counter()
        key: Any
        if isinstance(self._codec, Stamped):
            stamp = self._stamp(now)
            said[_STAMP] = base64.b64encode(stamp.pack()).decode()
            key = (stamp.sender, stamp.sequence)
        else:
            # The server passes the text of the content on as it is.
            key = (self.player.user_id, orjson.dumps(said).decode())
        self._sent(key, now, 0.0, To.ALL)
        ack = self.player.socket.write_chat_message(self.id, said)
        self.player.calls.count(names.CHAT_SENT)
        return ack

    def correct(self, message_id: str, content: str | Mapping[str, object]) -> None:
        """Replace the content of a message of this player."""
        said = {"text": content} if isinstance(content, str) else content
        self.player.socket.update_chat_message(self.id, message_id, said)

    def take_back(self, message_id: str) -> None:
        """Remove a message of this player."""
        self.player.socket.remove_chat_message(self.id, message_id)

    def history(self, limit: int = 20) -> ChannelMessageList[Json]:
        """The newest messages, newest first, over REST."""
        return self.player.api.list_channel_messages(self.id, limit=limit, forward=False)

    def _listen(self) -> None:
        super()._listen()
        self._hear("channel_message", self._on_message)

    def _join(self) -> None:
        channel = self.player.socket.join_chat(self._target, self._type, persistence=self._persistence)
        self._enter(channel["id"], channel.get("presences", ()))

    _rejoin = _join

    def _leave(self) -> None:
        self.player.socket.leave_chat(self.id)

    def _on_message(self, message: ChannelMessage, arrived: float) -> None:
        if message.get("code"):  # updated, removed, or a group event
            return
        self.player.calls.count(names.CHAT_RECEIVED)
        sender, content = message.get("sender_id", ""), message.get("content", "")
        if isinstance(self._codec, Stamped):
            stamp = _stamp(content)
            if stamp is not None:
                self._stamped(stamp, sender, arrived)
            return
        self._arrived((sender, content), arrived, sender)


def _stamp(content: str) -> Stamp | None:
    """The stamp in a message's content; None if it has none, as for a human's message."""
    try:
        return Stamp.unpack(base64.b64decode(orjson.loads(content)[_STAMP]))
    except (ValueError, KeyError, TypeError):
        return None
