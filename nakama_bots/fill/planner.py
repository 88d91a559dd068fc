"""Decides which bots join and leave which lobbies. Pure: lobbies and clocks are arguments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import time

from nakama_bots.fill.lobby import Lobby, Policy


@dataclass(frozen=True, slots=True)
class Join:
    """One more bot should join."""

    lobby_id: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A bot should give up its seat."""

    lobby_id: str
    bot: int


class Filler:
    """Plans by a ``Policy``; tracks how long lobbies have waited and how many joins the ramp allows."""

    def __init__(self, policy: Policy, now: float) -> None:
        self.policy = policy
        self._allowance = 0.0
        self._planned_at = now
        self._short_since: dict[str, float] = {}

    def plan(
        self, lobbies: Sequence[Lobby], now: float, local: time, paused: Collection[str] = ()
    ) -> list[Join | Leave]:
        """Return what to do at ``now`` (monotonic seconds), with ``local`` as the wall-clock time.

        Seats are given up first, at once; joins are spread over the lobbies, the emptiest first. No bot joins
        the ``paused`` ones.
        """
        policy = self.policy
        burst = max(1.0, policy.ramp)
        self._allowance = min(burst, self._allowance + (now - self._planned_at) * policy.ramp)
        self._planned_at = now
        gone = self._short_since.keys() - {lobby.lobby_id for lobby in lobbies}
        for lobby_id in gone:
            del self._short_since[lobby_id]
        if not policy.hours.open_at(local):
            return [Leave(lobby.lobby_id, bot) for lobby in lobbies for bot in lobby.bots]
        leaves: list[Join | Leave] = []
        wanted: dict[str, int] = {}
        for lobby in lobbies:
            missing = self._missing(lobby, now)
            if missing < 0:
                # The newest bot leaves first: those that have played with the humans longest stay.
                leaves += [Leave(lobby.lobby_id, bot) for bot in reversed(lobby.bots[missing:])]
            elif missing and lobby.lobby_id not in paused:
                wanted[lobby.lobby_id] = missing
        left = policy.total - sum(len(lobby.bots) for lobby in lobbies)
        return leaves + self._joins(wanted, min(left, int(self._allowance)))

    def _joins(self, wanted: dict[str, int], most: int) -> list[Join | Leave]:
        joins: list[Join | Leave] = []
        while wanted and len(joins) < most:
            lobby_id = max(wanted, key=wanted.__getitem__)
            joins.append(Join(lobby_id))
            wanted[lobby_id] -= 1
            if not wanted[lobby_id]:
                del wanted[lobby_id]
        self._allowance -= len(joins)
        return joins

    def _missing(self, lobby: Lobby, now: float) -> int:
        """The number of bots to add; negative: to remove, never more than there are."""
        policy = self.policy
        have = len(lobby.bots)
        if policy.only_with_humans and not lobby.humans:
            return -have
        most = policy.target(lobby) - lobby.humans - lobby.others
        if policy.per_lobby is not None:
            most = min(most, policy.per_lobby)
        missing = max(0, most) - have
        if missing <= 0:
            self._short_since.pop(lobby.lobby_id, None)
            return missing
        since = self._short_since.setdefault(lobby.lobby_id, now)
        return missing if have or now - since >= policy.wait else 0
