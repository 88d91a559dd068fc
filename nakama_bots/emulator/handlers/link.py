"""Links and unlinks identities of the caller's account. Those of third parties are in ``providers``."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    ALREADY_EXISTS,
    PERMISSION_DENIED,
    Endpoint,
    Request,
    RestFault,
    session,
)
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, mapping, text
from nakama_bots.emulator.handlers.account import own_account
from nakama_bots.emulator.handlers.authentication import (
    SPACE_OR_CONTROL,
    check_email,
    check_password,
    invalid,
)
from nakama_bots.emulator.store.accounts import StoredAccount
from nakama_bots.emulator.store.core import Core


def last_identity() -> RestFault:
    """Return the error for unlinking an account's last identity, or one that it does not have."""
    return RestFault(
        PERMISSION_DENIED,
        "Cannot unlink last account identifier. Check profile exists and is not last link.",
    )


def link_only(core: Core, account: StoredAccount, kind: str, external: str, in_use: str) -> None:
    """Set the account's only identity of that kind."""
    owner = core.accounts.identified(kind, external)
    if owner not in (None, account):
        raise RestFault(ALREADY_EXISTS, in_use)
    before = account.identity(kind)
    if before:
        core.accounts.unlink(account, kind, before)
    core.accounts.link(account, kind, external)
    account.update_time = core.now()


def unlink_only(core: Core, account: StoredAccount, kind: str, external: str = "") -> None:
    """Remove the account's identity of that kind; any if ``external`` is ""."""
    before = account.identity(kind)
    others = any(have != kind for have, _ in account.identities)
    if not others or (external and external != before):
        raise last_identity()
    if before:
        core.accounts.unlink(account, kind, before)
    account.update_time = core.now()


def _link_device(core: Core, request: Request) -> JsonObject:
    external = request.body.text("id")
    if not external:
        raise invalid("Device ID is required.")
    if SPACE_OR_CONTROL.search(external):
        raise invalid("Device ID invalid, no spaces or control characters allowed.")
    if not 10 <= len(external.encode()) <= 128:
        raise invalid("Device ID invalid, must be 10-128 bytes.")
    account = own_account(core, request)
    owner = core.accounts.identified("device", external)
    if owner not in (None, account):
        raise RestFault(ALREADY_EXISTS, "Device ID already in use.")
    if owner is None:
        core.accounts.link(account, "device", external)
    account.update_time = core.now()
    return {}


def _unlink_device(core: Core, request: Request) -> JsonObject:
    external = request.body.text("id")
    if not external:
        raise invalid("A device ID must be supplied.")
    account = own_account(core, request)
    identity = ("device", external)
    if identity not in account.identities or len(account.identities) == 1:
        raise last_identity()
    core.accounts.unlink(account, *identity)
    account.update_time = core.now()
    return {}


def _link_custom(core: Core, request: Request) -> JsonObject:
    external = request.body.text("id")
    if not external:
        raise invalid("Custom ID is required.")
    if SPACE_OR_CONTROL.search(external):
        raise invalid("Invalid custom ID, no spaces or control characters allowed.")
    if not 6 <= len(external.encode()) <= 128:
        raise invalid("Invalid custom ID, must be 6-128 bytes.")
    link_only(core, own_account(core, request), "custom", external, "Custom ID is already in use.")
    return {}


def _unlink_custom(core: Core, request: Request) -> JsonObject:
    unlink_only(core, own_account(core, request), "custom", request.body.text("id"))
    return {}


def _link_email(core: Core, request: Request) -> JsonObject:
    email, password = request.body.text("email"), request.body.text("password")
    if not email or not password:
        raise invalid("Email address and password is required.")
    if not SPACE_OR_CONTROL.search(email):
        check_password(password)
    check_email(email)
    account = own_account(core, request)
    link_only(core, account, "email", email.lower(), "Email is already in use.")
    account.set_password(password, core.salt())
    return {}


def _unlink_email(core: Core, request: Request) -> JsonObject:
    account = own_account(core, request)
    unlink_only(core, account, "email", request.body.text("email").lower())
    account.password = b""
    return {}


_BY_ID: Final = Schema({"id": text, "vars": mapping(text)})
_BY_EMAIL: Final = Schema({"email": text, "password": text, "vars": mapping(text)})

ROUTES: Final = (
    Endpoint("POST", "/v2/account/link/device", session, _link_device, body=_BY_ID),
    Endpoint("POST", "/v2/account/unlink/device", session, _unlink_device, body=_BY_ID),
    Endpoint("POST", "/v2/account/link/custom", session, _link_custom, body=_BY_ID),
    Endpoint("POST", "/v2/account/unlink/custom", session, _unlink_custom, body=_BY_ID),
    Endpoint("POST", "/v2/account/link/email", session, _link_email, body=_BY_EMAIL),
    Endpoint("POST", "/v2/account/unlink/email", session, _unlink_email, body=_BY_EMAIL),
)
