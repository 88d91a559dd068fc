"""Where players of one process come together, such as the members of a party who know each other already."""

from __future__ import annotations

from dataclasses import dataclass

from gevent.event import AsyncResult


@dataclass(frozen=True, slots=True)
class Seat:
    """One of those who met: ``index`` from 0, and ``told``, what number 0 tells the others (None: nothing)."""

    index: int
    told: AsyncResult[str | None]

    @property
    def leads(self) -> bool:
        """Whether it is number 0."""
        return self.index == 0

    def tell_nothing(self) -> None:
        """Whoever leads has failed, or is done telling: nobody waits in vain."""
        if not self.told.ready():
            self.told.set(None)

    def hear(self, timeout: float) -> str | None:
        """What number 0 tells; None when it has nothing to tell within ``timeout`` seconds."""
        self.told.wait(timeout)
        return self.told.get_nowait() if self.told.ready() else None


class Rendezvous:
    """Puts those who wait into groups of ``size``, first come, first served."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[AsyncResult[Seat]] = []

    def meet(self, timeout: float) -> Seat | None:
        """A seat in a group that is complete; None when too few came within ``timeout`` seconds."""
        place: AsyncResult[Seat] = AsyncResult()
        self._waiting.append(place)
        if len(self._waiting) == self._size:
            group, self._waiting = self._waiting, []
            told: AsyncResult[str | None] = AsyncResult()
            for index, other in enumerate(group):
                other.set(Seat(index, told))
        try:
            place.wait(timeout)
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
        return place.get_nowait() if place.ready() else None
