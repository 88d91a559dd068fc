"""The caller's account, and other users."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import INTERNAL, NOT_FOUND, TEXTS, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.authentication import check_username, invalid
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID, StoredAccount
from nakama_bots.emulator.store.core import Core

# The longest value that the server's database columns accept, in characters.
_LONGEST: Final = {"display_name": 255, "avatar_url": 512, "lang_tag": 18, "location": 255, "timezone": 255}


def own_account(core: Core, request: Request) -> StoredAccount:
    """Return the caller's account, if it still exists."""
    account = core.accounts.get(request.caller.user_id)
    if account is None:
        raise RestFault(NOT_FOUND, "Account not found.")
    return account


def _get(core: Core, request: Request) -> JsonObject:
    account = own_account(core, request)
    return account.account(online=core.online(account))


def _storable(value: str | None, name: str) -> bool:
    """True if the database column accepts a value; "" becomes NULL, which only ``lang_tag`` refuses."""
    if value is None:
        return True
    return len(value) <= _LONGEST[name] and "\0" not in value and (value != "" or name != "lang_tag")


def _update(core: Core, request: Request) -> JsonObject:
    body = request.body
    if not body:
        raise invalid("No fields to update.")
    username = body.optional_text("username")
    if username is not None:
        check_username(username)
    account = own_account(core, request)
    if not all(_storable(body.optional_text(name), name) for name in _LONGEST):
        raise RestFault(INTERNAL, "Error while trying to update account.")
    owner = core.accounts.named(username) if username is not None else None
    if owner not in (None, account):
        raise invalid("rpc error: code = AlreadyExists desc = Username is already in use.")
    if username is not None:
        core.accounts.rename(account, username)
    for name in _LONGEST:
        if name in body:
            setattr(account, name, body.text(name))
    account.update_time = core.now()
    return {}


def _delete(core: Core, request: Request) -> JsonObject:
    account = core.accounts.get(request.caller.user_id)
    if account is not None:
        core.delete_account(account)
    return {}


def _users(core: Core, request: Request) -> JsonObject:
    ids = request.query.texts("ids")
    asked: list[StoredAccount | None] = []
    for user_id in ids:
        parsed = parse_uuid(user_id)
        if parsed is None:
            raise invalid(f"ID '{user_id}' is not a valid system ID.")
        asked.append(core.accounts.get(parsed))
    # The system user has an empty name.
    asked += [
        core.accounts.named(name) if name else core.accounts.get(SYSTEM_USER_ID)
        for name in request.query.texts("usernames")
    ]
    asked += [core.accounts.identified("facebook", one) for one in request.query.texts("facebook_ids")]
    found = {account.id: account for account in asked if account is not None}
    users = [account.user(online=core.online(account)) for account in found.values()]
    return {"users": users} if users else {}


ROUTES: Final = (
    Endpoint("GET", "/v2/account", session, _get),
    Endpoint(
        "PUT",
        "/v2/account",
        session,
        _update,
        body=Schema(dict.fromkeys(("username", *_LONGEST), text)),
    ),
    Endpoint("DELETE", "/v2/account", session, _delete),
    Endpoint("GET", "/v2/user", session, _users, {"ids": TEXTS, "usernames": TEXTS, "facebook_ids": TEXTS}),
)
