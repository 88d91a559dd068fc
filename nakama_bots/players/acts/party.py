"""A party as its leader and its members use it: gather, talk, look for a match together, part."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from gevent.event import Event

from nakama_bots.errors import CallError, RequestTimeout
from nakama_bots.players.acts.match import GRACE
from nakama_bots.players.acts.matchmaking import MATCHED, PUSH, Ticket, find
from nakama_bots.players.delivery import Stamp
from nakama_bots.players.inbox import PARTY, Inbox, Outbox
from nakama_bots.players.player import Player
from nakama_bots.realtime.socket import DISCONNECT
from nakama_bots.types.realtime import MatchmakerMatched, Party, PartyData, PartyPresenceEvent

OP_CODE: Final = 1


class PartyRun:
    """A player in one party; a context manager that leaves it (the leader closes it) and reports the delivery.

    ``lead`` or ``join`` comes first; every step that waits raises ``RequestTimeout`` under the name of the push
    that did not come, after telling the observer of it.
    """

    def __init__(self, player: Player, max_size: int) -> None:
        self._player = player
        self._max_size = max_size
        self._outbox = Outbox(int(player.session.user_id.replace("-", "")[:16], 16))
        self._inbox = Inbox(player, PARTY)
        self._present: dict[str, None] = {}
        self._own_session = ""
        self._matched: MatchmakerMatched | None = None
        self._changed = Event()
        self._leads = False
        self._early: list[PartyPresenceEvent] = []
        self.party_id = ""
        self._remove = [
            player.socket.tap("party_presence_event", self._on_presence),
            player.socket.tap("party_data", self._on_data),
            player.socket.tap(MATCHED, self._on_matched),
            player.socket.on(DISCONNECT, lambda _: self._changed.set()),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.party_id and self._player.connected:
                # A failed leave is told to the observer; it must not hide what ended the party.
                with suppress(CallError):
                    if self._leads:
                        self._player.socket.close_party(self.party_id)
                    else:
                        self._player.socket.leave_party(self.party_id)
        finally:
            for remove in self._remove:
                remove()
            self._inbox.report()

    @property
    def members(self) -> int:
        """How many are in, this player included."""
        return len(self._present)

    def lead(self) -> str:
        """Found an open party; its id is for the others to ``join``."""
        party = self._player.socket.create_party(open=True, max_size=self._max_size)
        self._leads = True
        self._enter(party)
        return self.party_id

    def join(self, party_id: str, timeout: float) -> None:
        """Come into an open party: until the server says that one is in."""
        with self._player.socket.expect("party", lambda body: body.get("party_id") == party_id) as expectation:
            self._player.socket.join_party(party_id)
            self._enter(expectation.wait(timeout))

    def meet(self, number: int, timeout: float) -> None:
        """Wait until ``number`` members are in."""
        self._wait("party_presence_event", lambda: self.members >= number, timeout)
        for session_id in self._present:
            if session_id != self._own_session:
                self._inbox.expect(session_id)

    def say(self, size: int = 64) -> None:
        """Send stamped data of ``size`` bytes to the others."""
        self._player.socket.send_party_data(self.party_id, OP_CODE, self._outbox.state().pack(size))

    def finish(self) -> None:
        """Tell the others how much was said, and wait for the same from them, a little."""
        self._player.socket.send_party_data(self.party_id, OP_CODE, self._outbox.end().pack())
        deadline = perf_counter() + GRACE
        while self._player.connected and not self._inbox.ended(self._present):
            self._changed.clear()
            if not self._changed.wait(max(0.0, deadline - perf_counter())):
                return

    def find_match(self, ticket: Ticket, timeout: float) -> MatchmakerMatched:
        """Look for a match together: the leader adds the ticket, everybody waits for the push.

        Told to the observer as ``find_opponents`` does, by the leader only: it is one ticket.
        """
        socket = self._player.socket
        if not self._leads:
            self._wait(MATCHED, lambda: self._matched is not None, timeout)
            assert self._matched is not None
            return self._matched

        def add() -> str:
            return socket.add_matchmaker_party(
                self.party_id, ticket.query, ticket.min_count, ticket.max_count,
                ticket.string_properties, ticket.numeric_properties, ticket.count_multiple,
            )["ticket"]  # fmt: skip

        return find(self._player, add, lambda own: socket.remove_matchmaker_party(self.party_id, own), timeout)

    def _enter(self, party: Party) -> None:
        self.party_id = party["party_id"]
        self._own_session = party["self"]["session_id"]
        self._present.update(
            (presence["session_id"], None) for presence in (*party.get("presences", ()), party["self"])
        )
        early, self._early = self._early, []
        for event in early:
            self._on_presence(event, 0.0, 0)

    def _wait(self, push: str, condition: Callable[[], bool], timeout: float) -> None:
        """Until it holds; else the ``push`` that did not come is told to the observer, and raised."""
        started = perf_counter()
        deadline = started + timeout
        while not condition():
            self._changed.clear()
            if not self._player.connected or not self._changed.wait(max(0.0, deadline - perf_counter())):
                elapsed = perf_counter() - started
                cause = self._player.socket.error or RequestTimeout(f"no {push} within {timeout:g} s")
                error = cause.for_call(push, elapsed)
                self._player.world.observer.call(PUSH, push, started, elapsed, 0, error)
                raise error

    def _on_presence(self, event: PartyPresenceEvent, _read_at: float, _size: int) -> None:
        if not self.party_id:
            self._early.append(event)
        elif event.get("party_id") == self.party_id:
            self._present.update((presence["session_id"], None) for presence in event.get("joins", ()))
            for presence in event.get("leaves", ()):
                self._present.pop(presence["session_id"], None)
            self._changed.set()

    def _on_data(self, data: PartyData, read_at: float, _size: int) -> None:
        stamp = Stamp.unpack(base64.b64decode(data.get("data", "")))
        if data.get("party_id") == self.party_id and stamp is not None:
            self._inbox.receive(data["presence"]["session_id"], stamp, read_at)
            self._changed.set()

    def _on_matched(self, matched: MatchmakerMatched, _read_at: float, _size: int) -> None:
        self._matched = matched
        self._changed.set()
