"""Accounts, their identities, and which of their tokens are still valid."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.store.limits import UNBOUNDED, Full

SYSTEM_USER_ID: Final = "00000000-0000-0000-0000-000000000000"
# Not bcrypt: it costs a real server half a second per login, and nothing here needs protection.
_HASH_ROUNDS: Final = 100

# The kinds of identity that other users may see, and their fields in ``User``.
PROVIDER_FIELDS: Final = {
    "apple": "apple_id",
    "facebook": "facebook_id",
    "facebookinstantgame": "facebook_instant_game_id",
    "gamecenter": "gamecenter_id",
    "google": "google_id",
    "steam": "steam_id",
}


@dataclass(slots=True)
class StoredAccount:
    """One user. Times are Unix nanoseconds; ``identities`` are (kind, external id), oldest first."""

    id: str
    username: str
    create_time: int
    update_time: int
    display_name: str = ""
    avatar_url: str = ""
    lang_tag: str = "en"
    location: str = ""
    timezone: str = ""
    metadata: str = "{}"
    wallet: str = "{}"
    disabled: bool = False
    edge_count: int = 0
    salt: bytes = field(default=b"", repr=False)
    password: bytes = field(default=b"", repr=False)
    identities: list[tuple[str, str]] = field(default_factory=list)

    def identity(self, kind: str) -> str:
        """Return the external id of that kind, "" without one."""
        return next((external for have, external in self.identities if have == kind), "")

    def set_password(self, password: str, salt: bytes) -> None:
        """Keep the salted hash of ``password``."""
        self.salt, self.password = salt, _hash(password, salt)

    def check_password(self, password: str) -> bool:
        """True if the password is correct; always False for an account without one."""
        return bool(self.password) and hmac.compare_digest(self.password, _hash(password, self.salt))

    def user(self, *, online: bool = False, edges: bool = True) -> JsonObject:
        """Return Nakama's ``User`` without empty fields; lists of friends omit ``edges``."""
        seconds = 10**9
        fields: JsonObject = {
            "id": self.id,
            "username": self.username,
            "display_name": self.display_name,
            "avatar_url": self.avatar_url,
            "lang_tag": self.lang_tag,
            "location": self.location,
            "timezone": self.timezone,
            "metadata": self.metadata,
            **{field: self.identity(kind) for kind, field in PROVIDER_FIELDS.items()},
            "edge_count": self.edge_count if edges else 0,
            "online": online,
            "create_time": timestamp(self.create_time // seconds * seconds),
            "update_time": timestamp(self.update_time // seconds * seconds),
        }
        return {name: value for name, value in fields.items() if value}

    def account(self, *, online: bool = False) -> JsonObject:
        """Nakama's ``StoredAccount``."""
        fields: JsonObject = {
            "user": self.user(online=online),
            "wallet": self.wallet,
            "email": self.identity("email"),
            "devices": [{"id": external} for kind, external in self.identities if kind == "device"],
            "custom_id": self.identity("custom"),
        }
        return {name: value for name, value in fields.items() if value}


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _HASH_ROUNDS)


@dataclass(slots=True)
class LedgerItem:
    """One change of a wallet. Times are Unix nanoseconds; ``metadata`` is JSON text."""

    id: str
    user_id: str
    changeset: dict[str, int]
    metadata: str
    create_time: int
    update_time: int


class Accounts:
    """All accounts, by id, by name (case-sensitive) and by identity."""

    def __init__(self, now: int, most: int = UNBOUNDED.accounts) -> None:
        self._most = most
        system = StoredAccount(SYSTEM_USER_ID, "", now, now)
        self._by_id = {system.id: system}
        self._by_username: dict[str, StoredAccount] = {}
        self._by_identity: dict[tuple[str, str], StoredAccount] = {}
        # By user id, the oldest change first.
        self.ledger: dict[str, list[LedgerItem]] = {}

    def all(self) -> list[StoredAccount]:
        """Return all accounts, including the system user's."""
        return list(self._by_id.values())

    def get(self, user_id: str) -> StoredAccount | None:
        """Return the account with that id."""
        return self._by_id.get(user_id)

    def named(self, username: str) -> StoredAccount | None:
        """Return the account with exactly that name."""
        return self._by_username.get(username)

    def identified(self, kind: str, external: str) -> StoredAccount | None:
        """Return the account with that identity."""
        return self._by_identity.get((kind, external))

    def add(self, account: StoredAccount) -> None:
        """Add an account, whose name and identities must be free. ``Full``."""
        if len(self._by_id) > self._most:  # one of them is the system user
            raise Full("accounts", self._most)
        self._by_id[account.id] = account
        self._by_username[account.username] = account
        for identity in account.identities:
            self._by_identity[identity] = account

    def link(self, account: StoredAccount, kind: str, external: str) -> None:
        """Add an identity, which must be free, to an account."""
        account.identities.append((kind, external))
        self._by_identity[kind, external] = account

    def unlink(self, account: StoredAccount, kind: str, external: str) -> None:
        """Remove an identity from an account, which frees it."""
        account.identities.remove((kind, external))
        del self._by_identity[kind, external]

    def rename(self, account: StoredAccount, username: str) -> None:
        """Rename an account; the name must be free."""
        del self._by_username[account.username]
        account.username = username
        self._by_username[username] = account

    def remove(self, account: StoredAccount) -> None:
        """Remove an account, which frees its name and identities."""
        self.ledger.pop(account.id, None)
        del self._by_id[account.id]
        del self._by_username[account.username]
        for identity in account.identities:
            del self._by_identity[identity]


class SessionCache:
    """The tokens that were invalidated before they expire.

    A logout of one login invalidates its token id; a logout everywhere, all tokens issued before a second; a
    deletion, all tokens of the user. An entry is dropped once all tokens that it invalidates have expired.

    ``seconds``: the Unix time; ``longest``: how long a token can be valid, in seconds.
    """

    def __init__(self, seconds: Callable[[], int], longest: int) -> None:
        self._seconds = seconds
        self._longest = longest
        # Each with the second in which it is dropped.
        self._sessions: dict[str, int] = {}
        self._refreshes: dict[str, int] = {}
        self._removed: dict[str, int] = {}
        self._not_before: dict[str, int] = {}

    def _add(self, revoked: dict[str, int], name: str, until: int) -> None:
        now = self._seconds()
        while revoked and next(iter(revoked.values())) < now:
            del revoked[next(iter(revoked))]
        revoked[name] = until

    def revoke_session(self, claims: SessionClaims) -> None:
        """End the session tokens of a login."""
        self._add(self._sessions, claims.token_id, claims.expires_at)

    def revoke_refresh(self, claims: SessionClaims) -> None:
        """End the refresh tokens of a login."""
        self._add(self._refreshes, claims.token_id, claims.expires_at)

    def revoke_before(self, user_id: str, second: int) -> None:
        """End all tokens of a user that were issued before that second."""
        oldest = self._seconds() - self._longest
        self._not_before.pop(user_id, None)
        while self._not_before and next(iter(self._not_before.values())) < oldest:
            del self._not_before[next(iter(self._not_before))]
        self._not_before[user_id] = second

    def revoke_user(self, user_id: str) -> None:
        """End all tokens of a user for good."""
        self._add(self._removed, user_id, self._seconds() + self._longest)

    def user_valid(self, claims: SessionClaims) -> bool:
        """True if the user's tokens of that second are valid: all that a websocket handshake checks."""
        return claims.user_id not in self._removed and claims.issued_at >= self._not_before.get(
            claims.user_id, 0
        )

    def session_valid(self, claims: SessionClaims) -> bool:
        """True if a session token is valid."""
        return claims.token_id not in self._sessions and self.user_valid(claims)

    def refresh_valid(self, claims: SessionClaims) -> bool:
        """True if a refresh token is valid."""
        return claims.token_id not in self._refreshes and self.user_valid(claims)
