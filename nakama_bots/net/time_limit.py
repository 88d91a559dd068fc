"""A limit of time for a greenlet, however many steps it takes."""

from __future__ import annotations

from typing import Any

import gevent

from nakama_bots.errors import RequestTimeout


class _Expired(BaseException):
    """Thrown into the greenlet: no ``except Exception`` on the way may take it for a failure."""


class TimeLimit:
    """``with TimeLimit(5.0, "no answer", " of the request"):`` what is inside has 5 seconds.

    Then it is stopped wherever it waits: ``RequestTimeout("no answer within 5 s of the request")``. It costs
    less than a ``gevent.Timeout``.
    """

    __slots__ = ("_expired", "_seconds", "_since", "_timer", "_what")

    def __init__(self, seconds: float, what: str, since: str = "") -> None:
        self._seconds = seconds
        self._what = what
        self._since = since

    def __enter__(self) -> None:
        self._expired = _Expired()
        self._timer: Any = gevent.get_hub().loop.timer(self._seconds)
        # The loop's own time is as old as its last turn: the limit would be that much shorter.
        self._timer.start(gevent.getcurrent().throw, self._expired, update=True)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._timer.close()
        if error is not None and error is self._expired:
            raise RequestTimeout(f"{self._what} within {self._seconds:g} s{self._since}") from None
