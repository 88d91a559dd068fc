"""Users as others see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D
from nakama_bots.types.users import Users as UsersObject

GET: Final = Route[UsersObject[Any]]("GET", "/v2/user")


class UsersFamily(Family[A], Generic[A, D]):
    """Look users up."""

    def get_users(
        self,
        session: A,
        ids: Sequence[str] | None = None,
        usernames: Sequence[str] | None = None,
        facebook_ids: Sequence[str] | None = None,
    ) -> UsersObject[D]:
        """Users by any of their ids and names, in any order; unknown ones are left out."""
        query = {"ids": ids, "usernames": usernames, "facebook_ids": facebook_ids}
        return self._by_token(GET, session, query=query)
