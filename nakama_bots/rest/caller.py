"""One call: authorize, send, read the answer, report it once."""

from __future__ import annotations

import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Generic, NoReturn, TypeVar

import orjson

from nakama_bots.clock import Deadline
from nakama_bots.errors import Abandoned, CallError, ProtocolError, RestError, rest_error, scrub
from nakama_bots.net.arrival import time_since
from nakama_bots.observer import FinishedCall, NullObserver, Observer
from nakama_bots.rest.retry import RETRIED, RETRIED_ERRORS, RETRIED_STATUS, Retry
from nakama_bots.rest.route import Query, Route
from nakama_bots.rest.transports.seam import Response, Transport
from nakama_bots.settings.target import Target, Timeouts

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")

# What is counted when a request was sent again because its keep-alive connection had been closed.
RESENT: Final = "rest_resent"

_HEADERS: Final[Mapping[str, str]] = {"Accept": "application/json", "User-Agent": "nakama-bots"}
_TEXT_READ = 2000
_TEXT_SHOWN = 200
# Seconds: a deadline that has passed is a timeout at once, and 0 would mean another thing to some libraries.
_SOON = 1e-6


def _document(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"the answer is not JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise ProtocolError(f"the answer is a JSON {type(document).__name__}, not an object")
    return document


def any_value(body: bytes) -> Any:
    """The JSON value in ``body``, its text where it is none, None where it is empty: what a module answers."""
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


class Caller:
    """Sends operations to one server and reports each to ``observer`` exactly once."""

    __slots__ = ("_observer", "_retry", "_target", "_timeouts", "transport")

    def __init__(
        self,
        target: Target,
        transport: Transport,
        timeouts: Timeouts | None = None,
        observer: Observer | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._target = target
        self._timeouts = timeouts or Timeouts()
        self._observer = NullObserver() if observer is None else observer
        self._retry = retry
        self.transport = transport

    def call(
        self,
        route: Route[T],
        read: Callable[[T], R],
        authorization: str | None,
        path: str,
        body: object = None,
        parse: Callable[[bytes], Any] = _document,
    ) -> R:
        """Call ``route`` at ``path`` and return what ``read`` makes of the answer, which ``parse`` has parsed.

        ``body`` is encoded as JSON, bytes are sent as they are, None sends no body. Raises the ``CallError``
        that it reports.
        """
        headers = _HEADERS
        if authorization is not None:
            headers = {**headers, "Authorization": authorization}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            headers = {**headers, "Content-Type": "application/json"}
        size = 0
        response: Response | None = None
        started = time.perf_counter()
        try:
            if self._retry is None or not route.idempotent:
                response = self.transport.send(
                    self._target, route.method, path, headers, content, self._timeouts
                )
            else:
                response = self._send_again(self._retry, route, path, headers, content)
            size = len(response.body)
            if not 200 <= response.status < 300:
                raise _refusal(response.status, response.body)
            result = _read(read, parse(response.body))
        except CallError as error:
            self._report(route, started, size, error, response)
            raise
        except Exception as error:
            # A fault in this client is a failure: the player was not stopped.
            fault = CallError(f"fault in the client: {_described(error)}")
            self._report(route, started, size, fault, response)
            raise
        except BaseException as error:
            # The greenlet was killed, or an outer timeout fired: the request was sent and must be counted.
            self._report(route, started, size, Abandoned(f"stopped by {type(error).__name__}"))
            raise
        if response.resent:
            self._observer.count(RESENT)
        elapsed, waited = _times(started, response)
        self._observer.call(FinishedCall(route.method, route.template, started, elapsed, size, None, waited))
        return result

    def _send_again(
        self, retry: Retry, route: Route[T], path: str, headers: Mapping[str, str], content: bytes | None
    ) -> Response:
        """Send, wait and send again while it fails, all within the one deadline of the operation."""
        deadline = Deadline.after(time.monotonic(), self._timeouts.request)
        timeouts = self._timeouts
        send = partial(self.transport.send, self._target, route.method, path, headers, content)
        for wait in retry.waits():
            failure: CallError | None = None
            try:
                response = send(timeouts)
            except RETRIED_ERRORS as error:
                failure = error
            else:
                if response.status not in RETRIED_STATUS:
                    return response
            left = deadline.left(time.monotonic())
            if left is not None and wait >= left:
                if failure is not None:
                    raise failure
                return response
            self._observer.count(RETRIED)
            self.transport.pause(wait)
            timeouts = replace(timeouts, request=deadline.left(time.monotonic()) or _SOON)
        return send(timeouts)

    def refuse(self, route: Route[T], started: float, error: CallError, cause: CallError | None) -> NoReturn:
        """Report and raise ``error`` for a call that could not be sent."""
        self._report(route, started, 0, error)
        raise error from cause

    def _report(
        self, route: Route[T], started: float, size: int, error: CallError, response: Response | None = None
    ) -> None:
        error.operation = route.template
        error.elapsed, waited = _times(started, response)
        self._observer.call(
            FinishedCall(route.method, route.template, started, error.elapsed, size, error, waited)
        )


def _times(started: float, response: Response | None) -> tuple[float, float | None]:
    """The seconds until the kernel had the answer, and how long it waited to be read.

    Until now and None without an answer, or if that is not known.
    """
    if response is None or response.arrived is None:
        return time.perf_counter() - started, None
    return time_since(started, response.arrived, response.waited)


def basic(username: str, password: str = "") -> str:
    """The header for basic credentials; the server's keys are user names without a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _read(read: Callable[[T], R], document: T) -> R:
    try:
        return read(document)
    except CallError:
        raise
    except Exception as error:
        msg = f"the answer could not be read: {_described(error)}"
        raise ProtocolError(msg) from error


def _described(error: Exception) -> str:
    """Kind and text; without the text where it may repeat a value of the answer, such as a token."""
    kind = type(error).__name__
    shown = isinstance(error, (AttributeError, KeyError, TypeError))
    return f"{kind}: {scrub(str(error)[:_TEXT_SHOWN])}" if shown else kind


def _refusal(status: int, body: bytes) -> RestError:
    """The error of an answer that is not 2xx: ``{"code", "message"}``, or a proxy's text."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        # Cut first: a page of megabytes would keep the event loop. Not Nakama's: it may repeat our headers.
        text = scrub(" ".join(body[:_TEXT_READ].decode("utf-8", "replace").split()))
        return rest_error(status, -1, text[:_TEXT_SHOWN] or "no text")
    code = document.get("code")
    texts = (document.get("message"), document.get("error"), "no text")
    message = next(text for text in texts if isinstance(text, str) and text)
    return rest_error(status, code if isinstance(code, int) else -1, message)


class Family(ABC, Generic[A]):
    """Base of the families' methods; ``A`` is the type that a caller authorizes with.

    A family is written once for both levels: ``Client`` authorizes with a ``Session`` and reads documents,
    ``NakamaApi`` with the text of a token and gives the wire's objects.
    """

    _caller: Caller

    @abstractmethod
    def _bearer(self, route: Route[Any], auth: A) -> str:
        """The token to call ``route`` with; may refresh it first."""

    def _read(self, answer: T) -> T:
        """The answer as this level returns it: here as received."""
        return answer

    def _by_token(
        self,
        route: Route[T],
        auth: A,
        values: Sequence[str] = (),
        query: Query | None = None,
        body: object = None,
    ) -> T:
        return self._authorized(route, auth, self._read, route.path(values, query), body)

    def _authorized(
        self, route: Route[T], auth: A, read: Callable[[T], R], path: str, body: object = None
    ) -> R:
        return self._caller.call(route, read, "Bearer " + self._bearer(route, auth), path, body)


def same(answer: T) -> T:
    """The answer as it came over the wire."""
    return answer


def without_none(values: Mapping[str, object]) -> dict[str, object]:
    """``values`` without those that were not given."""
    return {key: value for key, value in values.items() if value is not None}
