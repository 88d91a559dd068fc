"""Accounts and users: read, changed, banned, deleted; their identities."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    Field,
    FunctionFamily,
    Table,
    any_text_field,
    document,
    document_field,
    fail,
    flag,
    id_field,
    identifier,
    identifiers,
    loaded,
    optional_integer,
    optional_table,
    optional_text,
    rows,
    seconds,
    text,
    text_map,
    texts,
)
from nakama_bots.emulator.runtime.nk.asking import ask
from nakama_bots.emulator.store.accounts import PROVIDER_FIELDS, SYSTEM_USER_ID, StoredAccount
from nakama_bots.emulator.store.core import Core

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x1f\x7f\s]")
_TEXTS: Final = ("display_name", "timezone", "location", "lang_tag", "avatar_url")


def _named(field: str) -> Field:
    """Return a string field whose name the server writes with blanks."""

    def read(_: str, value: Any) -> str:
        return any_text_field(field, value)

    return read


_UPDATE: Final[dict[str, Field]] = {
    "user_id": id_field,
    "metadata": document_field,
    "username": any_text_field,
    **{name: _named(name.replace("_", " ")) for name in _TEXTS},
}
_LIST: Final = ("each user id must be a string", "each user id must be a valid id string")


def user(core: Core, account: StoredAccount) -> JsonObject:
    """Return a user as a module receives it."""
    return {
        "user_id": account.id,
        "username": account.username,
        "display_name": account.display_name,
        "avatar_url": account.avatar_url,
        "lang_tag": account.lang_tag,
        "location": account.location,
        "timezone": account.timezone,
        **{name: account.identity(kind) or None for kind, name in PROVIDER_FIELDS.items()},
        "online": core.online(account),
        "edge_count": account.edge_count,
        "create_time": seconds(account.create_time),
        "update_time": seconds(account.update_time),
        "metadata": loaded(account.metadata),
    }


def _account(core: Core, account: StoredAccount) -> JsonObject:
    devices = [{"id": external} for kind, external in account.identities if kind == "device"]
    return {
        **user(core, account),
        "user": user(core, account),
        "wallet": loaded(account.wallet),
        "email": account.identity("email") or None,
        "devices": devices or None,
        "custom_id": account.identity("custom") or None,
        "disable_time": seconds(account.update_time) if account.disabled else None,
    }


def read_changes(number: int, updates: Table | None) -> list[dict[str, Any]]:
    """Return the account updates of ``multi_update``."""
    found = rows(number, updates or [], "expects a valid set of account update data", _UPDATE)
    if not all("user_id" in row for row in found):
        raise ArgumentError(number, "expects a valid user ID")
    return found


def check_changes(core: Core, changes: list[dict[str, Any]], doing: str) -> None:
    """Refuse changes that ``apply_changes`` could not apply."""
    for row in changes:
        given = {name: value for name, value in row.items() if name != "user_id" and value != ""}
        username = given.get("username", "")
        if _CONTROL.search(username):
            raise fail(f"{doing}: Username invalid, no spaces or control characters allowed.")
        if not given:
            raise fail(f"{doing}: No fields to update.")
        other = core.accounts.named(username) if username else None
        if other is not None and other.id != row["user_id"]:
            message = "rpc error: code = AlreadyExists desc = Username is already in use."
            raise fail(f"{doing}: {message}")


def apply_changes(core: Core, changes: list[dict[str, Any]]) -> None:
    """Change accounts; missing ones are ignored."""
    for row in changes:
        account = core.accounts.get(row["user_id"])
        if account is None or account.id == SYSTEM_USER_ID:
            continue
        if row.get("username"):
            core.accounts.rename(account, row["username"])
        if "metadata" in row:
            account.metadata = jsonb(row["metadata"])
        for name in _TEXTS:
            if row.get(name):
                setattr(account, name, row[name])
        account.update_time = core.now()


class AccountFunctions(FunctionFamily):
    """Accounts, by user id."""

    def account_get_id(self, user_id: str) -> JsonObject:
        """Return a user's account, with ``user``, ``wallet``, ``email``, ``devices`` and ``custom_id``."""
        wanted = identifier(1, user_id, "invalid user id", "expects user id")
        account = self.core.accounts.get(wanted)
        if account is None:
            raise fail(f"failed to get account for user_id {wanted}: account not found")
        return _account(self.core, account)

    def accounts_get_id(self, user_ids: Table | None = None) -> list[JsonObject]:
        """Return the existing accounts of users."""
        each, valid = "user id must be a string", "user id must be a valid identifier string"
        wanted = identifiers(1, optional_table(1, user_ids) or [], "invalid user ids list", each, valid)
        found = [self.core.accounts.get(one) for one in dict.fromkeys(wanted)]
        return [_account(self.core, account) for account in found if account is not None]

    def account_update_id(
        self,
        user_id: str,
        metadata: Table | None = None,
        username: str | None = None,
        display_name: str | None = None,
        timezone: str | None = None,
        location: str | None = None,
        lang_tag: str | None = None,
        avatar_url: str | None = None,
    ) -> None:
        """Change an account; nil and empty fields stay unchanged."""
        wanted = identifier(1, user_id, "expects user ID to be a valid identifier")
        row: dict[str, Any] = {} if optional_table(2, metadata) is None else {"metadata": document(2, metadata)}
        given = (username, display_name, timezone, location, lang_tag, avatar_url)
        for number, (name, value) in enumerate(zip(("username", *_TEXTS), given, strict=True), 3):
            row[name] = optional_text(number, value)
        row["user_id"] = wanted
        check_changes(self.core, [row], "error while trying to update user")
        apply_changes(self.core, [row])

    def account_delete_id(self, user_id: str, recorded: bool | None = None) -> None:
        """Delete an account with all its data."""
        wanted = identifier(1, user_id, "expects user ID to be a valid identifier")
        flag(2, recorded)
        if wanted == SYSTEM_USER_ID:
            raise fail("error while trying to delete account: cannot delete the system user")
        account = self.core.accounts.get(wanted)
        if account is not None:
            self.core.delete_account(account)

    def account_export_id(self, user_id: str) -> str:
        """Return the server's data of a user, as JSON text."""
        wanted = identifier(1, user_id, "expects user ID to be a valid identifier")
        account = self.core.accounts.get(wanted)
        if account is None:
            message = "error exporting account: rpc error: code = NotFound desc = Account not found."
            raise fail(message)
        objects = [one.wire() for one in self.core.storage.of_user(wanted)]
        export = {"account": account.account(online=self.core.online(account)), "objects": objects}
        return orjson.dumps({name: value for name, value in export.items() if value}).decode()

    def users_get_id(
        self, user_ids: Table | None = None, facebook_ids: Table | None = None
    ) -> list[JsonObject]:
        """Return the existing users of these ids."""
        wanted = identifiers(1, optional_table(1, user_ids) or [], "invalid user ids list", *_LIST)
        each = "each facebook id must be a string"
        facebook = texts(2, optional_table(2, facebook_ids) or [], "invalid facebook ids list", each)
        found = [self.core.accounts.get(one) for one in dict.fromkeys(wanted)]
        found += [self.core.accounts.identified("facebook", one) for one in facebook]
        return self.__users(found)

    def __users(self, found: list[StoredAccount | None]) -> list[JsonObject]:
        return [user(self.core, account) for account in found if account is not None]

    def users_get_username(self, usernames: Table) -> list[JsonObject]:
        """Return the existing users of these names."""
        given = optional_table(1, usernames)
        if given is None:
            raise ArgumentError(1, "invalid username list")
        names = texts(1, given, "invalid username data", "each username must be a string")
        return self.__users([self.core.accounts.named(name) for name in dict.fromkeys(names)])

    def users_get_random(self, count: int | None = None) -> list[JsonObject]:
        """Return ``count`` random users."""
        number = optional_integer(1, count)
        if not 0 <= number <= 1000:
            raise ArgumentError(1, "count must be 0-1000")
        users = [one for one in self.core.accounts.all() if one.id != SYSTEM_USER_ID]
        return self.__users(list(self.core.rng.sample(users, min(number, len(users)))))

    def users_get_friend_status(self, user_id: str, user_ids: Table) -> list[JsonObject]:
        """Return a user's edges to others: ``state``, ``update_time``, ``metadata`` and ``user``."""
        me = identifier(1, user_id, "invalid user id")
        each = "each user id must be a string"
        others = identifiers(2, user_ids, "invalid user ids list", each, "invalid user id")
        shown: list[JsonObject] = []
        for other in dict.fromkeys(others):
            edge, account = self.core.friends.edge(me, other), self.core.accounts.get(other)
            if edge is not None and account is not None:
                shown.append(
                    {
                        "state": int(edge.state),
                        "update_time": seconds(edge.update_time),
                        # Without ``edge_count``.
                        "user": {**user(self.core, account), "edge_count": 0},
                        "metadata": loaded(edge.metadata),
                    }
                )
        return shown

    def users_ban_id(self, user_ids: Table) -> None:
        """Ban users: invalidate their tokens, notify and close their sockets."""
        for account in self.__to_ban(user_ids):
            self.core.ban(account)

    def users_unban_id(self, user_ids: Table) -> None:
        """Unban users."""
        for account in self.__to_ban(user_ids):
            account.disabled = False

    def __to_ban(self, user_ids: Table) -> list[StoredAccount]:
        given = optional_table(1, user_ids)
        if given is None:
            raise ArgumentError(1, "invalid user id list")
        found = map(self.core.accounts.get, identifiers(1, given, "invalid user id data", *_LIST))
        return [account for account in found if account is not None]


class IdentityFunctions(FunctionFamily):
    """Authentication as a user, and its identities."""

    def authenticate_device(
        self,
        id: str,  # noqa: A002 - the server's name
        username: str | None = None,
        create: bool | None = None,
    ) -> tuple[str, str, bool]:
        """Return the id and name of a device's user, and whether it was created now."""
        return self.__by_id("device", 10, id, username, create)

    def authenticate_custom(
        self,
        id: str,  # noqa: A002 - the server's name
        username: str | None = None,
        create: bool | None = None,
    ) -> tuple[str, str, bool]:
        """Return the id and name of a custom id's user, and whether it was created now."""
        return self.__by_id("custom", 6, id, username, create)

    def __by_id(
        self, kind: str, shortest: int, given: Any, username: Any, create: Any
    ) -> tuple[str, str, bool]:
        external = text(1, given, "expects id string")
        if _SPACE_OR_CONTROL.search(external):
            raise ArgumentError(1, "expects id to be valid, no spaces or control characters allowed")
        if not shortest <= len(external.encode()) <= 128:
            raise ArgumentError(1, f"expects id to be valid, must be {shortest}-128 bytes")
        name, makes = self.__name(2, username), flag(3, create, True)  # noqa: FBT003
        return self.__authenticated(kind, external, {"id": external}, name, makes=makes)

    @staticmethod
    def __name(number: int, username: Any) -> str:
        name = optional_text(number, username)
        if _CONTROL.search(name):
            reason = "expects username to be valid, no spaces or control characters allowed"
            raise ArgumentError(number, reason)
        if len(name.encode()) > 128:
            raise ArgumentError(number, "expects id to be valid, must be 1-128 bytes")
        return name

    def __authenticated(
        self, kind: str, external: str, body: dict[str, Any], username: str, *, makes: bool
    ) -> tuple[str, str, bool]:
        template, query = f"/v2/account/authenticate/{kind}", {"create": makes, "username": username}
        answer = ask(self.core, "POST", template, "error authenticating", query=query, body=body)
        account = self.core.accounts.identified(kind, external) if external else None
        account = account or self.core.accounts.named(username)
        assert account is not None  # it has just logged in
        return account.id, account.username, bool(answer.get("created"))

    def authenticate_email(
        self,
        email: str | None,
        password: str,
        username: str | None = None,
        create: bool | None = None,
    ) -> tuple[str, str, bool]:
        """Return the id and name of an email address's user, and whether it was created now.

        Without an address the user of that name logs in.
        """
        address = optional_text(1, email)
        if _SPACE_OR_CONTROL.search(address):
            raise ArgumentError(1, "expects email to be valid, no spaces or control characters allowed")
        if address and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}", address):
            raise ArgumentError(1, "expects email to be valid, invalid email address format")
        if address and not 10 <= len(address.encode()) <= 255:
            raise ArgumentError(1, "expects email to be valid, must be 10-255 bytes")
        if len(text(2, password, "expects password string").encode()) < 8:
            raise ArgumentError(2, "expects password to be valid, must be longer than 8 characters")
        name = self.__name(3, username)
        if not address and not name:
            raise ArgumentError(1, "expects username string when email is not supplied")
        body, makes = {"email": address, "password": password}, flag(4, create, True)  # noqa: FBT003
        return self.__authenticated("email", address.lower(), body, name, makes=makes)

    def authenticate_token_generate(
        self,
        user_id: str,
        username: str,
        expiry: int | None = None,
        vars: Table | None = None,  # noqa: A002
    ) -> tuple[str, int]:
        """Return a session token for a user, and its expiry in Unix seconds."""
        wanted = identifier(1, user_id, "expects valid user id", "expects user id")
        name = text(2, username) or self.core.new_username()
        now, options = self.core.seconds(), self.core.options
        until = optional_integer(3, expiry) or now + options.token_expiry
        given = text_map(4, vars, "vars")
        claims = SessionClaims(self.core.new_id(), wanted, name, now, until, given)
        return claims.sign(options.encryption_key), until

    def link_device(self, user_id: str, device_id: str) -> None:
        """Link a device to a user."""
        self.__change("link", "device", user_id, {"id": text(2, device_id, "expects device ID string")})

    def link_custom(self, user_id: str, custom_id: str) -> None:
        """Link a custom id to a user."""
        self.__change("link", "custom", user_id, {"id": text(2, custom_id, "expects custom ID string")})

    def link_email(self, user_id: str, email: str, password: str) -> None:
        """Link an email address with its password to a user."""
        address = text(2, email, "expects email string")
        secret = text(3, password, "expects username string")
        self.__change("link", "email", user_id, {"email": address, "password": secret})

    def unlink_device(self, user_id: str, device_id: str) -> None:
        """Unlink a device from a user."""
        self.__change("unlink", "device", user_id, {"id": text(2, device_id, "expects device ID string")})

    def unlink_custom(self, user_id: str, custom_id: str | None = None) -> None:
        """Unlink the custom id of a user."""
        self.__change("unlink", "custom", user_id, {"id": optional_text(2, custom_id)})

    def unlink_email(self, user_id: str, email: str | None = None) -> None:
        """Unlink the email address of a user."""
        self.__change("unlink", "email", user_id, {"email": optional_text(2, email)})

    def __change(self, verb: str, kind: str, user_id: Any, body: dict[str, Any]) -> None:
        wanted = identifier(1, user_id, "user ID must be a valid identifier")
        ask(self.core, "POST", f"/v2/account/{verb}/{kind}", f"error {verb}ing", user_id=wanted, body=body)
