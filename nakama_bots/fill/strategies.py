"""Where lobbies come from and how a bot gets a seat in one; a row of ``STRATEGIES`` for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Protocol

import orjson

from nakama_bots.errors import (
    BadInput,
    CallError,
    ConfigError,
    InternalError,
    MatchNotFound,
    ProtocolError,
    RuntimeException,
)
from nakama_bots.fill.lobby import Found
from nakama_bots.fill.promise import Promise
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.matchmaking import Ticket, add_ticket, find_opponents, joining
from nakama_bots.players.place import Place
from nakama_bots.players.player import Player
from nakama_bots.types.matches import MatchList
from nakama_bots.types.realtime import MatchmakerMatched

MATCHMAKER: Final = "matchmaker"
INVITATIONS: Final = "invitations"
POOLS: Final = (MATCHMAKER, INVITATIONS)
"""Lobbies that bots only wait in: for a human, who takes them elsewhere."""


class Strategy(Protocol):
    """``find`` and ``join`` raise what the client raises, and ``ConfigError`` for a query of no use."""

    final: ClassVar[tuple[type[CallError], ...]] = ()
    """Failures of ``join`` after which that lobby is given up."""

    def find(self, scout: Player) -> list[Found]:
        """The lobbies to be kept filled, over REST."""

    def join(self, player: Player, lobby_id: str) -> Place:
        """The place of the connected ``player`` there; entering it joins, and may wait."""


def query_refused(query: str) -> ConfigError:
    """For a query that the server cannot read."""
    return ConfigError("--query", query, "a query that the server can read, as +label.mode:duel")


@dataclass(frozen=True, slots=True)
class Listing(Strategy):
    """Matches by label query, kind and size. Every one found is a lobby."""

    query: str | None = None
    authoritative: bool | None = None
    min_size: int | None = None
    max_size: int | None = None
    capacity: int | None = None
    capacity_field: str | None = None
    """The field of a JSON label that has a match's capacity."""

    def find(self, scout: Player) -> list[Found]:
        try:
            listed = self._list(scout, self.query)
        except InternalError:
            # What the server answers to a query that it cannot read, but not to such alone.
            if self.query is None:
                raise
            self._list(scout, None)
            raise query_refused(self.query) from None
        return [
            Found(match["match_id"], match.get("size", 0), self._capacity(match.get("label", "")))
            for match in listed.get("matches", ())
        ]

    def join(self, player: Player, lobby_id: str) -> Place:
        return player.join_match(lobby_id)

    def _list(self, scout: Player, query: str | None) -> MatchList:
        return scout.client.list_matches(
            scout.session,
            limit=100,
            authoritative=self.authoritative,
            min_size=self.min_size,
            max_size=self.max_size,
            query=query,
        )

    def _capacity(self, label: str) -> int | None:
        if self.capacity_field is None:
            return self.capacity
        try:
            value = orjson.loads(label).get(self.capacity_field)
        except (orjson.JSONDecodeError, AttributeError):
            return self.capacity
        return value if isinstance(value, int) else self.capacity


@dataclass(frozen=True, slots=True)
class Matches(Strategy):
    """Matches by their ids. How many are in one is known from the first bot's seat on."""

    final: ClassVar[tuple[type[CallError], ...]] = (MatchNotFound, BadInput)

    ids: Sequence[str]
    capacity: int | None = None

    def find(self, scout: Player) -> list[Found]:  # noqa: ARG002
        return [Found(one, -1, self.capacity) for one in self.ids]

    def join(self, player: Player, lobby_id: str) -> Place:
        return player.join_match(lobby_id)


@dataclass(frozen=True, slots=True)
class Names(Matches):
    """Relayed matches by name, made where there is none."""

    final: ClassVar[tuple[type[CallError], ...]] = (BadInput,)

    def join(self, player: Player, lobby_id: str) -> Place:
        return player.join_match(name=lobby_id)


@dataclass(slots=True)
class LobbyRpc(Strategy):
    """The game's own function gives the match: ``{"match_id": ..}`` or ``{"match_ids": [..]}``.

    It is asked until ``lobbies`` different ones are known; one that has ended is forgotten.
    """

    function: str
    payload: object = None
    lobbies: int = 1
    capacity: int | None = None
    known: dict[str, None] = field(default_factory=dict)

    def find(self, scout: Player) -> list[Found]:
        if len(self.known) < self.lobbies:
            answer = scout.client.rpc(scout.session, self.function, self.payload).get("payload")
            given = answer if isinstance(answer, dict) else {}
            ids = given.get("match_ids", [given["match_id"]] if "match_id" in given else None)
            if not isinstance(ids, list):
                msg = f"function {self.function} gave no match_id and no match_ids"
                raise ProtocolError(msg)
            self.known.update(dict.fromkeys(map(str, ids)))
        return [Found(one, -1, self.capacity) for one in self.known]

    def join(self, player: Player, lobby_id: str) -> Place:
        return player.join_match(lobby_id)


@dataclass(frozen=True, slots=True)
class Matchmaker(Strategy):
    """Tickets of real users. The one lobby is the pool: its seats are the tickets that wait there.

    The bots' own query keeps them from being matched with each other alone.
    """

    ticket: Ticket
    timeout: float = 3600.0
    promise: Promise | None = None
    """How long a human waits; it then says how many tickets there are."""

    def find(self, scout: Player) -> list[Found]:  # noqa: ARG002
        return [Found(MATCHMAKER, 0, wanted=None if self.promise is None else self.promise.tickets)]

    def join(self, player: Player, lobby_id: str) -> Place:  # noqa: ARG002
        join = joining(player, lambda: self._find(player))
        # Humans among the others may take their time: nobody is waited for.
        return Match(player, lambda: (join()[0], 0))

    def _find(self, player: Player) -> MatchmakerMatched:
        met = None if self.promise is None else self.promise.measure(player)
        if met is not None:
            return met
        try:
            return find_opponents(player, self.ticket, self.timeout)
        except RuntimeException:
            # The server has one text for all that is wrong with a ticket: is it the query?
            ticket = replace(self.ticket, query="*")
            player.socket.remove_matchmaker(add_ticket(player, ticket)["ticket"])
            raise query_refused(self.ticket.query) from None
