"""Friends, and channel messages."""

from __future__ import annotations

from typing import Any, Final

from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.friends import add_friends, block_friends, delete_friends
from nakama_bots.emulator.runtime.nk.accounts import user
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    document,
    fail,
    identifier,
    loaded,
    optional_integer,
    optional_table,
    optional_text,
    seconds,
    text,
    texts,
)
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.friends import StoredFriend

_USER: Final = "expects user ID to be a valid identifier"


class FriendFunctions(FunctionFamily):
    """Friends. The acting user is given by id and username."""

    def friends_list(
        self, user_id: str, limit: int | None = None, state: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return edges of a user, and the cursor of the next page.

        An edge has ``state``, ``update_time``, ``metadata`` and ``user``.
        """
        who = identifier(1, user_id, _USER)
        number, wanted = self.__limit(limit), optional_integer(3, state, -1)
        if not -1 <= wanted <= 3:
            raise ArgumentError(3, "expects state to be 0-3")
        place = optional_text(4, cursor)
        try:
            page, following = self.core.friends.page(who, number, None if wanted == -1 else wanted, place)
        except InvalidCursor:
            raise fail("error while trying to list friends for a user: friend cursor invalid") from None
        return [self.__edge(edge) for edge in page], following or None

    @staticmethod
    def __limit(limit: Any) -> int:
        number = optional_integer(2, limit, 100)
        if not 1 <= number <= 1000:
            raise ArgumentError(2, "expects limit to be 1-1000")
        return number

    def __edge(self, edge: StoredFriend) -> JsonObject:
        account = self.core.accounts.get(edge.user_id)
        assert account is not None  # a deleted user's edges go with it
        # A list of friends omits their ``edge_count``.
        shown = {**user(self.core, account), "edge_count": 0}
        return {
            "state": int(edge.state),
            "update_time": seconds(edge.update_time),
            "user": shown,
            "metadata": loaded(edge.metadata),
        }

    def friends_of_friends_list(
        self, user_id: str, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return friends of a user's friends (``referrer`` and ``user``), and the cursor of the next page."""
        who, number = identifier(1, user_id, _USER), self.__limit(limit)
        doing = "error while trying to list friends of friends for a user"
        try:
            page, following = self.core.friends.friends_of_friends(who, number, optional_text(3, cursor))
        except InvalidCursor:
            raise fail(f"{doing}: friend cursor invalid") from None
        shown: list[JsonObject] = []
        for one in page:
            account = self.core.accounts.get(one.user_id)
            assert account is not None  # a deleted user's edges go with it
            shown.append({"referrer": one.referrer, "user": user(self.core, account)})
        return shown, following or None

    def friends_add(
        self,
        user_id: str,
        username: str,
        ids: Table | None = None,
        usernames: Table | None = None,
        metadata: Table | None = None,
    ) -> None:
        """Invite users, or accept their invites."""
        others = self.__others("add self as friend", user_id, username, ids, usernames)
        if others is not None:
            who, name, found = others
            if not found:
                raise fail("no valid ID or username was provided")
            add_friends(self.core, who, name, found, document(5, metadata, ""))

    def friends_delete(
        self, user_id: str, username: str, ids: Table | None = None, usernames: Table | None = None
    ) -> None:
        """End friendships, invites and blocks."""
        others = self.__others("delete self", user_id, username, ids, usernames)
        if others is not None:
            delete_friends(self.core, *others)

    def friends_block(
        self, user_id: str, username: str, ids: Table | None = None, usernames: Table | None = None
    ) -> None:
        """Block users."""
        others = self.__others("block self", user_id, username, ids, usernames)
        if others is not None:
            who, _, found = others
            block_friends(self.core, who, found)

    def __others(
        self, doing: str, user_id: Any, username: Any, ids: Any, usernames: Any
    ) -> tuple[str, str, list[str]] | None:
        """Return the acting user's id and name, and the other users; None if there are none."""
        who, name = identifier(1, user_id, _USER), text(2, username, "expects username string")
        given = texts(3, optional_table(3, ids) or [], "invalid user ids list", "each user id must be a string")
        others: list[str] = []
        for one in given:
            parsed = parse_uuid(one)
            if parsed is None or parsed == SYSTEM_USER_ID:
                raise ArgumentError(3, f"invalid user ID {one}")
            if parsed == who:
                raise ArgumentError(3, f"cannot {doing}")
            others.append(parsed)
        each = "each username must be a non-empty string"
        named = texts(4, optional_table(4, usernames) or [], "invalid username list", each)
        if name in named:
            raise ArgumentError(4, f"cannot {doing}")
        if not given and not named:
            return None
        accounts = map(self.core.accounts.named, named)
        found = others + [one.id for one in accounts if one is not None]
        return who, name, found

    def friend_metadata_update(self, user_id: str, friend_id: str, metadata: Table) -> None:
        """Change the metadata of an edge."""
        who, other = identifier(1, user_id, _USER), identifier(2, friend_id, _USER)
        kept = jsonb(document(3, metadata))
        edge = self.core.friends.edge(who, other)
        if edge is not None:
            edge.metadata = kept
