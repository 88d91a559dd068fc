"""The status that a player sets, and that of the users it follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from nakama_bots.players.delivery.exchange import ChannelMember
from nakama_bots.players.joined import Joined

if TYPE_CHECKING:
    from nakama_bots.players.player import Player
    from nakama_bots.types.realtime import StatusPresenceEvent


class Followed(Joined):
    """Users whose status is followed; created by ``player.follow``. A context manager.

    Measures the delivery of a status between players of this process.
    """

    kind = "status"
    presence_event = "status_presence_event"

    def __init__(self, player: Player, user_ids: Sequence[str]) -> None:
        super().__init__(player)
        self.user_ids = user_ids
        self._followed: dict[str, ChannelMember] = {}

    def show(self, status: str) -> None:
        """Show ``status`` to all followers of this player."""
        if self not in self.player.joined:
            raise self._outside("status_update", has_left=bool(self._followed))
        own = self.player.user_id
        self.player.world.exchange.send(self._followed[own], (own, status), perf_counter())
        self.player.show(status)

    def _listen(self) -> None:
        self._removes += [
            self.player.tap("status_presence_event", self._on_status),
            self.player.on_lost(self.went_away),
        ]

    def _join(self) -> None:
        exchange, own = self.player.world.exchange, self.player.user_id
        if self.user_ids:
            self.player.socket.follow_users(self.user_ids)
        now = perf_counter()
        for user_id in dict.fromkeys((own, *self.user_ids)):
            # The channel of a user has that user, who sends, and the followers, who receive.
            self._followed[user_id] = exchange.join(
                (self.kind, user_id), own, now, tally=self._tally, listens=user_id != own
            )

    def _rejoin(self) -> None:
        if self.user_ids:
            self.player.socket.follow_users(self.user_ids)

    def _leave(self) -> None:
        if self.user_ids:
            self.player.socket.unfollow_users(self.user_ids)

    def _members(self) -> Iterable[ChannelMember]:
        return tuple(self._followed.values())

    def _on_status(self, event: StatusPresenceEvent, arrived: float, _size: int) -> None:
        for presence in event.get("joins", ()):
            self._member = self._followed.get(presence["user_id"])
            if self._member is not None and self._member.listens:
                self._arrived((presence["user_id"], presence.get("status", "")), arrived, presence["user_id"])
        self._member = None
