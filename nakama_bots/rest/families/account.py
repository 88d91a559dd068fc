"""The current user's account."""

from __future__ import annotations

from typing import Any, Final, Generic, Unpack

from nakama_bots.rest.caller import A, Family, without_none
from nakama_bots.rest.route import Route
from nakama_bots.types.account import Account as AccountObject
from nakama_bots.types.account import UpdateAccountRequest
from nakama_bots.types.common import D, Empty

GET: Final = Route[AccountObject[Any]]("GET", "/v2/account")
UPDATE: Final = Route[Empty]("PUT", "/v2/account")
DELETE: Final = Route[Empty]("DELETE", "/v2/account")


class AccountFamily(Family[A], Generic[A, D]):
    """Read, change and delete the account of the session's user."""

    def get_account(self, session: A) -> AccountObject[D]:
        """Get the user with wallet, email and devices."""
        return self._by_token(GET, session)

    def update_account(
        self,
        session: A,
        request: UpdateAccountRequest | None = None,
        **fields: Unpack[UpdateAccountRequest],
    ) -> Empty:
        """Change what is given, in an object or by name; an empty text clears a field.

        A taken name is ``InvalidArgument``.
        """
        return self._by_token(UPDATE, session, body=without_none({**(request or {}), **fields}))

    def delete_account(self, session: A) -> Empty:
        """Delete the account; its tokens are refused from now on and its identities are free again."""
        return self._by_token(DELETE, session)
