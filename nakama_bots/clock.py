"""Arithmetic on monotonic seconds: deadlines and drift-free ticks. Reads no clock itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Deadline:
    """One point in time for one operation, however many steps it has. ``at`` None: never."""

    at: float | None

    @classmethod
    def after(cls, now: float, seconds: float | None) -> Deadline:
        """A deadline ``seconds`` after ``now``; None for no limit."""
        return cls(None if seconds is None else now + seconds)

    def left(self, now: float) -> float | None:
        """Seconds left, at least 0.0; None for no limit."""
        return None if self.at is None else max(0.0, self.at - now)

    def expired(self, now: float) -> bool:
        """Whether the point has passed."""
        return self.at is not None and now >= self.at


class Tick(NamedTuple):
    """One due tick: its ``number`` from 0, when it was ``planned``, how ``late`` it runs, ``missed`` before it.

    ``late`` is in seconds and never negative.
    """

    number: int
    planned: float
    late: float
    missed: int


class Ticker:
    """Ticks at ``rate`` a second on the absolute grid ``start + n / rate``, so that errors never add up.

    Ask ``due`` for the next tick after having waited ``wait`` seconds. A tick that is late by whole periods
    is not made up for in a burst: the ones that it ran over are counted as missed. ``in_turn`` leaves none out.
    """

    __slots__ = ("_next", "_start", "rate")

    def __init__(self, rate: float, start: float) -> None:
        if rate <= 0:
            msg = f"rate must be above 0 ticks a second, not {rate}"
            raise ValueError(msg)
        self.rate = rate
        self._start = start
        self._next = 0

    def wait(self, now: float) -> float:
        """Seconds from ``now`` to the next tick's planned time, 0.0 when it is due."""
        return max(0.0, self._start + self._next / self.rate - now)

    def in_turn(self, now: float) -> Tick:
        """The next tick, however late: for sends that are all made, the overdue ones one after the other."""
        number, self._next = self._next, self._next + 1
        planned = self._start + number / self.rate
        return Tick(number, planned, max(0.0, now - planned), 0)

    def due(self, now: float) -> Tick:
        """The tick that runs at ``now``: the newest one whose planned time has come."""
        next_number = self._next
        number = max(next_number, int((now - self._start) * self.rate))
        self._next = number + 1
        planned = self._start + number / self.rate
        return Tick(number, planned, now - planned if now > planned else 0.0, number - next_number)
