"""Friends: the users that a user is connected with."""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp
from nakama_bots.types.users import User


class FriendState(IntEnum):
    """How a user stands to the session's user."""

    FRIEND = 0
    INVITE_SENT = 1
    INVITE_RECEIVED = 2
    BLOCKED = 3


class Friend(TypedDict, Generic[D], total=False):
    """``state`` is a ``FriendState``, there even when 0; ``metadata`` what the user gave with the invite."""

    user: User[D]
    state: int
    update_time: Timestamp
    metadata: D


class FriendList(TypedDict, Generic[D], total=False):
    """A page of friends."""

    friends: list[Friend[D]]
    cursor: str


class FriendsOfFriendsListFriendOfFriend(TypedDict, Generic[D], total=False):
    """``referrer`` is the id of the friend whose friend ``user`` is."""

    referrer: str
    user: User[D]


class FriendsOfFriendsList(TypedDict, Generic[D], total=False):
    """A page of friends' friends."""

    friends_of_friends: list[FriendsOfFriendsListFriendOfFriend[D]]
    cursor: str
