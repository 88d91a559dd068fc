"""Realtime chat: messages, replies and pushes.

A channel's place stands beside its id: ``room_name`` for a room, ``group_id`` for a group, ``user_id_one`` and
``user_id_two`` for a direct message.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Required, TypedDict

from nakama_bots.types.realtime_common import UserPresence


class ChannelType(IntEnum):
    """What a chat channel's ``target`` names."""

    ROOM = 1
    DIRECT_MESSAGE = 2
    GROUP = 3


class ChannelJoin(TypedDict, total=False):
    """Join a chat channel; ``target`` is a room's name, a user's id or a group's id, as ``type`` says."""

    target: Required[str]
    type: int
    persistence: bool
    hidden: bool


class ChannelLeave(TypedDict):
    """Leave a chat channel."""

    channel_id: str


class ChannelMessageSend(TypedDict):
    """Send a chat message; ``content`` is the text of a JSON object."""

    channel_id: str
    content: str


class ChannelMessageUpdate(TypedDict):
    """Replace the content of an own chat message."""

    channel_id: str
    message_id: str
    content: str


class ChannelMessageRemove(TypedDict):
    """Remove an own chat message."""

    channel_id: str
    message_id: str


class Channel(TypedDict, total=False):
    """Reply to ``channel_join``; a new joiner is not in ``presences``."""

    id: str
    presences: list[UserPresence]
    self: UserPresence
    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str


class ChannelMessageAck(TypedDict, total=False):
    """Reply to ``channel_message_send``, ``_update`` and ``_remove``."""

    channel_id: Required[str]
    message_id: Required[str]
    code: Required[int]
    username: Required[str]
    create_time: Required[str]
    update_time: Required[str]
    persistent: Required[bool]
    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str


class ChannelMessage(TypedDict, total=False):
    """A push: a message on a channel; ``content`` is a JSON text, ``code`` 0 is a chat message."""

    channel_id: Required[str]
    message_id: Required[str]
    code: Required[int]
    sender_id: Required[str]
    username: str
    content: Required[str]
    create_time: Required[str]
    update_time: Required[str]
    persistent: Required[bool]
    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str


class ChannelPresenceEvent(TypedDict, total=False):
    """A push: users who joined and left a channel."""

    channel_id: Required[str]
    joins: list[UserPresence]
    leaves: list[UserPresence]
    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str
