"""Sessions: the answer to an authentication, refresh and logout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class ApiSession(TypedDict, total=False):
    """The answer to an authentication or a refresh; ``created`` is only present when true."""

    created: bool
    token: str
    refresh_token: str


class SessionRefreshRequest(TypedDict, total=False):
    """``token`` is the refresh token."""

    token: str
    vars: Mapping[str, str]


class SessionLogoutRequest(TypedDict, total=False):
    """Without both tokens every token of the user from an earlier second is logged out."""

    token: str
    refresh_token: str
