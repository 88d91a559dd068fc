"""The realtime protocol without I/O: cids, the one pending table, deadlines, the ledger.

The caller passes the time, writes the bytes and feeds the payloads. Every cid ends exactly once: ok, server
error, timeout, closed or abandoned. An answer that arrives after its cid ended is counted as late.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from nakama_bots import errors
from nakama_bots.ledger import Ledger
from nakama_bots.net.arrival import time_since
from nakama_bots.observer import SHARED_STAMP, FinishedCall, Observer
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.catalog import REPLIES, Reply

log = logging.getLogger(__name__)

KIND: Final = "WS"
MAX_UNANSWERED: Final = 10_000
"""Number of remembered cids that ended without an answer; an answer to an older one counts as unmatched."""

_ANSWERED: Final = {key: reply for key, reply in REPLIES.items() if reply is not Reply.NONE}
_new: Final = tuple.__new__
_SILENT: Final = frozenset(REPLIES) - frozenset(_ANSWERED)


class Waiter(Protocol):
    """The waiter for a reply. One of the two methods is called, once, and only from the event loop.

    The call may run the waiting greenlet, which may call the protocol again (also ``close``) before it returns.
    """

    def switch(self, value: Any) -> object:
        """Receive the reply's body."""

    def throw(self, error: BaseException) -> object:
        """Receive the failure."""


Pending = tuple[str, str | Reply, float, float, Waiter]
"""A pending request: key, reply, time of the send, deadline, waiter; times on the caller's clock.

A plain tuple, created for every request: a class with attributes costs several times as much.
"""

Push = tuple[str, Any]
"""A push: its key and its body."""


class RealtimeProtocol:
    """One connection's state. Not reusable: a reconnect creates a new one."""

    __slots__ = (
        "_cid", "_content", "_decode", "_encode", "_observer", "_unanswered", "ledger", "max_sent", "pending",
        "slack",
    )  # fmt: skip

    def __init__(self, observer: Observer, adapter: Adapter = TEXT_ADAPTER, max_sent: int = 0) -> None:
        self.ledger = Ledger()
        # Bytes that the server accepts in one message; 0: not known.
        self.max_sent = max_sent
        self.pending: dict[str, Pending] = {}
        # Seconds by which ``arrived`` may be too late.
        self.slack = 0.0
        self._observer = observer
        # Bound once, to save a look-up for every frame.
        self._encode = adapter.encode
        self._decode = adapter.decode
        self._content = adapter.content
        self._cid = 0
        # Cids that ended without an answer, oldest first: an answer to one of them is late, to another cid
        # unmatched.
        self._unanswered: dict[str, None] = {}

    def request(
        self, key: str, body: Mapping[str, object], waiter: Waiter, now: float, timeout: float
    ) -> tuple[str, bytes]:
        """Register a request and return its cid and its envelope; it is pending from now on.

        ``ConfigError`` if no message with that key exists, or it is never answered; ``MessageTooBig`` if the
        server would not accept it, which is reported as a refused message.
        """
        try:
            reply = _ANSWERED[key]
        except KeyError:
            raise errors.ConfigError("message", key, ", ".join(sorted(_ANSWERED))) from None
        self._cid += 1
        cid = str(self._cid)
        payload = self._encode({"cid": cid, key: body})
        if 0 < self.max_sent < len(payload):
            raise self.too_big(key, len(payload), now)
        self.pending[cid] = (key, reply, now, now + timeout, waiter)
        self.ledger.sent += 1
        return cid, payload

    def message(self, key: str, body: Mapping[str, object]) -> bytes:
        """The envelope of a message that gets no answer; others would be acknowledged by a frame without a
        cid, which cannot be matched.
        """
        if key not in _SILENT:
            raise errors.ConfigError("message", key, ", ".join(sorted(_SILENT)))
        return self._encode({key: body})

    def receive(self, payload: bytes, arrived: float, waited: float | None = None) -> Push | None:
        """Handle one envelope: settle the cid that it answers, or return it as a push.

        ``arrived`` and ``waited`` as for ``Receiver.on_message``.
        Raises ``ProtocolError`` if it is not an envelope; the connection cannot continue then.
        """
        try:
            message = self._decode(payload)
        except ValueError:
            raise errors.ProtocolError(f"the server sent {self._content}", 1007) from None
        if not isinstance(message, dict):
            raise errors.ProtocolError("the server sent JSON that is not an object", 1007)
        cid = message.get("cid")
        if cid is not None:
            entry = self.pending.pop(cid, None) if isinstance(cid, str) else None
            if entry is not None:
                self._settle(cid, entry, message, arrived, waited, len(payload))
            elif isinstance(cid, str) and cid in self._unanswered:
                del self._unanswered[cid]
                self.ledger.late += 1
            else:
                self.ledger.unmatched += 1
            return None
        for key, body in message.items():
            if key != "cid":
                if not isinstance(body, dict):
                    break  # no push has such a body, and no handler or tap expects it
                self.ledger.pushes += 1
                return key, body
        # An empty frame acknowledges a message without a cid; this client sends none.
        self.ledger.unmatched += 1
        return None

    def _settle(
        self, cid: str, entry: Pending, message: dict[str, Any], arrived: float, waited: float | None, size: int
    ) -> None:
        key, reply, started, _, waiter = entry
        elapsed = arrived - started
        if elapsed < 0.0:
            elapsed, waited = time_since(started, arrived, waited)
        elif self.slack:
            self._observer.sample(SHARED_STAMP, min(self.slack, elapsed))
        if "error" not in message:
            body = message.get(reply) if isinstance(reply, str) else {}
            if isinstance(body, dict):
                self.ledger.ok += 1
                # As ``FinishedCall(..)``, in half the time.
                self._report(_new(FinishedCall, (KIND, key, started, elapsed, size, None, waited, cid)))
                waiter.switch(body)
                return
            failure: errors.CallError = errors.ProtocolError(
                f"the reply has no {reply!r}", operation=key, elapsed=elapsed
            )
        else:
            failure = _server_error(message["error"], key, elapsed)
        self.ledger.error += 1
        self._report(FinishedCall(KIND, key, started, elapsed, size, failure, waited, cid))
        waiter.throw(failure)

    def _report(self, call: FinishedCall) -> None:
        try:
            self._observer.call(call)
        except Exception:
            # A foreign listener (Locust lets some exceptions of listeners through) must not leave a waiter
            # without its answer.
            log.exception("the observer of %s failed", call.name)

    def _report_unanswered(
        self, key: str, started: float, elapsed: float, failure: errors.CallError, cid: str = ""
    ) -> None:
        self._report(FinishedCall(KIND, key, started, elapsed, 0, failure, None, cid))

    def expire(self, now: float) -> float | None:
        """End every request whose deadline has passed. Returns the earliest remaining deadline, or None."""
        earliest: float | None = None
        for cid, (key, _, started, deadline, waiter) in list(self.pending.items()):
            if deadline <= now:
                if self.pending.pop(cid, None) is None:
                    continue  # ended by an earlier waiter: a missed heartbeat closes them all
                self._remember(cid)
                self.ledger.timeout += 1
                limit = deadline - started
                elapsed = now - started
                failure = errors.RequestTimeout(f"no answer within {limit:g} s", operation=key, elapsed=elapsed)
                self._report_unanswered(key, started, elapsed, failure, cid)
                waiter.throw(failure)
            elif earliest is None or deadline < earliest:
                earliest = deadline
        return earliest

    def abandon(self, cid: str, now: float) -> None:
        """The caller of ``cid`` no longer waits. Does nothing if it has already ended."""
        entry = self.pending.pop(cid, None)
        if entry is None:
            return
        self._remember(cid)
        self.ledger.abandoned += 1
        key, _, started, _, _ = entry
        elapsed = now - started
        failure = errors.Abandoned("stopped before the answer came", operation=key, elapsed=elapsed)
        self._report_unanswered(key, started, elapsed, failure, cid)

    def close(self, error: errors.CallError, now: float) -> list[tuple[Waiter, errors.CallError]]:
        """The connection ended: end every request at once.

        Returns the waiters, each with its error, for the caller to throw in the event loop.
        ``error`` is ``Abandoned`` after a local close, else the error that ended the connection.
        """
        entries = list(self.pending.items())
        for cid, _ in entries:
            self._remember(cid)
        self.pending.clear()
        waiters: list[tuple[Waiter, errors.CallError]] = []
        for cid, (key, _, started, _, waiter) in entries:
            elapsed = now - started
            failure = error.for_call(key, elapsed)
            if isinstance(failure, errors.Abandoned):
                self.ledger.abandoned += 1
            else:
                self.ledger.closed += 1
            self._report_unanswered(key, started, elapsed, failure, cid)
            waiters.append((waiter, failure))
        return waiters

    def too_big(self, key: str, size: int, now: float) -> errors.CallError:
        """Like ``refuse``, for a message of ``size`` bytes, which is above the server's limit."""
        return self.refuse(key, errors.MessageTooBig(size, self.max_sent), now, now)

    def _remember(self, cid: str) -> None:
        self._unanswered[cid] = None
        if len(self._unanswered) > MAX_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]

    def refuse(self, key: str, error: errors.CallError, started: float, now: float) -> errors.CallError:
        """Report a message with ``key`` that could not be sent. Returns the error to raise."""
        failure = error.for_call(key, now - started)
        self.ledger.refused += 1
        self._report_unanswered(key, started, now - started, failure)
        return failure


def _server_error(body: object, operation: str, elapsed: float) -> errors.CallError:
    if not isinstance(body, dict):
        return errors.ProtocolError("the error is not an object", operation=operation, elapsed=elapsed)
    code = body.get("code", 0)  # code 0, RUNTIME_EXCEPTION, is omitted on the wire
    message = str(body.get("message", ""))
    if not isinstance(code, int):
        return errors.ProtocolError("the error's code is not a number", operation=operation, elapsed=elapsed)
    return errors.realtime_error(code, message, operation=operation, elapsed=elapsed)
