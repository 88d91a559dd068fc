"""Notifications that wait for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D, Empty
from nakama_bots.types.notifications import NotificationList

LIST: Final = Route[NotificationList[Any]]("GET", "/v2/notification")
DELETE: Final = Route[Empty]("DELETE", "/v2/notification")


class NotificationsFamily(Family[A], Generic[A, D]):
    """List and delete persistent notifications; the socket gets the others as they come."""

    def list_notifications(
        self, session: A, limit: int | None = None, cacheable_cursor: str | None = None
    ) -> NotificationList[D]:
        """A page of 1 to 100 (1 by default), oldest first, after an earlier page's cursor."""
        return self._by_token(LIST, session, query={"limit": limit, "cacheable_cursor": cacheable_cursor})

    def delete_notifications(self, session: A, ids: Sequence[str] | None = None) -> Empty:
        """Delete notifications by id; unknown ones are ignored."""
        return self._by_token(DELETE, session, query={"ids": ids})
