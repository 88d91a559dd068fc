"""A user's session: its two tokens and their claims. Pure: every question about expiry takes the time.

Tokens are JSON Web Tokens; a client cannot check their signature and need not: the server does.
"""

from __future__ import annotations

import string
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

# A refresh this many seconds before the expiry keeps a token valid until its request has arrived.
REFRESH_MARGIN: Final = 10.0


# RFC 7515 section 3.1: three parts of base64url. A line break or a space in a token would end up in a header.
_BASE64URL: Final = string.ascii_letters.encode() + string.digits.encode() + b"-_"


class TokenError(ValueError):
    """The text is not a Nakama token."""


def _claims(token: str) -> dict[str, Any]:
    """Read the claims of ``token``, with an integer ``exp``; ``TokenError``, never naming the token."""
    text = token.encode("ascii", "replace")
    if text.translate(None, _BASE64URL) != b".." or text.startswith(b"."):
        msg = "a token has 3 parts of base64url separated by dots"
        raise TokenError(msg)
    try:
        body = text.split(b".")[1].replace(b"-", b"+").replace(b"_", b"/")
        # What is missing of the padding; more is not read.
        claims = orjson.loads(a2b_base64(body + b"=="))
    except ValueError:
        msg = "the second part of the token is not base64url-encoded JSON"
        raise TokenError(msg) from None
    if not isinstance(claims, dict) or not isinstance(claims.get("exp"), int):
        msg = "the token has no integer 'exp' claim"
        raise TokenError(msg)
    return claims


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token; times are Unix seconds."""

    token_id: str
    user_id: str
    username: str
    expires_at: int
    issued_at: int
    vars: Mapping[str, str]

    @classmethod
    def decode(cls, token: str) -> Claims:
        """Read the claims of ``token``; ``TokenError`` (never naming the token) if it is none."""
        claims = _claims(token)
        vrs = claims.get("vrs")
        return cls(
            token_id=str(claims.get("tid", "")),
            user_id=str(claims.get("uid", "")),
            username=str(claims.get("usn", "")),
            expires_at=claims["exp"],
            issued_at=_issued(claims),
            vars={str(k): str(v) for k, v in vrs.items()} if isinstance(vrs, dict) else {},
        )


def _issued(claims: Mapping[str, Any]) -> int:
    issued = claims.get("iat")
    return issued if isinstance(issued, int) else 0


@dataclass(slots=True)
class Session:
    """A session authenticated for a user, from the server's ``Session`` object.

    ``token`` and ``refresh_token`` change in place with ``update``, so that every holder of the session
    uses the new ones. ``created`` is true if the account was just created, ``stale`` if the server
    has refused the session although no token is expired: only a login helps.
    """

    token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    created: bool = False
    stale: bool = field(default=False, init=False, repr=False)
    # Four of the token's claims, not all: a process holds thousands of sessions. Times are Unix seconds.
    user_id: str = field(init=False, repr=False)
    username: str = field(init=False, repr=False)
    """The user's name when the token was issued."""
    created_at: int = field(init=False, repr=False)
    """When the user logged in; a refresh keeps it."""
    expires_at: int = field(init=False, repr=False)
    refresh_expires_at: int | None = field(default=None, init=False, repr=False)
    """When the refresh token expires; None without one."""

    def __post_init__(self) -> None:
        self.update(self.token, self.refresh_token)

    @classmethod
    def restore(cls, token: str, refresh_token: str = "") -> Session:
        """A session from stored tokens; ``TokenError`` if either is not a token."""
        return cls(token, refresh_token)

    def update(self, token: str, refresh_token: str = "") -> None:
        """Take the tokens of a refresh; both are read before either is replaced.

        Without a new refresh token the old one stays: it is valid until it expires.
        """
        claims = _claims(token)
        if refresh_token:
            self.refresh_expires_at = _claims(refresh_token)["exp"]
            self.refresh_token = refresh_token
        self.token = token
        self.user_id, self.username = str(claims.get("uid", "")), str(claims.get("usn", ""))
        self.created_at, self.expires_at = _issued(claims), claims["exp"]
        self.stale = False

    @property
    def vars(self) -> Mapping[str, str]:
        """Custom properties given at authentication."""
        return Claims.decode(self.token).vars

    def is_expired(self, now: float) -> bool:
        """Whether the token is expired at ``now`` (Unix seconds)."""
        return now >= self.expires_at

    def is_refresh_expired(self, now: float) -> bool:
        """Whether the session can no longer be refreshed at ``now`` (Unix seconds)."""
        return self.refresh_expires_at is None or now >= self.refresh_expires_at

    def needs_refresh(self, now: float, margin: float = REFRESH_MARGIN) -> bool:
        """Whether the token expires within ``margin`` seconds of ``now`` and a refresh is still possible."""
        return now + margin >= self.expires_at and not self.is_refresh_expired(now)
