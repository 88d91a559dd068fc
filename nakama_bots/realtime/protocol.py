"""The realtime protocol without I/O: cids, the one pending table, deadlines, the ledger.

The caller brings the time, writes the bytes and feeds the payloads. Every cid ends exactly once: ok, server
error, timeout, closed or abandoned. An answer that comes after its cid ended is counted as late.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from nakama_bots import errors
from nakama_bots.ledger import Ledger
from nakama_bots.observer import Observer
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.catalog import REPLIES, Reply

log = logging.getLogger(__name__)

KIND: Final = "WS"
MAX_UNANSWERED: Final = 10_000
"""Cids that ended without an answer and are remembered: an answer to an older one counts as unmatched."""

_ANSWERED: Final = {key: reply for key, reply in REPLIES.items() if reply is not Reply.NONE}
_SILENT: Final = frozenset(REPLIES) - frozenset(_ANSWERED)


class Waiter(Protocol):
    """Who waits for a reply. One of the two is called, once, and only from the event loop.

    It may run whoever waits, who may call the protocol again, ``close`` included, before it returns.
    """

    def switch(self, value: Any) -> object:
        """Take the reply's body."""

    def throw(self, error: BaseException) -> object:
        """Take the failure."""


Pending = tuple[str, str | Reply, float, float, Waiter]
"""A request that waits: key, reply, when it was sent, its deadline, who waits; times on the caller's clock.

A plain tuple: one is made for every request, and anything with attributes costs several times as much.
"""

Push = tuple[str, Any]
"""A push: its key and its body."""


class RealtimeProtocol:
    """One connection's state. Not reusable: a reconnect makes a new one."""

    __slots__ = (
        "_cid", "_content", "_decode", "_encode", "_observer", "_unanswered", "ledger", "max_sent", "pending",
    )  # fmt: skip

    def __init__(self, observer: Observer, adapter: Adapter = TEXT_ADAPTER, max_sent: int = 0) -> None:
        self.ledger = Ledger()
        # Bytes that the server takes in one message; 0: not known.
        self.max_sent = max_sent
        self.pending: dict[str, Pending] = {}
        self._observer = observer
        # Bound once: a look-up through the adapter would be paid a frame.
        self._encode = adapter.encode
        self._decode = adapter.decode
        self._content = adapter.content
        self._cid = 0
        # Cids that ended without an answer, the oldest first: one that comes yet is late, any other unknown cid
        # a stranger.
        self._unanswered: dict[str, None] = {}

    def request(
        self, key: str, body: Mapping[str, object], waiter: Waiter, now: float, timeout: float
    ) -> tuple[str, bytes]:
        """Register a request and give its cid and its envelope; it is pending from here on.

        ``ConfigError`` when no message of that key exists, or none that is answered; ``MessageTooBig`` when the
        server would not take it, which is reported as a refused message.
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
        """The envelope of a message that gets no answer; any other would be acknowledged by a frame without a
        cid, which nothing could be matched to.
        """
        if key not in _SILENT:
            raise errors.ConfigError("message", key, ", ".join(sorted(_SILENT)))
        return self._encode({key: body})

    def receive(self, payload: bytes, now: float) -> Push | None:
        """Take one envelope read at ``now``: settle the cid it answers, or give it back as a push.

        Raises ``ProtocolError`` when it is no envelope; the connection cannot go on then.
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
                self._settle(entry, message, now, len(payload))
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
        # An empty frame acknowledges a message that was sent without a cid; we send none of these.
        self.ledger.unmatched += 1
        return None

    def _settle(self, entry: Pending, message: dict[str, Any], now: float, size: int) -> None:
        key, reply, started, _, waiter = entry
        elapsed = now - started
        if "error" not in message:
            body = message.get(reply) if isinstance(reply, str) else {}
            if isinstance(body, dict):
                self.ledger.ok += 1
                self._tell(key, started, elapsed, size, None)
                waiter.switch(body)
                return
            failure: errors.CallError = errors.ProtocolError(
                f"the reply has no {reply!r}", operation=key, elapsed=elapsed
            )
        else:
            failure = _server_error(message["error"], key, elapsed)
        self.ledger.error += 1
        self._tell(key, started, elapsed, size, failure)
        waiter.throw(failure)

    def _tell(
        self, key: str, started: float, elapsed: float, size: int, failure: errors.CallError | None
    ) -> None:
        try:
            self._observer.call(KIND, key, started, elapsed, size, failure)
        except Exception:
            # Somebody else's listener (Locust lets some of what they raise through) must not leave a waiter
            # without its answer.
            log.exception("the observer of %s failed", key)

    def expire(self, now: float) -> float | None:
        """End every request whose deadline has come; the earliest deadline that is left, or None."""
        earliest: float | None = None
        for cid, (key, _, started, deadline, waiter) in list(self.pending.items()):
            if deadline <= now:
                if self.pending.pop(cid, None) is None:
                    continue  # ended by what an earlier waiter did: a missed heartbeat closes them all
                self._remember(cid)
                self.ledger.timeout += 1
                limit = deadline - started
                elapsed = now - started
                failure = errors.RequestTimeout(f"no answer within {limit:g} s", operation=key, elapsed=elapsed)
                self._tell(key, started, elapsed, 0, failure)
                waiter.throw(failure)
            elif earliest is None or deadline < earliest:
                earliest = deadline
        return earliest

    def abandon(self, cid: str, now: float) -> None:
        """The caller of ``cid`` no longer waits; nothing happens when it has ended already."""
        entry = self.pending.pop(cid, None)
        if entry is None:
            return
        self._remember(cid)
        self.ledger.abandoned += 1
        key, _, started, _, _ = entry
        elapsed = now - started
        failure = errors.Abandoned("stopped before the answer came", operation=key, elapsed=elapsed)
        self._tell(key, started, elapsed, 0, failure)

    def close(self, error: errors.CallError, now: float) -> list[tuple[Waiter, errors.CallError]]:
        """The connection ended: end every request at once.

        The waiters are given back, each with its own error, for the caller to throw in the event loop.
        ``error`` is ``Abandoned`` when we closed to stop, and the way the connection ended otherwise.
        """
        entries = list(self.pending.values())
        for cid in self.pending:
            self._remember(cid)
        self.pending.clear()
        waiters: list[tuple[Waiter, errors.CallError]] = []
        for key, _, started, _, waiter in entries:
            elapsed = now - started
            failure = error.for_call(key, elapsed)
            if isinstance(failure, errors.Abandoned):
                self.ledger.abandoned += 1
            else:
                self.ledger.closed += 1
            self._tell(key, started, elapsed, 0, failure)
            waiters.append((waiter, failure))
        return waiters

    def too_big(self, key: str, size: int, now: float) -> errors.CallError:
        """A message of ``size`` bytes that the server would not take: as ``refuse``."""
        return self.refuse(key, errors.MessageTooBig(size, self.max_sent), now, now)

    def _remember(self, cid: str) -> None:
        self._unanswered[cid] = None
        if len(self._unanswered) > MAX_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]

    def refuse(self, key: str, error: errors.CallError, started: float, now: float) -> errors.CallError:
        """A message of ``key`` that could not be sent: reported, never pending. Gives the error to raise."""
        failure = error.for_call(key, now - started)
        self.ledger.refused += 1
        self._tell(key, started, now - started, 0, failure)
        return failure


def _server_error(body: object, operation: str, elapsed: float) -> errors.CallError:
    if not isinstance(body, dict):
        return errors.ProtocolError("the error is not an object", operation=operation, elapsed=elapsed)
    code = body.get("code", 0)  # code 0, RUNTIME_EXCEPTION, is omitted on the wire
    message = str(body.get("message", ""))
    if not isinstance(code, int):
        return errors.ProtocolError("the error's code is not a number", operation=operation, elapsed=elapsed)
    return errors.realtime_error(code, message, operation=operation, elapsed=elapsed)
