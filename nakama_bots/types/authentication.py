"""Identities: to authenticate with, to link and to unlink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class AccountApple(TypedDict, total=False):
    """A token of Sign in with Apple."""

    token: str
    vars: Mapping[str, str]


class AccountCustom(TypedDict, total=False):
    """An id of one's own, of 6 to 128 bytes."""

    id: str
    vars: Mapping[str, str]


class AccountDevice(TypedDict, total=False):
    """A device id of 10 to 128 bytes; also a row of an account's devices."""

    id: str
    vars: Mapping[str, str]


class AccountEmail(TypedDict, total=False):
    """Email address and password."""

    email: str
    password: str
    vars: Mapping[str, str]


class AccountFacebook(TypedDict, total=False):
    """An access token of Facebook's OAuth."""

    token: str
    vars: Mapping[str, str]


class AccountFacebookInstantGame(TypedDict, total=False):
    """What the Instant Games SDK signed."""

    signed_player_info: str
    vars: Mapping[str, str]


class AccountGameCenter(TypedDict, total=False):
    """What Game Center signed; ``timestamp_seconds`` is an int64."""

    player_id: str
    bundle_id: str
    timestamp_seconds: int | str
    salt: str
    signature: str
    public_key_url: str
    vars: Mapping[str, str]


class AccountGoogle(TypedDict, total=False):
    """An id token of Google."""

    token: str
    vars: Mapping[str, str]


class AccountSteam(TypedDict, total=False):
    """A session ticket of Steam."""

    token: str
    vars: Mapping[str, str]


class LinkSteamRequest(TypedDict, total=False):
    """``sync``: import Steam friends as well."""

    account: AccountSteam
    sync: bool
