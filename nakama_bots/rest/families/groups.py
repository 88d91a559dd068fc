"""Groups: their own fields, membership and roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Unpack

from nakama_bots.rest.caller import A, Family, without_none
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D, Empty
from nakama_bots.types.groups import (
    CreateGroupRequest,
    Group,
    GroupList,
    GroupUserList,
    UpdateGroupRequest,
    UserGroupList,
)

LIST: Final = Route[GroupList[Any]]("GET", "/v2/group")
CREATE: Final = Route[Group[Any]]("POST", "/v2/group")
UPDATE: Final = Route[Empty]("PUT", "/v2/group/{group_id}")
DELETE: Final = Route[Empty]("DELETE", "/v2/group/{group_id}")
JOIN: Final = Route[Empty]("POST", "/v2/group/{group_id}/join")
LEAVE: Final = Route[Empty]("POST", "/v2/group/{group_id}/leave")
ADD_USERS: Final = Route[Empty]("POST", "/v2/group/{group_id}/add")
BAN_USERS: Final = Route[Empty]("POST", "/v2/group/{group_id}/ban")
DEMOTE_USERS: Final = Route[Empty]("POST", "/v2/group/{group_id}/demote")
KICK_USERS: Final = Route[Empty]("POST", "/v2/group/{group_id}/kick")
PROMOTE_USERS: Final = Route[Empty]("POST", "/v2/group/{group_id}/promote")
LIST_USERS: Final = Route[GroupUserList[Any]]("GET", "/v2/group/{group_id}/user")
LIST_OF_USER: Final = Route[UserGroupList[Any]]("GET", "/v2/user/{user_id}/group")


class GroupsFamily(Family[A], Generic[A, D]):
    """Create, find, join, leave and manage groups.

    Roles are ``GroupState``. An unknown group is an empty answer where its users are listed.
    """

    def list_groups(
        self,
        session: A,
        name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        lang_tag: str | None = None,
        members: int | None = None,
        open: bool | None = None,  # the server's own name
    ) -> GroupList[D]:
        """A page of 1 to 100 (1 by default). ``%`` at the end of ``name`` stands for any text.

        ``members`` finds groups of at most as many members. ``name`` goes with no other filter.
        """
        query = {
            "name": name,
            "cursor": cursor,
            "limit": limit,
            "lang_tag": lang_tag,
            "members": members,
            "open": open,
        }
        return self._by_token(LIST, session, query=query)

    def create_group(
        self,
        session: A,
        request: CreateGroupRequest | None = None,
        **fields: Unpack[CreateGroupRequest],
    ) -> Group[D]:
        """Create a group, given as an object or by field; ``AlreadyExists`` is a taken name."""
        return self._by_token(CREATE, session, body=without_none({**(request or {}), **fields}))

    def update_group(
        self,
        session: A,
        group_id: str,
        request: UpdateGroupRequest | None = None,
        **fields: Unpack[UpdateGroupRequest],
    ) -> Empty:
        """Change what is given, in an object or by field; for admins."""
        return self._by_token(UPDATE, session, (group_id,), body=without_none({**(request or {}), **fields}))

    def delete_group(self, session: A, group_id: str) -> Empty:
        """Delete the group; for superadmins."""
        return self._by_token(DELETE, session, (group_id,))

    def join_group(self, session: A, group_id: str) -> Empty:
        """Join an open group, or ask to join a closed one."""
        return self._by_token(JOIN, session, (group_id,))

    def leave_group(self, session: A, group_id: str) -> Empty:
        """Leave; the last superadmin cannot while others stay."""
        return self._by_token(LEAVE, session, (group_id,))

    def add_group_users(self, session: A, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Add users, or accept their requests to join."""
        return self._by_token(ADD_USERS, session, (group_id,), {"user_ids": ids})

    def ban_group_users(self, session: A, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Remove users and ban them."""
        return self._by_token(BAN_USERS, session, (group_id,), {"user_ids": ids})

    def demote_group_users(self, session: A, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Demote members by one role."""
        return self._by_token(DEMOTE_USERS, session, (group_id,), {"user_ids": ids})

    def kick_group_users(self, session: A, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Remove users, or refuse their requests to join."""
        return self._by_token(KICK_USERS, session, (group_id,), {"user_ids": ids})

    def promote_group_users(self, session: A, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Promote members by one role."""
        return self._by_token(PROMOTE_USERS, session, (group_id,), {"user_ids": ids})

    def list_group_users(
        self,
        session: A,
        group_id: str,
        state: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> GroupUserList[D]:
        """A page of 1 to 100 (100 by default) members and requests, of one ``GroupState`` or of all."""
        query = {"limit": limit, "state": state, "cursor": cursor}
        return self._by_token(LIST_USERS, session, (group_id,), query)

    def list_user_groups(
        self,
        session: A,
        user_id: str,
        state: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> UserGroupList[D]:
        """A page of 1 to 100 (100 by default) groups of a user, as one ``GroupState`` or as any."""
        query = {"limit": limit, "state": state, "cursor": cursor}
        return self._by_token(LIST_OF_USER, session, (user_id,), query)
