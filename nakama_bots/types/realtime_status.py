"""Realtime status and streams: messages, replies and pushes."""

from __future__ import annotations

from typing import Required, TypedDict

from nakama_bots.types.realtime_common import UserPresence


class StatusFollow(TypedDict, total=False):
    """Follow the status of these users."""

    user_ids: list[str]
    usernames: list[str]


class StatusUnfollow(TypedDict, total=False):
    """Stop following the status of these users."""

    user_ids: list[str]


class StatusUpdate(TypedDict, total=False):
    """Set the own status: a text (also an empty one) is online, absent is offline."""

    status: str


class Status(TypedDict, total=False):
    """Reply to ``status_follow``: presences that are online now."""

    presences: list[UserPresence]


class StatusPresenceEvent(TypedDict, total=False):
    """A push: who came online, changed status (in both lists) or went offline."""

    joins: list[UserPresence]
    leaves: list[UserPresence]


class Stream(TypedDict, total=False):
    """What names a stream; each part is left out when 0 or empty."""

    mode: int
    subject: str
    subcontext: str
    label: str


class StreamData(TypedDict, total=False):
    """A push: a text that the runtime sent to a stream; ``sender`` only if it named one."""

    stream: Required[Stream]
    sender: UserPresence
    data: str
    reliable: bool


class StreamPresenceEvent(TypedDict, total=False):
    """A push: who came to and left a stream; hidden members do neither."""

    stream: Required[Stream]
    joins: list[UserPresence]
    leaves: list[UserPresence]
