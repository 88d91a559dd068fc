"""Groups and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.handlers.groups import add_users, change_users, join_group, leave_group
from nakama_bots.emulator.runtime.nk.accounts import user
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    document,
    fail,
    flag,
    identifier,
    identifiers,
    loaded,
    optional_integer,
    optional_table,
    optional_text,
    seconds,
    table,
    text,
)
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.groups import (
    GroupError,
    GroupFilter,
    GroupFull,
    GroupNameInUse,
    GroupNotFound,
    GroupPermissionDenied,
    GroupUserNotFound,
    LastSuperadmin,
    StoredGroup,
)
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

_GROUP: Final = "expects group ID to be a valid identifier"
_USER: Final = "expects user ID to be a valid identifier"
_FAULTS: Final[dict[type[GroupError], str]] = {
    GroupNotFound: "group not found",
    GroupFull: "group is full",
    GroupNameInUse: "group name in use",
    GroupPermissionDenied: "group permission denied",
    GroupUserNotFound: "user not found",
    LastSuperadmin: "user is last group superadmin",
}


def group(of: StoredGroup) -> JsonObject:
    """Return a group as a module receives it."""
    return {
        "id": of.id,
        "creator_id": of.creator_id,
        "name": of.name,
        "description": of.description,
        "avatar_url": of.avatar_url,
        "lang_tag": of.lang_tag,
        "open": of.open,
        "edge_count": of.edge_count,
        "max_count": of.max_count,
        "create_time": seconds(of.create_time),
        "update_time": seconds(of.update_time),
        "metadata": loaded(of.metadata),
    }


def _optional_id(number: int, value: Any, reason: str) -> str:
    """Read a UUID, "" for the system user's and for none."""
    given = optional_text(number, value)
    found = identifier(number, given, reason) if given else ""
    return "" if found == SYSTEM_USER_ID else found


class GroupFunctions(FunctionFamily):
    """Groups. Without ``caller_id`` permissions are not checked."""

    def groups_get_id(self, group_ids: Table) -> list[JsonObject]:
        """Return the existing groups of these ids."""
        given = optional_table(1, group_ids)
        if given is None:
            raise ArgumentError(1, "invalid group id list")
        each, valid = "each group id must be a string", "each group id must be a valid id string"
        wanted = identifiers(1, given, "invalid group id data", each, valid)
        found = [self.core.groups.get(one) for one in dict.fromkeys(wanted)]
        return [group(one) for one in found if one is not None]

    def group_create(
        self,
        user_id: str,
        name: str,
        creator_id: str | None = None,
        lang_tag: str | None = None,
        description: str | None = None,
        avatar_url: str | None = None,
        open: bool | None = None,  # noqa: A002 - the server's name and order
        metadata: Table | None = None,
        max_count: int | None = None,
    ) -> JsonObject:
        """Create a group with a user as its superadmin, and return it."""
        owner = identifier(1, user_id, _USER)
        called = text(2, name, "expects group name not be empty")
        creator = _optional_id(3, creator_id, "expects owner ID to be a valid identifier")
        kept = document(8, metadata, "{}")
        most = optional_integer(9, max_count, 100)
        if most < 1:
            raise ArgumentError(9, "expects max_count to be >= 1")
        fields: dict[str, str | bool] = {
            "lang_tag": optional_text(4, lang_tag) or "en",
            "description": optional_text(5, description),
            "avatar_url": optional_text(6, avatar_url),
            "open": flag(7, open),
            "metadata": jsonb(kept),
        }
        if owner == SYSTEM_USER_ID:
            raise fail("error while trying to create group: group creator user ID not valid")
        try:
            made = self.core.groups.create(owner, called, max_count=most, **fields)
        except GroupNameInUse:
            raise fail("error while trying to create group: group name in use") from None
        made.creator_id = creator or SYSTEM_USER_ID
        return group(made)

    def group_update(
        self,
        group_id: str,
        user_id: str | None = None,
        name: str | None = None,
        creator_id: str | None = None,
        lang_tag: str | None = None,
        description: str | None = None,
        avatar_url: str | None = None,
        open: bool | None = None,  # noqa: A002 - the server's name and order
        metadata: Table | None = None,
        max_count: int | None = None,
    ) -> None:
        """Change a group; nil and empty fields stay unchanged."""
        wanted, caller = identifier(1, group_id, _GROUP), _optional_id(2, user_id, _USER)
        creator = _optional_id(4, creator_id, "expects creator ID to be a valid identifier")
        texts = {
            "name": optional_text(3, name),
            "creator_id": creator,
            "lang_tag": optional_text(5, lang_tag),
            "description": optional_text(6, description),
            "avatar_url": optional_text(7, avatar_url),
        }
        fields: dict[str, str | bool | int] = {key: value for key, value in texts.items() if value}
        if open is not None:
            fields["open"] = flag(8, open)
        if optional_table(9, metadata) is not None:
            fields["metadata"] = jsonb(document(9, metadata))
        if optional_integer(10, max_count) > 0:
            fields["max_count"] = optional_integer(10, max_count)
        doing = "error while trying to update group"
        try:
            if caller:
                self.core.groups.allowed(wanted, caller)
            if not fields:
                raise fail(f"{doing}: no group updates")
            found = self.core.groups.get(wanted)
            if found is None:
                raise fail(f"{doing}: group not updated")
            self.core.groups.update(found, **fields)
        except GroupError as error:
            raise fail(f"{doing}: {_FAULTS[type(error)]}") from None

    def group_delete(self, group_id: str) -> None:
        """Delete a group and its chat."""
        wanted = identifier(1, group_id, _GROUP)
        found = self.core.groups.get(wanted)
        if found is not None:
            self.core.groups.delete(found)
        self.core.tracker.drop(PresenceStream(Mode.GROUP, wanted))

    def group_user_join(self, group_id: str, user_id: str, username: str) -> None:
        """Join a user to a group, or request it."""
        where = self.__member(group_id, user_id, username)
        self.__do("error while trying to join a group", lambda: join_group(self.core, *where))

    def group_user_leave(self, group_id: str, user_id: str, username: str) -> None:
        """Remove a user from a group, as if it left."""
        where = self.__member(group_id, user_id, username)
        self.__do("error while trying to leave a group", lambda: leave_group(self.core, *where))

    @staticmethod
    def __member(group_id: Any, user_id: Any, username: Any) -> tuple[str, str, str]:
        where, who = identifier(1, group_id, _GROUP), identifier(2, user_id, _USER)
        return where, who, text(3, username, "expects username string")

    @staticmethod
    def __do(doing: str, act: Callable[[], object]) -> None:
        try:
            act()
        except GroupError as error:
            raise fail(f"{doing}: {_FAULTS[type(error)]}") from None

    def group_users_add(self, group_id: str, user_ids: Table, caller_id: str | None = None) -> None:
        """Add users to a group."""
        where, who, caller = self.__users("add", group_id, user_ids, caller_id)
        doing = "error while trying to add users into a group"
        if who and not caller and self.core.groups.get(where) is None:
            raise fail(f"{doing}: group not found")
        if who:
            self.__do(doing, lambda: add_users(self.core, where, caller, who))

    def group_users_kick(self, group_id: str, user_ids: Table, caller_id: str | None = None) -> None:
        """Remove users from a group."""
        self.__change("kick", "error while trying to kick users from a group", group_id, user_ids, caller_id)

    def group_users_ban(self, group_id: str, user_ids: Table, caller_id: str | None = None) -> None:
        """Ban users from a group."""
        # The server's own words.
        self.__change("ban", "error while trying to add users into a group", group_id, user_ids, caller_id)

    def group_users_promote(self, group_id: str, user_ids: Table, caller_id: str | None = None) -> None:
        """Promote users of a group by one role."""
        self.__change(
            "promote", "error while trying to promote users in a group", group_id, user_ids, caller_id
        )

    def group_users_demote(self, group_id: str, user_ids: Table, caller_id: str | None = None) -> None:
        """Demote users of a group by one role."""
        self.__change("demote", "error while trying to demote users in a group", group_id, user_ids, caller_id)

    def __change(self, verb: str, doing: str, group_id: Any, user_ids: Any, caller_id: Any) -> None:
        where, who, caller = self.__users(verb, group_id, user_ids, caller_id)
        if who:
            self.__do(doing, lambda: change_users(self.core, verb, where, caller, who))

    @staticmethod
    def __users(verb: str, group_id: Any, user_ids: Any, caller_id: Any) -> tuple[str, list[str], str]:
        where = identifier(1, group_id, _GROUP)
        each, valid = "expects each user ID to be a string", "expects each user ID to be a valid identifier"
        who = identifiers(2, table(2, user_ids), each, each, valid)
        if SYSTEM_USER_ID in who:
            raise ArgumentError(2, f"cannot {verb} the root user")
        return where, who, _optional_id(3, caller_id, "expects caller ID to be empty or a valid identifier")

    def groups_list(
        self,
        name: str | None = None,
        lang_tag: str | None = None,
        open: bool | None = None,  # noqa: A002 - the server's name and order
        edge_count: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> tuple[list[JsonObject], str | None]:
        """Return groups by name (``%`` matches any text) or other filters, and the cursor of the next page."""
        if open is not None and not isinstance(open, bool):
            raise ArgumentError(2, "expects open true/false or nil")
        members = optional_integer(4, edge_count, -1)
        wanted = GroupFilter(
            optional_text(1, name), optional_text(2, lang_tag), open, members if members >= 0 else None
        )
        doing = "error listing groups"
        if wanted.name and wanted.combined:
            message = "name filter cannot be combined with any other filter"
            raise fail(f"{doing}: rpc error: code = InvalidArgument desc = {message}")
        try:
            page, following = self.core.groups.page(
                wanted, optional_integer(5, limit, 100), optional_text(6, cursor)
            )
        except InvalidCursor:
            message = "rpc error: code = InvalidArgument desc = Malformed cursor was used."
            raise fail(f"{doing}: {message}") from None
        return [group(one) for one in page], following or None

    def groups_get_random(self, count: int | None = None) -> list[JsonObject]:
        """Return ``count`` random groups."""
        number = optional_integer(1, count)
        if not 0 <= number <= 1000:
            raise ArgumentError(1, "count must be 0-1000")
        everything = self.core.groups.all()
        return [group(one) for one in self.core.rng.sample(everything, min(number, len(everything)))]

    def group_users_list(
        self, group_id: str, limit: int | None = None, state: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return the ``user`` and ``state`` of each member, and the cursor of the next page."""
        where = identifier(1, group_id, _GROUP)
        number, wanted = self.__page(limit, state, 10000)
        doing = "error while trying to list users in a group"
        try:
            members, following = self.core.groups.users(where, number, wanted, optional_text(4, cursor))
        except InvalidCursor:
            raise fail(f"{doing}: group user cursor invalid") from None
        shown: list[JsonObject] = []
        for member in members:
            account = self.core.accounts.get(member.user_id)
            if account is not None:
                shown.append({"user": user(self.core, account), "state": int(member.state)})
        return shown, following or None

    @staticmethod
    def __page(limit: Any, state: Any, most: int) -> tuple[int, int | None]:
        number, wanted = optional_integer(2, limit, 100), optional_integer(3, state, -1)
        if not 1 <= number <= most:
            raise ArgumentError(2, f"expects limit to be 1-{most}")
        if not -1 <= wanted <= 4:
            raise ArgumentError(3, "expects state to be 0-4")
        return number, None if wanted == -1 else wanted

    def user_groups_list(
        self, user_id: str, limit: int | None = None, state: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return the groups of a user (``group`` and ``state``), and the cursor of the next page."""
        who = identifier(1, user_id, _USER)
        number, wanted = self.__page(limit, state, 100)
        doing = "error while trying to list groups for a user"
        try:
            found, following = self.core.groups.of_user(who, number, wanted, optional_text(4, cursor))
        except InvalidCursor:
            raise fail(f"{doing}: user group cursor invalid") from None
        return [{"group": group(one), "state": int(what)} for one, what in found], following or None
