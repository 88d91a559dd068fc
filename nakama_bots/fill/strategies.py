"""Where lobbies come from and how a bot gets a seat in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, TypeVar

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
from nakama_bots.fill.lobby import FoundLobby
from nakama_bots.fill.promise import Promise
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.matchmaking import Ticket, add_ticket, find_opponents, joining
from nakama_bots.players.place import Place
from nakama_bots.players.player import Player
from nakama_bots.types.matches import MatchList
from nakama_bots.types.realtime import MatchmakerMatched

T = TypeVar("T")

MATCHMAKER: Final = "matchmaker"
INVITATIONS: Final = "invitations"
VAIN_CALLS: Final = 5
"""Calls of a function without a new match after which it is reported."""
POOLS: Final = (MATCHMAKER, INVITATIONS)
"""Lobbies in which bots only wait, until a human takes them elsewhere."""


class Strategy(ABC):
    """``find`` and ``join`` raise the errors of the client, and ``ConfigError`` for an invalid query."""

    final: ClassVar[tuple[type[CallError], ...]] = ()
    """Failures of ``join`` after which the lobby is given up."""

    @abstractmethod
    def find(self, scout: Player) -> list[FoundLobby]:
        """Return the lobbies to keep filled, over REST."""

    def join(self, player: Player, lobby_id: str) -> Place:
        """Return the place of the connected ``player`` there; entering it joins, and may wait."""
        return player.join_match(lobby_id)


def query_refused(query: str) -> ConfigError:
    """Return the error for a query that the server cannot parse."""
    return ConfigError("--query", query, "a query that the server can parse, such as +label.mode:duel")


def listed_by(query: str | None, search: Callable[[str | None], T]) -> T:
    """Return what ``search`` finds by ``query``; ``query_refused`` if it finds something only without it."""
    try:
        return search(query)
    except InternalError:
        # The server answers this to a query that it cannot parse, but also to other problems.
        if query is None:
            raise
        search(None)
        raise query_refused(query) from None


@dataclass(frozen=True, slots=True)
class Listing(Strategy):
    """Matches by label query, kind and size. Every match found is a lobby."""

    query: str | None = None
    authoritative: bool | None = None
    min_size: int | None = None
    max_size: int | None = None
    capacity: int | None = None
    capacity_field: str | None = None
    """The field of a JSON label that holds the capacity of a match."""

    def find(self, scout: Player) -> list[FoundLobby]:
        def search(query: str | None) -> MatchList:
            return scout.client.list_matches(
                scout.session,
                limit=100,
                authoritative=self.authoritative,
                min_size=self.min_size,
                max_size=self.max_size,
                query=query,
            )

        return [
            FoundLobby(match["match_id"], match.get("size", 0), self._capacity(match.get("label", "")))
            for match in listed_by(self.query, search).get("matches", ())
        ]

    def _capacity(self, label: str) -> int | None:
        if self.capacity_field is None:
            return self.capacity
        try:
            value = orjson.loads(label).get(self.capacity_field)
        except (orjson.JSONDecodeError, AttributeError):
            return self.capacity
        return value if isinstance(value, int) else self.capacity


@dataclass(frozen=True, slots=True)
class MatchStrategy(Strategy):
    """Matches by id. The number of users in a match is known once the first bot has a seat."""

    final: ClassVar[tuple[type[CallError], ...]] = (MatchNotFound, BadInput)

    ids: Sequence[str]
    capacity: int | None = None

    def find(self, scout: Player) -> list[FoundLobby]:  # noqa: ARG002
        return [FoundLobby(one, -1, self.capacity) for one in self.ids]


@dataclass(frozen=True, slots=True)
class NamedMatchStrategy(MatchStrategy):
    """Relayed matches by name, created if they do not exist."""

    final: ClassVar[tuple[type[CallError], ...]] = (BadInput,)

    def join(self, player: Player, lobby_id: str) -> Place:
        return player.join_match(name=lobby_id)


@dataclass(slots=True)
class LobbyRpc(Strategy):
    """Matches from a function of the game, which returns ``{"match_id": ..}`` or ``{"match_ids": [..]}``.

    It is called until ``lobbies`` different matches are known; ended matches are dropped. ``log`` is called if
    the function keeps returning known ones.
    """

    function: str
    payload: object = None
    lobbies: int = 1
    capacity: int | None = None
    log: Callable[[str], None] = lambda _: None
    known: dict[str, None] = field(default_factory=dict)
    _vain: int = 0
    """Calls in a row without a new match."""

    def find(self, scout: Player) -> list[FoundLobby]:
        if len(self.known) < self.lobbies:
            before = len(self.known)
            answer = scout.client.rpc(scout.session, self.function, self.payload).get("payload")
            given = answer if isinstance(answer, dict) else {}
            ids = given.get("match_ids", [given["match_id"]] if "match_id" in given else None)
            if not isinstance(ids, list):
                msg = f"function {self.function} returned neither match_id nor match_ids"
                raise ProtocolError(msg)
            self.known.update(dict.fromkeys(map(str, ids)))
            self._vain = 0 if len(self.known) > before else self._vain + 1
            if self._vain == VAIN_CALLS:
                self.log(
                    f"--lobbies {self.lobbies}: {self.function} returned only {len(self.known)} different "
                    f"matches, and none that is new in {VAIN_CALLS} calls; a function that finds a match with "
                    "room returns the same one until it is full. Those are filled."
                )
        return [FoundLobby(one, -1, self.capacity) for one in self.known]


@dataclass(frozen=True, slots=True)
class MatchmakerStrategy(Strategy):
    """Tickets of bots for human players. The only lobby is the pool, its seats are the waiting tickets.

    The query of the bots keeps them from being matched with each other alone.
    """

    ticket: Ticket
    timeout: float = 3600.0
    promise: Promise | None = None
    """The limit for the wait of a human; if set, it decides the number of tickets."""

    def find(self, scout: Player) -> list[FoundLobby]:  # noqa: ARG002
        return [FoundLobby(MATCHMAKER, 0, wanted=None if self.promise is None else self.promise.tickets)]

    def join(self, player: Player, lobby_id: str) -> Place:  # noqa: ARG002
        join = joining(player, lambda: self._find(player))
        # Some of the others may be humans, who take their time: do not wait for them.
        return Match(player, lambda: (join()[0], 0))

    def _find(self, player: Player) -> MatchmakerMatched:
        met = None if self.promise is None else self.promise.measure(player)
        if met is not None:
            return met
        try:
            return find_opponents(player, self.ticket, self.timeout)
        except RuntimeException:
            # The server has one text for everything wrong with a ticket: check whether it is the query.
            ticket = replace(self.ticket, query="*")
            player.socket.remove_matchmaker(add_ticket(player, ticket)["ticket"])
            raise query_refused(self.ticket.query) from None
