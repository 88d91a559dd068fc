"""What a player can join (a match, a party, a chat room): its presences, early pushes, and rejoining."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import gevent
from gevent.event import Event

from nakama_bots import observer as names
from nakama_bots.errors import CallError, NotInside
from nakama_bots.net.arrival import time_since
from nakama_bots.observer import FinishedCall
from nakama_bots.players.delivery.exchange import ChannelMember, DeliveryTally, SentMessage, To
from nakama_bots.players.delivery.stamps import END, STATE, Stamp, StampStream, host
from nakama_bots.players.inbox import missed
from nakama_bots.realtime.protocol import KIND

if TYPE_CHECKING:
    from nakama_bots.players.player import Player
    from nakama_bots.types.realtime import UserPresence

SETTLE: Final = 2.5
"""Seconds that a player waits for messages in flight before it leaves."""
_LOOK: Final = 0.01
_SOON: Final = 0.001


def number_of(user_id: str) -> int:
    """The number that stands for a user in stamps."""
    return int(user_id.replace("-", "")[:16], 16)


class Presences(Mapping[str, str]):
    """User names of all users present, by user id. A user with several connections counts once."""

    def __init__(self) -> None:
        self._sessions: dict[str, UserPresence] = {}
        self._users: dict[str, str] = {}
        self.peak = 0
        """Users that were present at once, at most, since ``reset``."""

    def __getitem__(self, user_id: str) -> str:
        return self._users[user_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    @property
    def sessions(self) -> Mapping[str, UserPresence]:
        """The presences by session id."""
        return self._sessions

    def reset(self, presences: Iterable[UserPresence]) -> None:
        """Replace all presences."""
        self._sessions.clear()
        self._users.clear()
        self.peak = 0
        self.apply(presences, ())

    def apply(self, joins: Iterable[UserPresence], leaves: Iterable[UserPresence]) -> None:
        """Apply joins and leaves; a user that is still present over another connection stays."""
        for one in leaves:
            gone = self._sessions.pop(one["session_id"], None)
            if gone is not None and all(o["user_id"] != gone["user_id"] for o in self._sessions.values()):
                self._users.pop(gone["user_id"], None)
        for one in joins:
            self._sessions[one["session_id"]] = one
            self._users[one["user_id"]] = one["username"]
        self.peak = max(self.peak, len(self._users))


class Joined:
    """Base of a match, a party and a chat room; a context manager that joins and leaves.

    It listens from before the join, so that it misses no early push, and on every
    connection that the player opens: ``Player.reconnect`` joins it again.
    """

    kind: ClassVar[str]
    """The kind of its messages, under which their delivery is reported."""
    id_field: ClassVar[str]
    """The path of its id in its pushes."""
    presence_event: ClassVar[str]
    paced: ClassVar[bool] = False
    """True if its messages are sent on a pace, and also timed from their plan."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.id = ""
        self.presences = Presences()
        self.ended: CallError | None = None
        """Why it ended, if the server or another player ended it."""
        self.on_change: Callable[[], object] | None = None
        """Called when a user joins or leaves."""
        self._member: ChannelMember | None = None
        self._tally = DeliveryTally()
        self._streams: dict[Hashable, StampStream] = {}
        self._codec = player.delivery
        self._number = number_of(player.user_id)
        self._sequence = 0
        self._inside = False
        self._joining = False
        self._asked = 0.0
        self._early: list[Callable[[], None]] = []
        self._changed = Event()
        self._total = names.delivery_total(self.kind)
        self._named = names.delivery_name(self.kind, player.scenario)
        self._delivered = player.calls.series(self._total, self._named)
        self._corrected = player.calls.series(self._total + names.CORRECTED)
        self._exchange = player.world.exchange
        self._removes: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self.player.world.exchange.joining[self.player.user_id] += 1
        self._joining = True
        try:
            self._listen()
            self._join()
            self.player.joined[self] = None
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.player.lost is not None:
                self.player.recover()
            if kind is None and self.player.connected:
                self.settle()
                self._done()
        finally:
            self._stop()
            if self.player.connected and self.ended is None:
                # A failed leave has been reported as a call; it must not hide what ended the visit.
                with suppress(CallError):
                    self._leave()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``condition`` holds; False after ``timeout`` seconds or if the connection has ended."""
        deadline = perf_counter() + timeout
        while not condition():
            self._changed.clear()
            if not self.player.connected or not self._changed.wait(max(0.0, deadline - perf_counter())):
                return condition()
        return True

    def meet(
        self, number: int = 0, timeout: float = 10.0, *, users: Collection[str] = (), since_join: bool = False
    ) -> None:
        """Wait until ``number`` users are present, and those with the user ids ``users``.

        With ``since_join`` it is enough that ``number`` users have been present at once since the join: a busy
        process may read that one came and that it left together. If they do not come within ``timeout``
        seconds, a failed ``PUSH`` of the presence event is reported, and raised as ``RequestTimeout`` or the
        error that ended the connection.
        """
        started, presences = perf_counter(), self.presences

        def met() -> bool:
            present = presences.peak if since_join else len(presences)
            return present >= number and set(users) <= set(presences)

        if self.wait(met, timeout):
            joining = self.player.world.exchange.joining
            # The server may announce other players of this process before it answers their own join.
            while any(user in joining for user in presences) and perf_counter() - started < timeout:
                gevent.sleep(_SOON)
            return
        text = f"fewer than {max(number, len(users))} players within {timeout:g} s"
        error = missed(self.player, self.presence_event, started, text)
        self._deserted()
        raise error

    def settle(self, timeout: float = SETTLE) -> None:
        """Wait until no message is in flight, at most ``timeout`` seconds."""
        deadline = perf_counter() + timeout
        settled = self.player.world.exchange.settled
        while not (all(map(settled, self._members())) and self._streams_ended()) and perf_counter() < deadline:
            if not self.player.connected:
                return
            gevent.sleep(_LOOK)

    def report(self) -> None:
        """Report the counts of the deliveries since the last call."""
        observer, tally = self.player.calls, self._tally.take()
        for name in names.DELIVERY_FIELDS:
            number = getattr(tally, name)
            if number:
                observer.count(f"{self._total}_{name}", number)
                observer.count(f"{self._named}.{name}", number)

    def went_away(self) -> None:
        """The player's connection has ended."""
        self._inside = False
        for member in self._members():
            self.player.world.exchange.away(member, perf_counter())
        self._changed.set()

    def rejoin(self) -> None:
        """Join again, on the player's new connection."""
        self._asked = perf_counter()
        self._rejoin()
        for member in self._members():
            self.player.world.exchange.back(member, perf_counter(), self._asked)
        for stream in self._streams.values():
            stream.came_back()

    # Overridden by each kind.

    def _listen(self) -> None:
        self._hear(self.presence_event, self._on_presence)
        self._removes.append(self.player.on_lost(self.went_away))

    def _join(self) -> None:
        raise NotImplementedError

    def _rejoin(self) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    def _done(self) -> None:
        """Called when the visit has ended without an error."""

    def _deserted(self) -> None:
        """Called when too few other players have joined."""

    def _members(self) -> Iterable[ChannelMember]:
        """Its members in the exchange."""
        return () if self._member is None else (self._member,)

    # Shared by all kinds.

    def _outside(self, operation: str, *, has_left: bool) -> NotInside:
        """Report that ``operation`` has failed because the player is not inside. Returns the error to raise."""
        text = "the player has left" if has_left else "the player has not joined yet"
        error = NotInside(f"{text}: nothing can be sent", operation=operation)
        self.player.calls.call(FinishedCall(KIND, operation, perf_counter(), 0.0, 0, error))
        return error

    def _hear(self, event: str, handler: Callable[[Any, float], None]) -> None:
        """Call ``handler(body, arrived)`` for the pushes of this place; early pushes after the join."""

        def tap(body: Any, arrived: float, _size: int) -> None:
            if not self._inside:
                self._early.append(partial(tap, body, arrived, _size))
            elif body.get(self.id_field) == self.id:
                handler(body, arrived)

        self._removes.append(self.player.tap(event, tap))

    def _enter(self, own_id: str, presences: Iterable[UserPresence]) -> None:
        """The server has answered the join."""
        self.id = own_id
        self.presences.reset(presences)
        if self._member is None:
            self.player.world.exchange.numbers.add(self._number)
            self._member = self.player.world.exchange.join(
                (self.kind, own_id), self.player.session.user_id, perf_counter(), tally=self._tally
            )
        else:  # before any listener, which may send
            self.player.world.exchange.back(self._member, perf_counter(), self._asked)
        self._has_joined()
        self._inside = True
        early, self._early = self._early, []
        for push in early:
            push()
        self._has_changed()

    def _has_joined(self) -> None:
        if self._joining:
            self._joining = False
            joining = self.player.world.exchange.joining
            joining[self.player.user_id] -= 1
            if not joining[self.player.user_id]:
                del joining[self.player.user_id]

    def _stop(self) -> None:
        """Stop listening, and judge what has not arrived."""
        self._has_joined()
        for remove in self._removes:
            remove()
        self._removes.clear()
        self._early.clear()
        self.player.joined.pop(self, None)
        self._inside = False
        for member in self._members():
            self.player.world.exchange.leave(member, perf_counter())
        self._member = None
        self._add_streams()
        self.report()

    def _has_changed(self) -> None:
        self._changed.set()
        if self.on_change is not None:
            self.on_change()

    def _on_presence(self, event: Any, _arrived_at: float) -> None:
        self.presences.apply(event.get("joins", ()), event.get("leaves", ()))
        self._has_changed()

    def _stamp(self, now: float, late: float = 0.0) -> Stamp:
        stamp = Stamp(STATE, host(), self._number, self._sequence, now, late)
        self._sequence += 1
        return stamp

    def _end_stamp(self) -> Stamp:
        return Stamp(END, host(), self._number, self._sequence, perf_counter())

    def _sent(
        self, key: Hashable, now: float, late: float, to: To, kind: Hashable | None = None,
        users: Iterable[str] = (),
    ) -> None:  # fmt: skip
        if self._member is not None and self._member.away_since is None:  # else the server drops it
            self._exchange.send(self._member, key, now, to=to, late=late, kind=kind, users=users)

    def _arrived(
        self, key: Hashable, arrived: float, sender: str, *, repeats: bool = False, by_sender: bool = False
    ) -> SentMessage | None:
        if self._member is None:
            return None
        message = self._exchange.receive(
            self._member, key, arrived, sender, repeats=repeats, by_sender=by_sender
        )
        if message is not None:
            elapsed = self._sample(message.at, arrived, message.late)
            if self.paced and message.sender is self._member:
                self.player.calls.sample(names.INPUT_TO_ECHO, elapsed)
        return message

    def _sample(self, sent: float, arrived: float, late: float) -> float:
        elapsed = arrived - sent
        if elapsed < 0.0:
            elapsed, _ = time_since(sent, arrived, perf_counter() - arrived)
        self._delivered(elapsed)
        if self.paced:
            self._corrected(elapsed + late)
        return elapsed

    def _stamped(self, stamp: Stamp, sender: str, arrived: float) -> None:
        """Handle a stamped message; a sender in another process is counted by its sequence numbers."""
        if stamp.sender in self._exchange.numbers:
            if stamp.kind == STATE:
                self._arrived((stamp.sender, stamp.sequence), arrived, sender)
            return
        stream = self._streams.get(stamp.sender)
        if stream is None:
            # Messages of a sender that was present before are counted from this one on.
            stream = self._streams[stamp.sender] = StampStream(stamp.sequence)
        if stamp.kind == END:
            stream.end(stamp.sequence)
            self._changed.set()
        elif stream.receive(stamp.sequence) and stamp.host == host() and isfinite(stamp.stamp + stamp.late):
            self._sample(stamp.stamp, arrived, stamp.late)

    def _streams_ended(self) -> bool:
        return True

    def _add_streams(self) -> None:
        for stream in self._streams.values():
            for name in ("expected", "received", "missed", "lost", "duplicated", "reordered"):
                setattr(self._tally, name, getattr(self._tally, name) + getattr(stream, name))
        self._streams.clear()
