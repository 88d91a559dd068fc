"""Notifications: pushed, and kept until deleted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb, timestamp
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.limits import UNBOUNDED

# Codes of the server's own notifications (``server/core_notification.go``).
DM_REQUEST: Final = -1
FRIEND_REQUEST: Final = -2
FRIEND_ACCEPT: Final = -3
GROUP_ADD: Final = -4
GROUP_JOIN_REQUEST: Final = -5
FRIEND_JOIN_GAME: Final = -6
SINGLE_SOCKET: Final = -7
USER_BANNED: Final = -8
FRIEND_REMOVE: Final = -9

_SECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """One notification. ``content`` is JSON text; ``create_time`` Unix nanoseconds; ``sender_id`` "": none."""

    id: str
    subject: str
    content: str
    code: int
    sender_id: str
    create_time: int
    persistent: bool

    def wire(self) -> JsonObject:
        """Nakama's ``StoredNotification`` as it is pushed."""
        fields: JsonObject = {
            "id": self.id,
            "subject": self.subject,
            "content": self.content,
            "code": self.code,
            "sender_id": self.sender_id,
            "create_time": timestamp(self.create_time // _SECOND * _SECOND),
            "persistent": self.persistent,
        }
        return {name: value for name, value in fields.items() if value}

    def stored(self) -> JsonObject:
        """Return it as in a list: JSON rewritten by PostgreSQL, without the system user's id."""
        fields = {**self.wire(), "content": jsonb(self.content)}
        if self.sender_id == SYSTEM_USER_ID:
            del fields["sender_id"]
        return fields


class _NotificationPlace(NamedTuple):
    number: int


class NotificationStore:
    """The kept notifications of every user, oldest first; beyond ``most`` the oldest of all are dropped."""

    def __init__(self, most: int = UNBOUNDED.notifications) -> None:
        self._most = most
        self._numbers = itertools.count(1)
        self._users: dict[str, dict[int, StoredNotification]] = {}
        # Number -> receiver, in order of arrival.
        self._receivers: dict[int, str] = {}

    def keep(self, user_id: str, notification: StoredNotification) -> None:
        """Keep a notification for its receiver."""
        number = next(self._numbers)
        self._users.setdefault(user_id, {})[number] = notification
        self._receivers[number] = user_id
        if len(self._receivers) > self._most:
            oldest = next(iter(self._receivers))
            self._forget(self._receivers[oldest], [oldest])

    def page(self, user_id: str, limit: int, cursor: str = "") -> JsonObject:
        """Return Nakama's ``NotificationList`` after ``cursor``, which is included even for an empty page.

        ``InvalidCursor``: the cursor is invalid.
        """
        after = cursors.decode(cursor, _NotificationPlace).number if cursor else 0
        kept = [item for item in self._users.get(user_id, {}).items() if item[0] > after][:limit]
        if not kept:
            return {"cacheable_cursor": cursor or cursors.encode(_NotificationPlace(0))}
        return {
            "notifications": [notification.stored() for _, notification in kept],
            "cacheable_cursor": cursors.encode(_NotificationPlace(kept[-1][0])),
        }

    def delete(self, user_id: str, ids: list[str]) -> None:
        """Delete the user's notifications of these ids."""
        kept = self._users.get(user_id, {})
        self._forget(user_id, [number for number, notification in kept.items() if notification.id in ids])

    def of(self, user_id: str) -> list[StoredNotification]:
        """Return all notifications of a user, oldest first."""
        return list(self._users.get(user_id, {}).values())

    def find(self, ids: list[str], user_id: str = "") -> list[tuple[str, StoredNotification]]:
        """Return notifications by id, with the user's id; of one user, or of all users."""
        return [
            (owner, one)
            for owner, kept in self._users.items()
            for one in kept.values()
            if one.id in ids and user_id in ("", owner)
        ]

    def change(self, notification_id: str, changes: dict[str, Any]) -> None:
        """Change fields of a kept notification, if the id exists."""
        for kept in self._users.values():
            for number, one in kept.items():
                if one.id == notification_id:
                    kept[number] = replace(one, **changes)

    def forget_user(self, user_id: str) -> None:
        """Delete all notifications of a deleted user."""
        self._forget(user_id, list(self._users.get(user_id, ())))

    def _forget(self, user_id: str, numbers: list[int]) -> None:
        for number in numbers:
            del self._users[user_id][number], self._receivers[number]
        if not self._users.get(user_id, True):
            del self._users[user_id]
