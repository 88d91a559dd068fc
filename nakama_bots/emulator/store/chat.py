"""Channels: their ids, and the kept messages."""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb, timestamp
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.store.limits import UNBOUNDED
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

CHAT: Final = 0
CHAT_UPDATE: Final = 1
CHAT_REMOVE: Final = 2
# Codes of changes announced in a group's chat (``server/core_channel.go``).
GROUP_JOIN: Final = 3
GROUP_ADD: Final = 4
GROUP_LEAVE: Final = 5
GROUP_KICK: Final = 6
GROUP_PROMOTE: Final = 7
GROUP_BAN: Final = 8
GROUP_DEMOTE: Final = 9


_NIL: Final = "00000000-0000-0000-0000-000000000000"


class InvalidChannel(ValueError):
    """The text is not a channel id."""


def channel_id(stream: PresenceStream) -> str:
    """Return ``<mode>.<subject>.<subcontext>.<label>``."""
    return f"{int(stream.mode)}.{stream.subject}.{stream.subcontext}.{stream.label}"


def channel_stream(identifier: str) -> PresenceStream:
    """Return the stream of a channel id. ``InvalidChannel``."""
    parts = identifier.split(".", 3)
    if len(parts) != 4:
        raise InvalidChannel(identifier)
    mode, label = parts[0], parts[3]
    # An absent id is the nil one, whose channel has no members.
    subject, subcontext = (parse_uuid(part or _NIL) for part in parts[1:3])
    valid = {
        "2": not parts[1] and not parts[2] and 0 < len(label.encode()) <= 64,
        "3": not parts[2] and not label,
        "4": not label,
    }
    if not valid.get(mode, False) or subject is None or subcontext is None:
        raise InvalidChannel(identifier)
    if mode == "2":
        return PresenceStream(Mode.CHANNEL, label=label)
    if mode == "3":
        return PresenceStream(Mode.GROUP, subject)
    return PresenceStream(Mode.DM, subject, subcontext)


def channel_names(stream: PresenceStream) -> JsonObject:
    """Return the fields besides the id that name the channel in every message and event."""
    names: dict[int, JsonObject] = {
        Mode.CHANNEL: {"room_name": stream.label},
        Mode.GROUP: {"group_id": stream.subject},
        Mode.DM: {"user_id_one": stream.subject, "user_id_two": stream.subcontext},
    }
    return names[stream.mode]


@dataclass(slots=True)
class StoredMessage:
    """One channel message. Times are Unix nanoseconds."""

    id: str
    stream: PresenceStream
    code: int
    sender_id: str
    username: str
    content: str
    create_time: int
    update_time: int
    persistent: bool
    # The channel's id as the sender wrote it, if not as the server does.
    written: str = ""

    @property
    def position(self) -> tuple[int, str]:
        """The position in its channel's history; the server's group announcements are kept in seconds."""
        return (self.create_time if self.code <= CHAT_REMOVE else self.create_time // 10**9 * 10**9, self.id)

    def wire(self) -> JsonObject:
        """Return Nakama's ``ChannelMessage`` as it is pushed."""
        return {**self.ack(), "sender_id": self.sender_id, "content": self.content}

    def ack(self) -> JsonObject:
        """Nakama's ``ChannelMessageAck``."""
        return {
            "channel_id": self.written or channel_id(self.stream),
            "message_id": self.id,
            "code": self.code,
            # A message from the runtime has none.
            **({"username": self.username} if self.username else {}),
            "create_time": timestamp(self.create_time),
            "update_time": timestamp(self.update_time),
            "persistent": self.persistent,
            **channel_names(self.stream),
        }

    def stored(self, channel: str) -> JsonObject:
        """Return it as in the history: through PostgreSQL, which keeps microseconds and rewrites JSON.

        ``channel``: the channel's id as it was requested.
        """
        unit = 1000 if self.code <= CHAT_REMOVE else 10**9
        return {
            **self.wire(),
            "channel_id": channel,
            "code": self.code if self.code > CHAT_REMOVE else CHAT,
            "content": jsonb(self.content),
            "create_time": timestamp(self.create_time // unit * unit),
            "update_time": timestamp(self.update_time // unit * unit),
        }


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a channel's history; ``following``: the page after it in reading direction, else before."""

    channel: str
    create_time: int
    message_id: str
    forward: bool
    following: bool

    def encode(self) -> str:
        """Return the cursor as opaque text."""
        values = (self.channel, self.create_time, self.message_id, self.forward, self.following)
        return base64.urlsafe_b64encode(orjson.dumps(values)).decode()

    @classmethod
    def decode(cls, text: str, stream: PresenceStream, *, forward: bool) -> Cursor:
        """Return the cursor; ``InvalidCursor`` if it is invalid, or of another channel or direction."""
        try:
            values = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
            cursor = cls(*values)
            fits = cursor.channel == channel_id(stream) and cursor.forward is forward
        except (binascii.Error, ValueError, TypeError):
            fits = False
        if not fits:
            raise InvalidCursor(text)
        return cursor


class Messages:
    """The kept messages of every channel, oldest first; beyond ``most`` the oldest of all are dropped."""

    def __init__(self, most: int = UNBOUNDED.messages) -> None:
        self._most = most
        self._channels: dict[PresenceStream, list[StoredMessage]] = {}
        # By id, in order of arrival.
        self._all: dict[str, StoredMessage] = {}

    def everything(self) -> list[StoredMessage]:
        """Return all kept messages, oldest first within a channel."""
        return [message for kept in self._channels.values() for message in kept]

    def add(self, message: StoredMessage) -> None:
        """Keep a message; it is newer than all others of its channel, except those kept in seconds."""
        self._all[message.id] = message
        if len(self._all) > self._most:
            self.remove(next(iter(self._all.values())))
        kept = self._channels.setdefault(message.stream, [])
        if kept:
            message.stream = kept[0].stream  # one object for all of a channel
        if message.code <= CHAT_REMOVE:
            kept.append(message)
        else:
            bisect.insort(kept, message, key=lambda one: one.position)

    def find(self, message_id: str, sender_id: str) -> StoredMessage | None:
        """Return the message of that id, if that user sent it; as on the server, in any channel."""
        message = self._all.get(message_id)
        return message if message is not None and message.sender_id == sender_id else None

    def remove(self, message: StoredMessage) -> None:
        """Remove a kept message."""
        del self._all[message.id]
        kept = self._channels[message.stream]
        kept.remove(message)
        if not kept:
            del self._channels[message.stream]

    def page(
        self, stream: PresenceStream, limit: int, cursor: Cursor | None, *, forward: bool, channel: str = ""
    ) -> JsonObject:
        """Return Nakama's ``ChannelMessageList``: ``limit`` messages from ``cursor``, in reading direction.

        ``channel``: the channel's id as it was requested, "" for the server's own form.
        """
        ordered: Iterable[StoredMessage] = self._channels.get(stream, [])
        history = list(ordered) if forward else list(ordered)[::-1]
        first, last = self._window(history, limit, cursor, forward=forward)
        messages = history[first:last]
        if not messages:
            return {"cacheable_cursor": cursor.encode()} if cursor else {}
        own = channel_id(stream)

        def at(message: StoredMessage, *, ahead: bool, direction: bool = forward) -> str:
            return Cursor(own, *message.position, direction, ahead).encode()

        answer: JsonObject = {"messages": [message.stored(channel or own) for message in messages]}
        if last < len(history):
            answer["next_cursor"] = at(messages[-1], ahead=True)
        if first > 0:
            answer["prev_cursor"] = at(messages[0], ahead=False)
        answer["cacheable_cursor"] = at(messages[-1], ahead=True, direction=True)
        return answer

    @staticmethod
    def _window(
        history: list[StoredMessage], limit: int, cursor: Cursor | None, *, forward: bool
    ) -> tuple[int, int]:
        if cursor is None:
            return 0, min(limit, len(history))
        place = (cursor.create_time, cursor.message_id)
        if forward:
            before = bisect.bisect_left(history, place, key=lambda message: message.position)
        else:
            before = sum(message.position > place for message in history)
        if not cursor.following:
            return max(0, before - limit), before
        passed = before + (before < len(history) and history[before].position == place)
        return passed, min(passed + limit, len(history))
