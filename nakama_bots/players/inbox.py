"""What one bot hears of the stamped messages of others; told to the observer in all, by kind and scenario."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from time import perf_counter
from typing import Final

from nakama_bots import observer as names
from nakama_bots.players.delivery import END, STATE, Stamp, Stream, host_number
from nakama_bots.players.player import Player

MATCH: Final = "match"
PARTY: Final = "party"
CHAT: Final = "chat"
STATUS: Final = "status"
"""Kinds of messages."""

_CORRECTED: Final = names.DELIVERY_LATENCY + names.CORRECTED
host: Final = cache(host_number)


class Outbox:
    """The stamps of one sender, in the order that they are sent."""

    def __init__(self, sender: int) -> None:
        self.sender = sender
        self.sent = 0

    def state(self, planned: float | None = None) -> Stamp:
        """The stamp of the next message, which was ``planned`` for that ``perf_counter``, or for now."""
        now = perf_counter()
        stamp = Stamp(STATE, host(), self.sender, self.sent, now, 0.0 if planned is None else now - planned)
        self.sent += 1
        return stamp

    def end(self) -> Stamp:
        """Tells how many there were."""
        return Stamp(END, host(), self.sender, self.sent, perf_counter())


class Inbox:
    """One bot's messages of one ``kind``, a stream for each key, which stands for a sender.

    With ``drop_in`` senders were there before: a stream begins with what is heard of it first, else with the
    first message.
    """

    def __init__(self, player: Player, kind: str, *, drop_in: bool = False) -> None:
        self._observer = player.world.observer
        self._name = names.delivery_name(kind, player.scenario)
        self._host = host()
        self._drop_in = drop_in
        self._streams: dict[str, Stream] = {}
        self._over: list[Stream] = []

    def expect(self, key: str) -> None:
        """Something is to come from there; what never does is lost."""
        if not self._drop_in:
            self._streams.setdefault(key, Stream())

    def receive(self, key: str, stamp: Stamp, read_at: float) -> None:
        """One message; only what this host stamped is timed, and what came before is not."""
        stream = self._streams.get(key)
        if stream is None:
            first = stamp.sequence if self._drop_in else 0
            stream = self._streams[key] = Stream(first)
        if stamp.kind == END:
            stream.end(stamp.sequence)
        elif stream.receive(stamp.sequence) and stamp.host == self._host:
            elapsed = read_at - stamp.stamp
            self._observer.sample(names.DELIVERY_LATENCY, elapsed)
            self._observer.sample(_CORRECTED, elapsed + stamp.late)
            self._observer.sample(self._name, elapsed)

    def retire(self, key: str) -> None:
        """The sender has left; what comes under the key from now on is a new stream."""
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._over.append(stream)

    def ended(self, keys: Iterable[str]) -> bool:
        """Whether each of ``keys`` that is a sender has told how many messages there were."""
        return all(self._streams[key].ended_at is not None for key in keys if key in self._streams)

    def report(self) -> None:
        """Count what became of everything, once."""
        for key in list(self._streams):
            self.retire(key)
        over, self._over = self._over, []
        for field in names.DELIVERY_FIELDS:
            number = sum(getattr(stream, field) for stream in over)
            if number:
                self._observer.count(f"{names.DELIVERY_LATENCY}_{field}", number)
                self._observer.count(f"{self._name}.{field}", number)
