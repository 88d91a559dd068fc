"""Pushes that a script waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

from gevent.event import Event

from nakama_bots.errors import CallError, RequestTimeout
from nakama_bots.observer import FinishedCall

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

MOST: Final = 1000
"""Pushes of a key that are kept; the oldest go first."""
REFUSED: Final = "refused"
PUSH: Final = "PUSH"


class NotRefused(CallError):
    """A call went well that must be refused."""


def missed(player: Player, key: str, started: float, text: str = "", kind: str = PUSH) -> CallError:
    """Report that ``key`` has failed since ``started``, as the connection ended or else by a timeout.

    Returns the error to raise: the one that ended the connection, or ``RequestTimeout`` with ``text``.
    """
    elapsed = perf_counter() - started
    error = (player.lost or RequestTimeout(text)).for_call(key, elapsed)
    player.calls.call(FinishedCall(kind, key, started, elapsed, 0, error))
    return error


class Inbox:
    """Pushes that have arrived, in their order; created by ``player.listen``. A context manager.

    Nothing that arrives while it is open is missed, whether or not anything waits for it.
    """

    def __init__(self, player: Player, keys: Sequence[str]) -> None:
        self._player = player
        self._arrived: dict[str, deque[Any]] = {key: deque(maxlen=MOST) for key in keys}
        self._news = Event()
        self._removes: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        for key in self._arrived:
            self._removes.append(self._player.tap(key, self._keeper(key)))
        self._removes.append(self._player.on_lost(self._news.set))
        return self

    def __exit__(self, *_: object) -> None:
        for remove in self._removes:
            remove()
        self._removes.clear()

    def take(self, key: str, timeout: float = 10.0, **where: object) -> Any:
        """The body of the oldest push of ``key`` whose fields are ``where``; waits for it.

        A failed ``PUSH`` of that key is reported and raised if none comes within ``timeout`` seconds:
        ``RequestTimeout``, or the error that ended the connection.
        """
        started = perf_counter()
        while True:
            self._news.clear()
            found = self._found(key, where)
            if found is not None:
                return found
            left = started + timeout - perf_counter()
            if not self._player.connected or left <= 0 or not self._news.wait(left):
                break
        raise missed(self._player, key, started, f"no {key} within {timeout:g} s")

    def _keeper(self, key: str) -> Callable[[Any, float, int], None]:
        def keep(body: Any, _read_at: float, _size: int) -> None:
            self._arrived[key].append(body)
            self._news.set()

        return keep

    def _found(self, key: str, where: dict[str, object]) -> Any:
        arrived = self._arrived[key]
        for body in arrived:
            if all(_has(body, name, value) for name, value in where.items()):
                arrived.remove(body)
                return body
        return None


def _has(body: Any, name: str, value: object) -> bool:
    """A field of the push, or of one of its notifications."""
    if name in body:
        return str(body[name]) == str(value)
    return any(str(one.get(name, 0)) == str(value) for one in body.get("notifications", ()))
