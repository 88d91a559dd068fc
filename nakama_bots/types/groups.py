"""Groups and their members."""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp
from nakama_bots.types.users import User


class GroupState(IntEnum):
    """What a user is in a group."""

    SUPERADMIN = 0
    ADMIN = 1
    MEMBER = 2
    JOIN_REQUEST = 3
    BANNED = 4


class Group(TypedDict, Generic[D], total=False):
    """A group; ``open`` is there even when false. ``edge_count`` counts members without join requests."""

    id: str
    creator_id: str
    name: str
    description: str
    lang_tag: str
    metadata: D
    avatar_url: str
    open: bool
    edge_count: int
    max_count: int
    create_time: Timestamp
    update_time: Timestamp


class GroupList(TypedDict, Generic[D], total=False):
    """A page of groups."""

    groups: list[Group[D]]
    cursor: str


class GroupUserListGroupUser(TypedDict, Generic[D], total=False):
    """``state`` is a ``GroupState``, there even when 0."""

    user: User[D]
    state: int


class GroupUserList(TypedDict, Generic[D], total=False):
    """A page of a group's members, join requests included."""

    group_users: list[GroupUserListGroupUser[D]]
    cursor: str


class UserGroupListUserGroup(TypedDict, Generic[D], total=False):
    """``state`` is a ``GroupState``, there even when 0."""

    group: Group[D]
    state: int


class UserGroupList(TypedDict, Generic[D], total=False):
    """A page of the groups that a user is in or asked to join."""

    user_groups: list[UserGroupListUserGroup[D]]
    cursor: str


class UpdateGroupRequest(TypedDict, total=False):
    """Only the fields that are present change. The group's id stands in the path, not here."""

    name: str
    description: str
    lang_tag: str
    avatar_url: str
    open: bool


class CreateGroupRequest(UpdateGroupRequest, total=False):
    """A new group: 100 members at most and closed where nothing else is said."""

    max_count: int
