"""Tracks the delivery of every message between the players of one process. Pure: time is an argument.

A send is registered with every player of this process that is present then; a receive matches the earliest
message of its key that still waits for its receiver. Nothing is read from or added to a payload. What is
expected follows from the sends and the players present, never from what arrived, and every expected delivery
ends exactly once::

    expected = received + missed + lost + unknown

``missed`` is what a player did not receive because it was disconnected, ``unknown`` what cannot be judged: the
sender's or the receiver's connection ended before the message could arrive, or the server's own match never
passed on a message of that kind, or had ended: nothing of it arrived any more. Everything else that did not
arrive is ``lost``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from nakama_bots.observer import DELIVERY_FIELDS

PATIENCE: Final = 30.0
"""Seconds after which a message counts as not arrived; a later arrival is not counted."""
IN_FLIGHT: Final = 2.0
"""Seconds that a message may be in flight: a message is not lost if a connection ended within them."""
_RACE: Final = 0.1
"""Seconds by which the server may handle a message sent before a rejoin after it."""
_SLOWEST_TICK: Final = 1.0
"""Seconds that an input may wait in a server's own match: the slowest has one tick a second."""
_MOST_BREAKS: Final = 32


class To(Enum):
    """Who receives a message: the other players, all players, or only the sender.

    ``LEARNED`` is for a server's own match, which may pass on anything to anyone: all players are expected to
    get it; for those that never get a message of that kind it is ``unknown`` instead of ``lost``.
    """

    OTHERS = "others"
    ALL = "all"
    SENDER = "sender"
    LEARNED = "learned"


@dataclass(slots=True)
class DeliveryTally:
    """The deliveries of one receiver: ``DELIVERY_FIELDS``. The last two are not part of the sum."""

    expected: int = 0
    received: int = 0
    missed: int = 0
    lost: int = 0
    unknown: int = 0
    duplicated: int = 0
    reordered: int = 0

    def take(self) -> DeliveryTally:
        """Return the counts since the last call, and reset them."""
        taken = replace(self)
        for name in DELIVERY_FIELDS:
            setattr(self, name, 0)
        return taken


@dataclass(slots=True, eq=False)
class ChannelMember:
    """A player of this process in a channel: a match, a party, a chat channel or a followed user."""

    channel: DeliveryChannel
    user_id: str
    since: float
    """When it joined or reconnected."""
    tally: DeliveryTally
    listens: bool = True
    """True if it receives; otherwise it only sends."""
    session_id: str = ""
    """Of its connection, where a server may remove it from the channel."""
    removed: bool = False
    """True if the server has announced that this connection has left."""
    waiting: int = 0
    away_since: float | None = None
    breaks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_BREAKS))
    """Times at which its connection ended, and at which it reconnected."""
    sent: int = 0
    newest: dict[ChannelMember, int] = field(default_factory=dict)
    """Number of the newest message received from each sender that is still there."""

    def was_away(self, at: float) -> bool:
        """True if it was disconnected at ``at``, or while a message sent then was in flight."""
        if self.away_since is not None and at >= self.away_since - IN_FLIGHT:
            return True
        return any(start - IN_FLIGHT <= at <= end for start, end in self.breaks)

    def broke(self, at: float) -> bool:
        """True if its connection ended right after ``at``."""
        ends = [start for start, _ in self.breaks]
        if self.away_since is not None:
            ends.append(self.away_since)
        return any(at <= end <= at + IN_FLIGHT for end in ends)


@dataclass(slots=True, eq=False)
class SentMessage:
    """A sent message. ``late`` is how many seconds after its plan, ``number`` counts the sender's messages."""

    sender: ChannelMember
    key: Hashable
    number: int
    at: float
    late: float
    kind: Hashable | None
    """The kind that the server passes on or not (an op code); None if it passes on everything."""
    waiting: set[ChannelMember]


class DeliveryChannel:
    """A group of members that receive each other's messages. Created by ``Exchange.channel``."""

    __slots__ = ("heard", "key", "listening", "members", "messages", "passed", "users")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.members: dict[ChannelMember, None] = {}
        self.listening: set[ChannelMember] = set()
        self.users: Counter[str] = Counter()
        self.messages: dict[Hashable, list[SentMessage]] = {}
        self.passed: set[tuple[Hashable, bool]] = set()
        """Kinds of messages that the server passed on, to the sender (True) or to others (False)."""
        self.heard: float | None = None
        """Time of the newest push of a server's own match, which ends without a notice; None elsewhere."""


class Exchange:
    """All channels of one process. Not thread-safe."""

    def __init__(self) -> None:
        self.joining: Counter[str] = Counter()
        """User ids of players of this process that are about to join, with the number of joins."""
        self.numbers: set[int] = set()
        """Sender numbers in the stamps of players of this process, for every account used so far."""
        self._channels: dict[Hashable, DeliveryChannel] = {}
        self._order: deque[SentMessage] = deque()

    def join(
        self,
        channel: Hashable,
        user_id: str,
        now: float,
        *,
        tally: DeliveryTally | None = None,
        listens: bool = True,
    ) -> ChannelMember:
        """``user_id`` is in ``channel`` from ``now`` on: messages sent there are expected to reach it."""
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = DeliveryChannel(channel)
        member = ChannelMember(found, user_id, now, DeliveryTally() if tally is None else tally, listens)
        found.members[member] = None
        if listens:
            found.listening.add(member)
        found.users[user_id] += 1
        return member

    def leave(self, member: ChannelMember, now: float) -> None:
        """It has left; pending deliveries to it are judged. Idempotent."""
        channel = member.channel
        if member not in channel.members:
            return
        if member.waiting:
            for message in self._waiting_for(member):
                self._settle(message, member, now)
        if member.away_since is None:
            # Messages that it sent just before may not have left its host.
            member.breaks.append((now, now))
        del channel.members[member]
        channel.listening.discard(member)
        member.newest.clear()
        for one in channel.members:
            # Members who stay must not keep all those who ever came.
            one.newest.pop(member, None)
        channel.users[member.user_id] -= 1
        if not channel.users[member.user_id]:
            del channel.users[member.user_id]
        if not channel.members:
            self._channels.pop(channel.key, None)

    def away(self, member: ChannelMember, now: float) -> None:
        """Its connection has ended, or the server has removed it; it may come back."""
        if member.away_since is None:
            member.away_since = now

    def back(self, member: ChannelMember, now: float, asked: float | None = None) -> None:
        """It is connected again and in the channel; it ``asked`` to join at that time."""
        if member.away_since is None:
            return
        if asked is not None and member.waiting:
            for message in self._waiting_for(member):
                if message.at < asked - _RACE and member.was_away(message.at):
                    self._settle(message, member, now)
        member.breaks.append((member.away_since, now))
        member.away_since = None
        member.since = now

    def send(
        self,
        member: ChannelMember,
        key: Hashable,
        now: float,
        *,
        to: To = To.OTHERS,
        late: float = 0.0,
        kind: Hashable | None = None,
        users: Iterable[str] = (),
    ) -> None:
        """``member`` sends a message that receivers recognise by ``key``; only to ``users`` if given."""
        channel = member.channel
        if to is To.SENDER and not users:
            waiting = {member}
        else:
            waiting = channel.listening.copy()
            if users:
                wanted = frozenset(users)
                waiting = {one for one in waiting if one.user_id in wanted}
            elif to is To.OTHERS:
                waiting.discard(member)
        member.sent += 1
        if not waiting:
            return
        message = SentMessage(member, key, member.sent, now, late, kind if to is To.LEARNED else None, waiting)
        for one in waiting:
            one.tally.expected += 1
            one.waiting += 1
        messages = channel.messages
        if key in messages:
            messages[key].append(message)
        else:
            messages[key] = [message]
        order = self._order
        order.append(message)
        # Oldest first: messages that arrived everywhere are dropped, those that waited too long are judged.
        while order and (not order[0].waiting or now - order[0].at > PATIENCE):
            oldest = order.popleft()
            for one in list(oldest.waiting):
                self._settle(oldest, one, now)

    def receive(
        self,
        member: ChannelMember,
        key: Hashable,
        now: float,
        sender: str = "",
        *,
        repeats: bool = False,
        by_sender: bool = False,
    ) -> SentMessage | None:
        """``member`` has received a message with ``key``. Returns that message; None if it was not expected.

        ``sender`` is the user id that the server reports; with ``repeats`` a key may arrive more than once.
        With ``by_sender`` several senders use the same key, and a reported sender in the channel decides.
        """
        channel, newest = member.channel, member.newest
        found = None
        by_sender = by_sender and sender in channel.users
        for message in channel.messages.get(key, ()):
            if member in message.waiting and not (by_sender and message.sender.user_id != sender):
                if message.number > newest.get(message.sender, 0):
                    found = message
                    break
                # Overtaken by a later message of its sender: assume that it is lost, if there is another one.
                found = found or message
        if found is not None:
            tally, sent_by = member.tally, found.sender
            tally.received += 1
            if found.kind is not None:
                channel.passed.add((found.kind, sent_by is member))
            if found.number < newest.get(sent_by, 0):
                tally.reordered += 1
            elif sent_by in channel.members:
                newest[sent_by] = found.number
            self._drop(found, member)
            return found
        # Soon after a join or reconnect it may have been sent before that; later it is a duplicate.
        if not repeats and channel.users.get(sender) and now - member.since > IN_FLIGHT:
            member.tally.duplicated += 1
        return None

    def settled(self, member: ChannelMember) -> bool:
        """True if nothing is in flight to ``member``, or from it to connected players."""
        passed = member.channel.passed
        return not any(
            one is member or message.sender is member
            for queue in member.channel.messages.values()
            for message in queue
            for one in message.waiting
            if one.away_since is None
            and (message.kind is None or (message.kind, message.sender is one) in passed)
        )

    def _waiting_for(self, member: ChannelMember) -> list[SentMessage]:
        queues = member.channel.messages.values()
        return [one for queue in queues for one in queue if member in one.waiting]

    def _settle(self, message: SentMessage, member: ChannelMember, now: float) -> None:
        """Judge why it has not arrived."""
        tally = member.tally
        if member.was_away(message.at):
            tally.missed += 1
        elif self._explained(message, member, now):
            tally.unknown += 1
        else:
            tally.lost += 1
        self._drop(message, member)

    def _explained(self, message: SentMessage, member: ChannelMember, now: float) -> bool:
        if now - message.at < IN_FLIGHT or message.sender.broke(message.at):
            return True
        heard = member.channel.heard
        if heard is not None and message.at > heard - _SLOWEST_TICK:
            return True
        own = message.sender is member
        return message.kind is not None and (message.kind, own) not in member.channel.passed

    def _drop(self, message: SentMessage, member: ChannelMember) -> None:
        message.waiting.discard(member)
        member.waiting -= 1
        if not message.waiting:
            messages = member.channel.messages
            queue = messages[message.key]
            if len(queue) == 1:
                del messages[message.key]
            else:
                queue.remove(message)
