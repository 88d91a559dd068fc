"""The history of chat channels."""

from __future__ import annotations

from typing import Any, Final, Generic

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.channels import ChannelMessageList
from nakama_bots.types.common import D

LIST_MESSAGES: Final = Route[ChannelMessageList[Any]]("GET", "/v2/channel/{channel_id}")


class ChannelsFamily(Family[A], Generic[A, D]):
    """Read what was said; sending is the socket's."""

    def list_channel_messages(
        self,
        session: A,
        channel_id: str,
        limit: int | None = None,
        forward: bool | None = None,
        cursor: str | None = None,
    ) -> ChannelMessageList[D]:
        """A page of persistent messages, 1 to 100 (1 by default), oldest first unless ``forward`` is False.

        ``cursor`` is one of an earlier page of the same direction.
        """
        page = {"limit": limit, "forward": forward, "cursor": cursor}
        return self._by_token(LIST_MESSAGES, session, (channel_id,), page)
