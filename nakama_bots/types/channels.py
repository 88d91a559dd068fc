"""Chat channels: messages as the history gives them."""

from __future__ import annotations

from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp


class ApiChannelMessage(TypedDict, Generic[D], total=False):
    """One chat message. ``code`` and ``persistent`` are there even when 0 and false.

    ``code``: 0 chat, 1 update, 2 remove, 3 to 9 group events. ``room_name`` stands for a room, ``group_id``
    for a group, ``user_id_one`` and ``user_id_two`` for a direct message.
    """

    channel_id: str
    message_id: str
    code: int
    sender_id: str
    username: str
    content: D
    create_time: Timestamp
    update_time: Timestamp
    persistent: bool
    room_name: str
    group_id: str
    user_id_one: str
    user_id_two: str


class ChannelMessageList(TypedDict, Generic[D], total=False):
    """A page of history; cursors are bound to the direction that they were made in."""

    messages: list[ApiChannelMessage[D]]
    next_cursor: str
    prev_cursor: str
    cacheable_cursor: str
