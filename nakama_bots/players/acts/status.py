"""The status as a bot sets it and hears it of those it follows; each one stamped, for its delivery."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from nakama_bots.players.delivery import Stamp
from nakama_bots.players.inbox import STATUS, Inbox, Outbox
from nakama_bots.players.player import Player
from nakama_bots.types.realtime import StatusPresenceEvent


class StatusBoard:
    """Follows ``user_ids`` while it is open; a context manager.

    Of each of them, what is missing between the first and the last status that came is lost.
    """

    def __init__(self, player: Player, user_ids: Sequence[str]) -> None:
        self._player = player
        self._user_ids = user_ids
        self._outbox = Outbox(secrets.randbits(64))
        self._inbox = Inbox(player, STATUS, drop_in=True)
        self._remove = player.socket.tap("status_presence_event", self._on_presence)

    def __enter__(self) -> Self:
        try:
            if self._user_ids:
                self._player.socket.follow_users(self._user_ids)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()
        self._inbox.report()
        if self._player.connected and self._user_ids and kind is None:
            self._player.socket.unfollow_users(self._user_ids)

    def show(self) -> None:
        """Show a new status to all who follow."""
        self._player.socket.update_status(base64.b64encode(self._outbox.state().pack()).decode())

    def _on_presence(self, event: StatusPresenceEvent, read_at: float, _size: int) -> None:
        for presence in event.get("joins", ()):
            try:
                stamp = Stamp.unpack(base64.b64decode(presence.get("status", ""), validate=True))
            except ValueError:  # a human's
                continue
            if stamp is not None:
                self._inbox.receive(f"{stamp.sender:016x}", stamp, read_at)
