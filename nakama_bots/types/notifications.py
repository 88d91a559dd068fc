"""Notifications that wait for a user."""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp


class NotificationCode(IntEnum):
    """Codes of the server's own notifications; those of an application are above 0."""

    DM_REQUEST = -1
    FRIEND_REQUEST = -2
    FRIEND_ACCEPT = -3
    GROUP_ADD = -4
    GROUP_JOIN_REQUEST = -5
    FRIEND_JOIN_GAME = -6
    SINGLE_SOCKET = -7
    USER_BANNED = -8
    FRIEND_REMOVE = -9


class Notification(TypedDict, Generic[D], total=False):
    """One notification; no ``sender_id``: the server's own."""

    id: str
    subject: str
    content: D
    code: int
    sender_id: str
    create_time: Timestamp
    persistent: bool


class NotificationList(TypedDict, Generic[D], total=False):
    """A page, oldest first. ``cacheable_cursor`` is always there: what comes later is listed from it on."""

    notifications: list[Notification[D]]
    cacheable_cursor: str
