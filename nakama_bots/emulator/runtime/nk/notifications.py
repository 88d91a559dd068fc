"""Notifications: sent, listed, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    Field,
    FunctionFamily,
    Table,
    any_text_field,
    document_field,
    fail,
    fields,
    flag,
    identifier,
    identifiers,
    integer,
    loaded,
    optional_integer,
    optional_text,
    rows,
    seconds,
    text,
    text_field,
)
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.notifications import StoredNotification


def _uuid(name: str, value: Any) -> str:
    parsed = parse_uuid(any_text_field(name, value))
    if parsed is None:
        msg = f"expects {name} to be a valid UUID"
        raise ValueError(msg)
    return parsed


def _persistent(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        msg = f"expects {name} to be boolean"
        raise ValueError(msg)
    return value


def _content(name: str, value: Any) -> str:
    if not isinstance(value, Mapping | list):
        msg = f"expects {name} to be a table"
        raise ValueError(msg)
    return go_json(dict(value) if isinstance(value, Mapping) else None)


def _code(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"expects {name} to be number"
        raise ValueError(msg)
    if int(value) <= 0:
        msg = f"expects {name} to number above 0"
        raise ValueError(msg)
    return int(value)


_SEND: Final[dict[str, Field]] = {
    "persistent": _persistent,
    "subject": any_text_field,
    "content": _content,
    "code": _code,
    "user_id": _uuid,
    "sender_id": _uuid,
}
_NEEDED: Final = {
    "subject": "expects subject to be provided and to be non-empty",
    "content": "expects content to be provided and be valid JSON",
    "user_id": "expects user_id to be provided and be a valid UUID",
    "code": "expects code to be provided and be a number above 0",
}
_DELETE: Final[dict[str, Field]] = {"user_id": _uuid, "notification_id": _uuid}


def _id(name: str, value: Any) -> str:
    parsed = parse_uuid(any_text_field(name, value))
    if parsed is None:
        msg = "expects user_id to be a valid ID"  # the server's own words
        raise ValueError(msg)
    return parsed


_UPDATE: Final[dict[str, Field]] = {
    "id": _id,
    "content": document_field,
    "subject": text_field,
    "sender": text_field,
}


def _shown(notification: StoredNotification, user_id: str) -> JsonObject:
    sender = notification.sender_id
    return {
        "code": notification.code,
        "content": loaded(jsonb(notification.content)),
        "sender_id": None if sender in ("", SYSTEM_USER_ID) else sender,
        "subject": notification.subject,
        "user_id": user_id,
        "create_time": seconds(notification.create_time),
        "persistent": notification.persistent,
    }


class NotificationFunctions(FunctionFamily):
    """Notifications; only those that are persistent are kept, and can be listed."""

    def notification_send(
        self,
        user_id: str,
        subject: str,
        content: Table,
        code: int,
        sender_id: str | None = None,
        persistent: bool | None = None,
    ) -> None:
        """Notify a user; no ``sender_id``: the system."""
        user = identifier(1, user_id, "expects user_id to be a valid UUID")
        title = text(2, subject, "expects subject to be a non-empty string")
        body, number = self.__body(3, content), integer(4, code)
        if number <= 0 and not -2000 <= number <= -1000:
            raise ArgumentError(4, "expects code number to be a positive integer")
        reason = "expects sender_id to either be not set, empty string or a valid UUID"
        sender = identifier(5, sender_id, reason) if optional_text(5, sender_id) else SYSTEM_USER_ID
        self.core.notify(user, title, body, number, sender, persistent=flag(6, persistent))

    @staticmethod
    def __body(number: int, content: Any) -> str:
        # A list is not an object, and the server sends null for it.
        given = fields(number, content)
        return "null" if not given and isinstance(content, list) and content else go_json(given)

    def notifications_send(self, notifications: Table) -> None:
        """Notify users: ``user_id``, ``subject``, ``content``, ``code``, ``sender_id``, ``persistent``."""
        given = rows(1, notifications, "expects a valid set of notifications", _SEND)
        for row in given:
            for name, reason in _NEEDED.items():
                if not row.get(name):
                    raise ArgumentError(1, reason)
        for row in given:
            sender = row.get("sender_id", SYSTEM_USER_ID)
            kept = row.get("persistent", False)
            self.core.notify(
                row["user_id"], row["subject"], row["content"], row["code"], sender, persistent=kept
            )

    def notification_send_all(
        self,
        subject: str,
        content: Table,
        code: int,
        persistent: bool | None = None,
    ) -> None:
        """Notify all online users; if persistent, all users."""
        title = text(1, subject, "expects subject to be a non-empty string")
        body, number = self.__body(2, content), integer(3, code)
        if number <= 0:
            raise ArgumentError(3, "expects code number to be a positive integer")
        kept = flag(4, persistent)
        for account in self.core.accounts.all():
            if kept or self.core.sessions_of(account.id):
                self.core.notify(account.id, title, body, number, SYSTEM_USER_ID, persistent=kept)

    def notifications_list(
        self, user_id: str, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str | None]:
        """Return a user's notifications: ``id``, ``subject``, ``content`` (JSON text), ``code``, ``senderId``,
        ``persistent``, ``createTime``; and the cursor of the next page.
        """
        user = identifier(1, user_id, "expects user_id to be a valid uuid")
        number = optional_integer(2, limit, 100)
        if not 1 <= number <= 1000:
            raise ArgumentError(2, "expects limit to be value between 1 and 1000")
        try:
            page = self.core.notifications.page(user, number, optional_text(3, cursor))
        except cursors.InvalidCursor:
            raise fail("failed to list notifications: cursor invalid") from None
        found: list[Any] = page.get("notifications", [])  # type: ignore[assignment]
        kept = {one.id: one for one in self.core.notifications.of(user)}
        shown: list[JsonObject] = [
            {
                "id": one["id"],
                "subject": one.get("subject", ""),
                "content": one["content"],
                "code": one.get("code", 0),
                "senderId": one.get("sender_id", ""),
                "persistent": one.get("persistent", False),
                "createTime": seconds(kept[one["id"]].create_time),
            }
            for one in found
        ]
        return shown, str(page["cacheable_cursor"]) if shown else None

    def notifications_delete(self, notifications: Table) -> None:
        """Delete notifications: ``user_id`` and ``notification_id`` of each."""
        for row in rows(1, notifications, "expects a valid set of notifications", _DELETE):
            self.core.notifications.delete(row.get("user_id", ""), [row.get("notification_id", "")])

    def notifications_update(self, updates: Table) -> None:
        """Change kept notifications: ``id``, and any of ``subject``, ``content``, ``sender``."""
        for row in rows(1, updates, "expects a valid set of data", _UPDATE):
            changes = {"sender_id" if name == "sender" else name: row[name] for name in row if name != "id"}
            self.core.notifications.change(row.get("id", ""), changes)

    def notifications_get_id(self, ids: Table, user_id: str | None = None) -> list[JsonObject]:
        """Return kept notifications by id, of one user or of all."""
        wanted, user = self.__ids(ids), optional_text(2, user_id)
        found = self.core.notifications.find(wanted, user)
        return [_shown(notification, owner) for owner, notification in found]

    def notifications_delete_id(self, ids: Table, user_id: str | None = None) -> None:
        """Delete kept notifications by id, of one user or of all."""
        wanted, user = self.__ids(ids), optional_text(2, user_id)
        for owner, notification in self.core.notifications.find(wanted, user):
            self.core.notifications.delete(owner, [notification.id])

    @staticmethod
    def __ids(ids: Table) -> list[str]:
        each = "each notification id must be a string"
        return identifiers(1, ids, "invalid user ids list", each, "each notification id must be a valid id")
