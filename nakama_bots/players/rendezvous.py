"""Lets players of one process meet, such as the members of a party."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Final

from gevent.event import AsyncResult, Event

from nakama_bots.errors import RequestTimeout

PATIENCE: Final = 5.0
"""Seconds that a player waits for the others."""
_MEET: Final = "meet"


class Crew:
    """A player's place among players that met: ``index`` from 0; number 0 ``leads``."""

    def __init__(self, index: int, meeting: _Meeting) -> None:
        self.index = index
        self._meeting = meeting

    @property
    def leads(self) -> bool:
        """True if this player is number 0."""
        return self.index == 0

    def share(self, value: str) -> None:
        """Share ``value`` with the others; for the leader."""
        self._meeting.shared.set(value)

    def hear(self, timeout: float = 10.0) -> str:
        """The value that the leader shares; ``RequestTimeout`` after ``timeout`` seconds."""
        self._meeting.shared.wait(timeout)
        value = self._meeting.shared.get_nowait() if self._meeting.shared.ready() else None
        if value is None:
            raise RequestTimeout("the leader of the crew shared nothing", operation=_MEET)
        return value

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until all of the crew reach this point; ``RequestTimeout`` if one does not."""
        self._meeting.wait(timeout)

    def leave(self) -> None:
        """Leave the crew: the others no longer wait for this player. Idempotent."""
        self._meeting.end()


class _Meeting:
    def __init__(self, size: int) -> None:
        self.shared: AsyncResult[str | None] = AsyncResult()
        self._size = size
        self._here = 0
        self._point = Event()
        """The next point that all wait at; replaced when all have reached it."""
        self._ended = False

    def wait(self, timeout: float) -> None:
        point = self._point
        if not self._ended:
            self._here += 1
            if self._here == self._size:
                self._here, self._point = 0, Event()
                point.set()
                return
            point.wait(timeout)
            if point is not self._point:
                return
            self._here -= 1
        raise RequestTimeout("not all of the crew arrived", operation=_MEET)

    def end(self) -> None:
        if not self.shared.ready():
            self.shared.set(None)
        self._ended = True
        self._point.set()


class Rendezvous:
    """Puts players with the same key into crews of a size, first come, first served."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Hashable, list[AsyncResult[Crew]]] = defaultdict(list)

    def meet(self, key: Hashable, size: int, timeout: float = PATIENCE) -> Crew:
        """A place in a complete crew; ``RequestTimeout`` if too few arrive within ``timeout`` seconds."""
        place: AsyncResult[Crew] = AsyncResult()
        waiting = self._waiting[key, size]
        waiting.append(place)
        if len(waiting) == size:
            meeting = _Meeting(size)
            for index, other in enumerate(waiting):
                other.set(Crew(index, meeting))
            waiting.clear()
        try:
            place.wait(timeout)
        finally:
            if place in waiting:
                waiting.remove(place)
        if not place.ready():
            msg = f"fewer than {size} players of this process met within {timeout:g} s"
            raise RequestTimeout(msg, operation=_MEET)
        met = place.get()
        assert met is not None
        return met
