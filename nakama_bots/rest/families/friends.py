"""Friends, invites and blocked users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.documents import json_text
from nakama_bots.rest.route import Route
from nakama_bots.types.authentication import AccountFacebook, AccountSteam
from nakama_bots.types.common import D, Empty
from nakama_bots.types.friends import FriendList, FriendsOfFriendsList

LIST: Final = Route[FriendList[Any]]("GET", "/v2/friend")
ADD: Final = Route[Empty]("POST", "/v2/friend")
DELETE: Final = Route[Empty]("DELETE", "/v2/friend")
BLOCK: Final = Route[Empty]("POST", "/v2/friend/block")
LIST_OF_FRIENDS: Final = Route[FriendsOfFriendsList[Any]]("GET", "/v2/friend/friends")
IMPORT_FACEBOOK: Final = Route[Empty]("POST", "/v2/friend/facebook")
IMPORT_STEAM: Final = Route[Empty]("POST", "/v2/friend/steam")


class FriendsFamily(Family[A], Generic[A, D]):
    """Invite, accept, remove, block and list. Users are given by id and by name."""

    def add_friends(
        self,
        session: A,
        ids: Sequence[str] | None = None,
        usernames: Sequence[str] | None = None,
        metadata: D | None = None,
    ) -> Empty:
        """Invite users, or accept their invites; ``metadata`` goes with the invite. Unknown ids are ignored."""
        text = None if metadata is None else json_text(metadata)
        return self._by_token(ADD, session, query={"ids": ids, "usernames": usernames, "metadata": text})

    def delete_friends(
        self, session: A, ids: Sequence[str] | None = None, usernames: Sequence[str] | None = None
    ) -> Empty:
        """Remove friends, withdraw or refuse invites, unblock users."""
        return self._by_token(DELETE, session, query={"ids": ids, "usernames": usernames})

    def block_friends(
        self, session: A, ids: Sequence[str] | None = None, usernames: Sequence[str] | None = None
    ) -> Empty:
        """Block users, friends or not."""
        return self._by_token(BLOCK, session, query={"ids": ids, "usernames": usernames})

    def list_friends(
        self,
        session: A,
        state: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> FriendList[D]:
        """A page of 1 to 1000 (1000 by default), of one ``FriendState`` or of all."""
        return self._by_token(LIST, session, query={"limit": limit, "state": state, "cursor": cursor})

    def list_friends_of_friends(
        self, session: A, limit: int | None = None, cursor: str | None = None
    ) -> FriendsOfFriendsList[D]:
        """A page of 1 to 100 (10 by default) of users that friends have and the user has not."""
        return self._by_token(LIST_OF_FRIENDS, session, query={"limit": limit, "cursor": cursor})

    def import_facebook_friends(self, session: A, request: AccountFacebook, reset: bool | None = None) -> Empty:
        """Add the friends of a Facebook profile; ``reset`` removes those of an earlier import first."""
        return self._by_token(IMPORT_FACEBOOK, session, query={"reset": reset}, body=request)

    def import_steam_friends(self, session: A, request: AccountSteam, reset: bool | None = None) -> Empty:
        """Add the friends of a Steam profile; ``reset`` removes those of an earlier import first."""
        return self._by_token(IMPORT_STEAM, session, query={"reset": reset}, body=request)
