"""JSON Web Tokens, HS256 only, as Nakama signs its session, refresh and match tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

import orjson

from nakama_bots.emulator.formats.protojson import JsonObject


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


_HEADER: Final = _encode(b'{"alg":"HS256","typ":"JWT"}')


def _signature(signed: bytes, key: str) -> bytes:
    return _encode(hmac.digest(key.encode(), signed, hashlib.sha256))


def sign(claims: JsonObject, key: str) -> str:
    """Return a token with ``claims``, signed with ``key``."""
    signed = _HEADER + b"." + _encode(orjson.dumps(claims))
    return (signed + b"." + _signature(signed, key)).decode()


def verify(token: str, key: str, now: float) -> JsonObject | None:
    """Return the claims of a token signed with ``key`` and not expired at ``now`` (Unix seconds), or None."""
    header, _, rest = token.encode(errors="replace").partition(b".")
    body, _, signature = rest.partition(b".")
    if not hmac.compare_digest(signature, _signature(header + b"." + body, key)):
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(expires, int | float) or expires <= now:
        return None
    return dict(claims)


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """The claims of a session or refresh token; times are Unix seconds."""

    token_id: str
    user_id: str
    username: str
    issued_at: int
    expires_at: int
    vars: dict[str, str] = field(default_factory=dict)

    def sign(self, key: str) -> str:
        """Return the token, without ``vrs`` if there are no vars, as Nakama does."""
        claims: JsonObject = {"tid": self.token_id, "uid": self.user_id, "usn": self.username}
        if self.vars:
            claims["vrs"] = self.vars
        claims["exp"] = self.expires_at
        claims["iat"] = self.issued_at
        return sign(claims, key)

    @classmethod
    def verify(cls, token: str, key: str, now: float) -> SessionClaims | None:
        """Return the claims of a valid token, or None."""
        claims = verify(token, key, now)
        if claims is None or not isinstance(claims.get("uid"), str):
            return None
        issued, expires, variables = claims.get("iat"), claims["exp"], claims.get("vrs")
        return cls(
            token_id=str(claims.get("tid", "")),
            user_id=str(claims["uid"]),
            username=str(claims.get("usn", "")),
            issued_at=issued if isinstance(issued, int) else 0,
            expires_at=int(expires) if isinstance(expires, int | float) else 0,
            vars={str(k): str(v) for k, v in variables.items()} if isinstance(variables, dict) else {},
        )
