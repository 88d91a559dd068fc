"""Authentication: one row per kind of identity."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    ALREADY_EXISTS,
    BOOL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    TEXT,
    UNAUTHENTICATED,
    Endpoint,
    Request,
    RestFault,
    server_key,
)
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, mapping, text
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.store.accounts import StoredAccount
from nakama_bots.emulator.store.core import Core

SPACE_OR_CONTROL = re.compile(r"[\x00-\x1f\x7f\s]")
# A space is accepted, despite the error's text (``server/api.go``, invalidUsernameRegex).
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_SHORTEST_PASSWORD: Final = 8


def invalid(message: str) -> RestFault:
    """Return the error of a refused argument."""
    return RestFault(INVALID_ARGUMENT, message)


def check_username(username: str) -> None:
    """Refuse an invalid username."""
    if _CONTROL.search(username):
        raise invalid("Username invalid, no spaces or control characters allowed.")
    if not 1 <= len(username.encode()) <= 128:
        raise invalid("Username invalid, must be 1-128 bytes.")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of identity that the id alone proves."""

    name: str
    label: str
    shortest: int

    def check(self, external: str) -> None:
        if not external:
            raise invalid(f"{self.label} is required.")
        if SPACE_OR_CONTROL.search(external):
            raise invalid(f"{self.label} invalid, no spaces or control characters allowed.")
        if not self.shortest <= len(external.encode()) <= 128:
            raise invalid(f"{self.label} invalid, must be {self.shortest}-128 bytes.")


_KINDS: Final = (_Kind("device", "Device ID", 10), _Kind("custom", "Custom ID", 6))


def issue(core: Core, account: StoredAccount, claims: SessionClaims) -> JsonObject:
    """Return both tokens of a login. ``claims`` has what they share; their expiry is set here."""
    options = core.options
    now = core.seconds()

    def sign(expiry: int, key: str) -> str:
        return SessionClaims(
            claims.token_id, account.id, account.username, claims.issued_at, now + expiry, claims.vars
        ).sign(key)

    return {
        "token": sign(options.token_expiry, options.encryption_key),
        "refresh_token": sign(options.refresh_token_expiry, options.refresh_encryption_key),
    }


def login(core: Core, request: Request, account: StoredAccount, *, created: bool) -> JsonObject:
    """Return Nakama's ``Session`` of a new login."""
    if account.disabled:
        raise RestFault(PERMISSION_DENIED, "User account banned.")
    variables = request.body.text_map("vars")
    claims = SessionClaims(core.new_id(), account.id, account.username, core.seconds(), 0, variables)
    tokens = issue(core, account, claims)
    return {"created": True, **tokens} if created else tokens


def asked_username(request: Request) -> str:
    """Return the checked username for a new account; "" if none was given."""
    username = request.query.text("username")
    if username:
        check_username(username)
    return username


def create(
    core: Core,
    request: Request,
    identity: tuple[str, str],
    prepare: Callable[[StoredAccount], None] | None = None,
) -> JsonObject:
    """Create an account with an identity, and return it with its first session."""
    if not request.query.flag("create", default=True):
        raise RestFault(NOT_FOUND, "User account not found.")
    username = asked_username(request) or core.new_username()
    if core.accounts.named(username) is not None:
        raise RestFault(ALREADY_EXISTS, "Username is already in use.")
    now = core.now()
    account = StoredAccount(core.new_id(), username, now, now, identities=[identity])
    if prepare is not None:
        prepare(account)
    core.accounts.add(account)
    return login(core, request, account, created=True)


def _by_id(kind: _Kind, core: Core, request: Request) -> JsonObject:
    external = request.body.text("id")
    kind.check(external)
    asked_username(request)
    account = core.accounts.identified(kind.name, external)
    if account is not None:
        return login(core, request, account, created=False)
    return create(core, request, (kind.name, external))


def check_email(email: str) -> None:
    """Refuse an invalid email address."""
    if SPACE_OR_CONTROL.search(email):
        raise invalid("Invalid email address, no spaces or control characters allowed.")
    if not _EMAIL.fullmatch(email):
        raise invalid("Invalid email address format.")
    if not 10 <= len(email.encode()) <= 255:
        raise invalid("Invalid email address, must be 10-255 bytes.")


def check_password(password: str) -> None:
    """Refuse a password that is too short."""
    if len(password.encode()) < _SHORTEST_PASSWORD:
        raise invalid("Password must be at least 8 characters long.")


def _by_email(core: Core, request: Request) -> JsonObject:
    email, password = request.body.text("email").lower(), request.body.text("password")
    if email:
        check_email(email)
    check_password(password)
    if email:
        asked_username(request)
        account = core.accounts.identified("email", email)
    else:
        username = asked_username(request)
        if not username:
            raise invalid("Username is required when email address is not supplied.")
        account = core.accounts.named(username)
        if account is None:
            raise RestFault(NOT_FOUND, "User account not found.")
    if account is None:
        return create(core, request, ("email", email), lambda new: new.set_password(password, core.salt()))
    if not account.check_password(password):
        raise RestFault(UNAUTHENTICATED, "Invalid credentials.")
    return login(core, request, account, created=False)


_QUERY: Final = {"create": BOOL, "username": TEXT}
_BY_ID: Final = Schema({"id": text, "vars": mapping(text)})
_BY_EMAIL: Final = Schema({"email": text, "password": text, "vars": mapping(text)})

ROUTES: Final = (
    *(
        Endpoint(
            "POST",
            f"/v2/account/authenticate/{kind.name}",
            server_key,
            partial(_by_id, kind),
            _QUERY,
            _BY_ID,
        )
        for kind in _KINDS
    ),
    Endpoint("POST", "/v2/account/authenticate/email", server_key, _by_email, _QUERY, _BY_EMAIL),
)
