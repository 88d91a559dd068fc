"""From the observer seam to Locust's request event: one event a call, and the same call to the recorder."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from locust.event import Events

from nakama_bots.errors import Abandoned, CallError
from nakama_bots.observer import Observer
from nakama_bots.results.record.request_samples import RequestSampler


class LocustObserver:
    """Fires Locust's ``request`` event once for every call that ended, and passes everything to ``recorder``.

    ``sampler`` chooses some of the calls to be written down one by one, if there is one.

    A call that was abandoned because its player was stopped is neither a success nor a failure of the server:
    it is fired without a response time, which Locust counts but keeps out of averages and percentiles.
    """

    __slots__ = ("_fire", "_recorder", "sampler")

    def __init__(self, events: Events, recorder: Observer) -> None:
        self._fire: Callable[..., None] = events.request.fire
        self._recorder = recorder
        self.sampler: RequestSampler | None = None

    def call(
        self, kind: str, name: str, started: float, elapsed: float, size: int, error: CallError | None
    ) -> None:
        """``Observer``: one call ended; seconds become Locust's milliseconds, with fractions."""
        self._recorder.call(kind, name, started, elapsed, size, error)
        if self.sampler is not None:
            self.sampler.call(kind, name, started, elapsed, size, error)
        abandoned = type(error) is Abandoned
        self._fire(
            request_type=kind,
            name=name,
            response_time=None if abandoned else elapsed * 1000,
            response_length=size,
            exception=None if abandoned else error,
            context={},
            start_time=time() - elapsed,
        )

    def sample(self, name: str, seconds: float) -> None:
        """``Observer``: Locust has no place for it; recorded only."""
        self._recorder.sample(name, seconds)

    def count(self, name: str, number: int = 1) -> None:
        """``Observer``: Locust has no place for it; recorded only."""
        self._recorder.count(name, number)
