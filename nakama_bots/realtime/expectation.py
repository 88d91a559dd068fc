"""An expected push: looked out for before its cause, so that it cannot come too early."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from gevent.event import AsyncResult

from nakama_bots import errors

if TYPE_CHECKING:
    from nakama_bots.realtime.socket import Socket

Where = Callable[[Any], bool]
"""Chooses among pushes by their body."""


class Expectation:
    """An expected push. Created by ``Socket.expect``.

    Once it has arrived, ``arrived_at`` is when (``perf_counter``), ``waited`` how long it waited to be read
    (None if that is not known) and ``size`` its bytes.
    """

    def __init__(self, socket: Socket, event: str, where: Where | None, looking: list[Expectation]) -> None:
        self.arrived_at = 0.0
        self.waited: float | None = None
        self.size = 0
        self._socket = socket
        self._event = event
        self._where = where
        # Those that look out for the event, this one while it is inside its block.
        self._looking = looking
        self._result: AsyncResult[Any] = AsyncResult()

    def __enter__(self) -> Self:
        self._looking.append(self)
        if self._socket.error is not None:
            self.fail(self._socket.error)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the push's body. Raises ``RequestTimeout`` or the error that ended the connection.

        May be called again: after a timeout to wait longer, after the push to get the same body.
        """
        if not self._result.ready() and self not in self._looking:
            msg = "an expectation works inside its with block only; use `with socket.expect(..) as ..`"
            raise RuntimeError(msg)
        limit = self._socket.timeouts.request if timeout is None else timeout
        started = perf_counter()
        self._result.wait(limit)
        elapsed = perf_counter() - started
        if not self._result.ready():
            msg = f"no {self._event} within {limit:g} s"
            raise errors.RequestTimeout(msg, operation=self._event, elapsed=elapsed)
        try:
            return self._result.get()
        except errors.CallError as error:
            raise error.for_call(self._event, elapsed) from None

    def offer(self, body: Any, arrived_at: float, waited: float | None, size: int) -> None:
        """Handle a push with the key (called in the event loop). ``wait`` raises what ``where`` raises."""
        try:
            if self._where is not None and not self._where(body):
                return
        except Exception as error:  # noqa: BLE001
            self._leave()
            self._result.set_exception(error)
            return
        self.arrived_at = arrived_at
        self.waited = waited
        self.size = size
        self._leave()
        self._result.set(body)

    def fail(self, error: errors.CallError) -> None:
        """The push cannot arrive any more."""
        self._leave()
        self._result.set_exception(error)

    def _leave(self) -> None:
        if self in self._looking:
            self._looking.remove(self)
