"""Lets players of one process meet, such as the members of a party."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, Self

from gevent.event import AsyncResult, Event

from nakama_bots.errors import RequestTimeout

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

PATIENCE: Final = 5.0
"""Seconds that a player waits for the others."""
_MEET: Final = "meet"


class Crew:
    """A player's place among players that met: ``index`` from 0; number 0 ``leads``.

    ``with player.meet(2) as crew`` leaves it at the end.
    """

    def __init__(self, index: int, meeting: _Meeting) -> None:
        self.index = index
        self._meeting = meeting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def id(self) -> str:
        """A text that only this crew has."""
        return self._meeting.id

    @property
    def members(self) -> list[Player]:
        """The players, by their ``index``."""
        return self._meeting.members

    @property
    def leads(self) -> bool:
        """True if this player is number 0."""
        return self.index == 0

    @property
    def users(self) -> list[str]:
        """The players' user ids, by their ``index``."""
        return [player.user_id for player in self._meeting.members]

    def share(self, value: str, name: str = "") -> None:
        """Share ``value`` with the others; one member shares each ``name``."""
        self._meeting.shared[name].set(value)

    def hear(self, timeout: float = 10.0, name: str = "") -> str:
        """The value that a member shares; ``RequestTimeout`` after ``timeout`` seconds."""
        shared = self._meeting.shared[name]
        if not self._meeting.ended:
            shared.wait(timeout)
        value = shared.get_nowait() if shared.ready() else None
        if value is None:
            text = f"no member of the crew shared {name!r}" if name else "the leader of the crew shared nothing"
            raise RequestTimeout(text, operation=_MEET)
        return value

    def done(self, step: str) -> None:
        """Let those continue that wait ``after`` this step; each step is done once."""
        self.share(step, step)

    def after(self, *steps: str, timeout: float = 60.0) -> None:
        """Wait until other members have ``done`` these steps; ``RequestTimeout`` if one has not."""
        for step in steps:
            self.hear(timeout, step)

    def wait(self, point: str = "", players: int = 0, timeout: float = 60.0) -> None:
        """Wait until all of the crew, or ``players`` of it, reach this point; ``RequestTimeout`` otherwise.

        ``point`` tells those apart that different members wait at, such as the id of their party.
        """
        self._meeting.wait(point, players, timeout)

    def leave(self) -> None:
        """Leave the crew: the others no longer wait for this player. Idempotent."""
        self._meeting.end()


class _Meeting:
    def __init__(self, size: int) -> None:
        self.id = secrets.token_hex(8)
        self.members: list[Player] = []
        self.shared: defaultdict[str, AsyncResult[str | None]] = defaultdict(AsyncResult)
        self._size = size
        self._points: defaultdict[str, _Point] = defaultdict(_Point)
        """The next point of each name that members wait at; removed when all have reached it."""
        self.ended = False

    def wait(self, name: str, size: int, timeout: float) -> None:
        point = self._points[name]
        if not self.ended:
            point.here += 1
            if point.here == (size or self._size):
                del self._points[name]
                point.reached = True
                point.event.set()
                return
            point.event.wait(timeout)
            if point.reached:
                return
            point.here -= 1
        raise RequestTimeout("not all of the crew arrived", operation=_MEET)

    def end(self) -> None:
        self.ended = True
        for one in list(self.shared.values()):
            if not one.ready():
                one.set(None)
        for point in self._points.values():
            point.event.set()


class _Point:
    def __init__(self) -> None:
        self.event = Event()
        self.here = 0
        self.reached = False


class Rendezvous:
    """Puts players with the same key into crews of a size, first come, first served."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Hashable, dict[AsyncResult[Crew], Player | None]] = defaultdict(dict)

    def meet(self, key: Hashable, size: int, timeout: float = PATIENCE, player: Player | None = None) -> Crew:
        """A place for ``player`` in a complete crew.

        ``RequestTimeout`` if too few arrive within ``timeout`` seconds.
        """
        place: AsyncResult[Crew] = AsyncResult()
        waiting = self._waiting[key, size]
        waiting[place] = player
        if len(waiting) == size:
            meeting = _Meeting(size)
            meeting.members += [one for one in waiting.values() if one is not None]
            for index, other in enumerate(waiting):
                other.set(Crew(index, meeting))
            waiting.clear()
        try:
            place.wait(timeout)
        finally:
            waiting.pop(place, None)
        if not place.ready():
            msg = f"fewer than {size} players of this process met within {timeout:g} s"
            raise RequestTimeout(msg, operation=_MEET)
        met = place.get()
        assert met is not None
        return met
