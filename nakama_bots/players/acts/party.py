"""A party for its leader and members: gather, send data, find a match together, leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Unpack

from nakama_bots.errors import Abandoned, ConfigError
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.matchmaking import MATCHED, Ticket, add_ticket, find, joining, ticket_of
from nakama_bots.players.behaviours.behaviour import State
from nakama_bots.players.behaviours.seat import payload
from nakama_bots.players.delivery.exchange import To
from nakama_bots.players.inbox import missed
from nakama_bots.players.place import Place
from nakama_bots.realtime.api import data_text

if TYPE_CHECKING:
    from nakama_bots.players.acts.matchmaking import Criteria
    from nakama_bots.players.delivery.codecs import Codec
    from nakama_bots.players.player import Player
    from nakama_bots.players.rendezvous import Crew
    from nakama_bots.types.realtime import MatchmakerMatched, PartyData
    from nakama_bots.types.realtime import RealtimeParty as PartyBody

TIMEOUT: Final = 10.0

Enter = Callable[["Party"], "PartyBody"]


class Party(Place):
    """A player in a party; created by ``player.party``, ``lead_party`` or ``join_party``.

    A context manager: it joins, and at the end leaves; the leader closes the party. Party data is measured as
    the data of a match is.
    """

    kind = "party"
    id_field = "party_id"
    presence_event = "party_presence_event"

    def __init__(self, player: Player, enter: Enter, *, members: int = 0) -> None:
        """``enter`` joins or creates the party; then ``members`` are waited for."""
        super().__init__(player)
        self.crew: Crew | None = None
        """The players of this process that met for this party."""
        self.leads = False
        self._enter_by = enter
        self._members_wanted = members
        self._matched: MatchmakerMatched | None = None

    def send(self, op_code: int, data: Any = b"", to: Iterable[str] = ()) -> None:  # noqa: ARG002
        """Send ``data`` (bytes, text or a JSON value) to the other members; parties support no other ``to``."""
        self._check_inside("party_data_send")
        sent = payload(data)
        now = perf_counter()
        late = 0.0 if self._planned is None else now - self._planned
        text = data_text(sent)
        self._sent((self.player.user_id, str(op_code), text), now, late, To.OTHERS)
        self.player.socket.send_party_data(self.id, op_code, sent)

    def together(self, timeout: float = 60.0) -> None:
        """Wait until all players that met for this party reach this point, disconnected members included."""
        if self.crew is None:
            raise ConfigError(
                "together", self.id, "a party of player.party(), whose members are in this process"
            )
        self.crew.wait(timeout=timeout)

    def find_match(
        self,
        mode: str = "",
        *,
        timeout: float | None = None,
        delivery: Codec | None = None,
        **criteria: Unpack[Criteria],
    ) -> Match:
        """Find a match together and join it: the leader adds the ticket, and every member joins the match.

        Like ``Player.find_match``; ``players`` includes the party's members.
        """
        ticket = ticket_of(self.player, mode, **criteria)
        limit = self.player.world.defaults.matchmaker_timeout if timeout is None else timeout
        return Match(self.player, joining(self.player, lambda: self._find(ticket, limit)), delivery=delivery)

    def _find(self, ticket: Ticket, timeout: float) -> MatchmakerMatched:
        socket = self.player.socket
        if not self.leads:
            started = perf_counter()
            self.wait(lambda: self._matched is not None, timeout)
            matched, self._matched = self._matched, None
            if matched is None:
                raise missed(self.player, MATCHED, started, f"no {MATCHED} within {timeout:g} s")
            return matched
        return find(
            self.player,
            lambda: add_ticket(self.player, ticket, self.id)["ticket"],
            lambda own: socket.remove_matchmaker_party(self.id, own),
            timeout,
        )

    def _listen(self) -> None:
        super()._listen()
        self._hear("party_data", self._on_data)
        self._hear("party_close", self._on_close)
        self._removes.append(self.player.tap(MATCHED, self._on_matched))

    def _join(self) -> None:
        party = self._enter_by(self)
        self._take(party)
        if self._members_wanted:
            self.meet(self._members_wanted, TIMEOUT, since_join=True)

    def _take(self, party: PartyBody) -> None:
        self._enter(party["party_id"], [*party.get("presences", ()), party["self"]])

    def _rejoin(self) -> None:
        # A leader that was disconnected is no longer the leader.
        self.leads = False
        self._take(enter(self.player, self.id))

    def _leave(self) -> None:
        if self.leads:
            self.player.socket.close_party(self.id)
        else:
            self.player.socket.leave_party(self.id)

    def _stop(self) -> None:
        if self.crew is not None:
            self.crew.leave()
        super()._stop()

    def _on_data(self, body: PartyData, arrived: float) -> None:
        state = State(body)
        self._arrived((state.sender, body.get("op_code", "0"), body.get("data", "")), arrived, state.sender)
        self._heard(state)

    def _on_close(self, _body: object, _arrived_at: float) -> None:
        text = "the party was closed, or the player was removed from it"
        self.ended = Abandoned(text, operation="party_close")
        self._changed.set()

    def _on_matched(self, matched: MatchmakerMatched, _arrived_at: float, _size: int) -> None:
        self._matched = matched
        self._changed.set()


def enter(player: Player, party_id: str, timeout: float = TIMEOUT) -> PartyBody:
    """Join a party and wait until the server confirms it."""
    with player.socket.expect("party", lambda body: body.get("party_id") == party_id) as expectation:
        player.socket.join_party(party_id)
        party: PartyBody = expectation.wait(timeout)
    return party


def create(party: Party, size: int, label: str = "") -> PartyBody:
    """Create an open party and lead it."""
    party.leads = True
    return party.player.socket.create_party(open=True, max_size=size, label=label)


def gather(party: Party, size: int, timeout: float) -> PartyBody:
    """Meet ``size`` players of this process; one of them creates the party and the others join it."""
    crew = party.player.meet(size, timeout)
    try:
        if not crew.leads:
            body = enter(party.player, crew.hear(TIMEOUT))
        else:
            body = create(party, size)
            crew.share(body["party_id"])
    except BaseException:
        crew.leave()
        raise
    party.crew = crew
    return body
