"""The one exception tree.

::

    NakamaError
    ├── ConfigError             a setting: its name, its value, what is accepted
    ├── ScenarioFault           a scenario gave the recorder an unusable figure
    └── CallError               one operation failed: operation, elapsed seconds
        ├── ServerError         the server answered with an error: code, message
        │   ├── RestError           HTTP status and gRPC code; one subclass a code:
        │   │       Cancelled, UnknownError, InvalidArgument, DeadlineExceeded, NotFound,
        │   │       AlreadyExists, PermissionDenied, ResourceExhausted, FailedPrecondition,
        │   │       Aborted, OutOfRange, Unimplemented, InternalError, Unavailable, DataLoss,
        │   │       Unauthenticated
        │   └── RealtimeError       an ``error`` envelope; one subclass a code:
        │           RuntimeException, UnrecognizedPayload, MissingPayload, BadInput,
        │           MatchNotFound, MatchJoinRejected, RuntimeFunctionNotFound,
        │           RuntimeFunctionException
        ├── RequestTimeout      no answer before the deadline
        ├── ConnectionFailed    no connection: HostNotFound, ConnectionRefused,
        │                       TlsError, HandshakeRefused (HTTP status, text)
        ├── ConnectionClosed    it ended under the call: close code, reason; HeartbeatTimeout
        ├── MessageTooBig       not sent: above the server's limit for a message
        ├── NotInside           not sent: the player has not joined yet, or has left
        ├── ProtocolError       the server sent what the protocol does not allow
        │   └── AnswerTooLarge      it sent more than a limit of ours: which one, bytes
        ├── SessionExpired      neither the token nor the refresh token is valid any more
        └── Abandoned           the caller was stopped before the answer came

``str(error)`` is for a person and may hold ids; ``error.label`` is for statistics: the same for every
failure of a kind, with ids, addresses and tokens replaced. Both are one line of bounded length, whatever the
server sent: control characters are escaped where a text enters an error (``safe_text``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, Self, TypedDict, Unpack

# A text of the server is cut to this many characters before anything else is done with it.
TEXT_LIMIT: Final = 1000
MESSAGE_LIMIT: Final = 800
"""Characters of a server's own message: what we say around it must fit into ``TEXT_LIMIT`` as well."""
_SCRUB_LIMIT: Final = 4096
_CUT: Final = "..."

# What a terminal or a log would act on instead of showing it: C0 and C1 controls, line and paragraph
# separators, marks that change the direction of text, invisible characters, and halves of surrogate pairs.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# What a token, an id or an address is made of.
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+/=<>"
_LONGEST_ID = 64

# What may stand in a server's text and differs from failure to failure, or must not be seen. Every pattern
# is linear in the text: repeats are possessive or bounded, and a failed match is not tried again inside it.
_VOLATILE: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    # A run without the dots of a token is matched too and left as it is, or each "eyJ" in it would be tried.
    (
        re.compile(r"eyJ[\w-]*+(\.[\w-]++\.[\w-]*+)?"),
        lambda match: "<token>" if match[1] else match[0],
    ),
    (re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"), "<id>"),
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\d.])"), "<addr>"),
    (re.compile(r"\[[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{0,45}\](?::\d{1,5})?"), "<addr>"),
    (re.compile(r"(?i)\b(basic|bearer)\s++[\w+/=.-]++"), r"\1 <secret>"),
    (re.compile(r"(?i)\b(token|http_key|server_key|password)=[^\s&\"']++"), r"\1=<secret>"),
)

_SECRET_MARKS = ("<token>", "<secret>")
_SHOWN_LENGTH = 80


def safe_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """``text`` as one line that can be shown: at most ``limit`` characters, none of which is acted on.

    Control characters, line breaks, marks of direction and invisible characters are escaped as in Python
    (``\\x1b``, ``\\u202e``). A text that is cut ends in ``...``.
    """
    # An escape is longer than what it stands for: the text is cut before, for speed, and after.
    escaped = _UNSAFE.sub(_escape, text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[: max(0, limit - len(_CUT))] + _CUT[:limit]


def scrub(text: str) -> str:
    """``text`` with tokens, keys, ids and addresses replaced by what they are; a long one is cut first."""
    text = _cut(text, _SCRUB_LIMIT)
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return _cut(text, _SCRUB_LIMIT)


def without_secrets(text: str) -> str:
    """``text`` as it is when it holds no secret, with ids for a person to search by; else scrubbed of both."""
    text = _cut(text, _SCRUB_LIMIT)
    scrubbed = scrub(text)
    return scrubbed if any(mark in scrubbed for mark in _SECRET_MARKS) else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str, limit: int) -> str:
    """``text``, at most ``limit`` characters. Half a token or half an id would not be known as one: it goes."""
    if len(text) <= limit:
        return text
    kept = text[: limit - len(_CUT)]
    before = kept.rstrip(_WORD)
    if len(kept) - len(before) <= _LONGEST_ID or "eyJ" in kept[len(before) :]:
        kept = before
    return kept + _CUT


def _shown(text: str, limit: int) -> str:
    """``text`` of a server as an error has it: safe to be shown, and cut at the end of a word."""
    return _cut(_UNSAFE.sub(_escape, text[: limit + 1]), limit)


class NakamaError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(NakamaError):
    """A setting cannot be used: ``name`` as the user wrote it, ``value``, and what is ``accepted``."""

    def __init__(self, name: str, value: object, accepted: str) -> None:
        super().__init__(without_secrets(f"{name}: {value!r} cannot be used; accepted: {accepted}"))
        self.name = name
        self.value = value
        self.accepted = accepted


@contextmanager
def file_errors(name: str, path: object, accepted: str) -> Iterator[None]:
    """Raise what goes wrong with a file in the block as a ``ConfigError``, with the reason."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(name, str(path), f"{accepted} ({reason})") from None


class ScenarioFault(NakamaError):
    """A figure that a scenario gave cannot be kept: ``what`` it is, its ``value``, and what is ``accepted``.

    No observer raises it: it is counted, shown in the summary, and fails the run.
    """

    def __init__(self, what: str, value: object, accepted: str) -> None:
        super().__init__(without_secrets(f"{what}: {_brief(value)} cannot be kept; accepted: {accepted}"))
        self.label = f"ScenarioFault: {what}: a value of type {type(value).__name__} that is not {accepted}"


def _brief(value: object) -> str:
    """``value`` in at most 80 characters of ASCII, whatever it is."""
    try:
        text = ascii(value)
    except Exception:  # noqa: BLE001 - a foreign __repr__, or a number of more digits than Python prints
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "..."


class _Call(TypedDict, total=False):
    operation: str
    elapsed: float


class CallError(NakamaError):
    """One operation failed.

    ``operation`` is the stats name (a route template or a message key), ``elapsed`` the seconds from the
    send to the failure.
    """

    def __init__(self, message: str, *, operation: str = "", elapsed: float = 0.0) -> None:
        super().__init__(_shown(message, TEXT_LIMIT))
        self.operation = operation
        self.elapsed = elapsed

    def for_call(self, operation: str, elapsed: float) -> Self:
        """The same failure as another operation met it: one ended connection fails many calls."""
        copy = type(self).__new__(type(self))
        copy.args = self.args
        copy.__dict__.update(self.__dict__)
        copy.operation = operation
        copy.elapsed = elapsed
        return copy

    @property
    def label(self) -> str:
        """The same text for every failure of this kind: name of its public class and scrubbed message."""
        name = next(kind.__name__ for kind in type(self).__mro__ if not kind.__name__.startswith("_"))
        return scrub(f"{name}: {self.args[0]}")

    def __repr__(self) -> str:
        # Locust groups failures by repr: with ids in it every failure would get a row of its own.
        return self.label

    def __str__(self) -> str:
        return f"{self.operation}: {self.args[0]}" if self.operation else str(self.args[0])


class ServerError(CallError):
    """The server answered with an error: its ``code`` (gRPC or realtime) and its ``message``.

    ``message`` is the server's own text, cut to ``MESSAGE_LIMIT`` characters and otherwise as it was sent; the
    text of the error has it with control characters escaped.
    """

    name: ClassVar[str] = ""
    """The protocol's name of the code, which is also that of its class: ``INVALID_ARGUMENT``."""
    _suffix = ""

    def __init_subclass__(cls) -> None:
        if not cls.name and "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).upper()

    def __init__(self, code: int, message: str, **call: Unpack[_Call]) -> None:
        self.message = _cut(message, MESSAGE_LIMIT)
        shown = _shown(self.message, MESSAGE_LIMIT)
        super().__init__(f"{code} {self.name}: {shown}{self._suffix}", **call)
        self.code = code


class RestError(ServerError):
    """A REST error body; ``status`` is the HTTP status, ``code`` the gRPC code (-1: the body had none)."""

    name = ""

    def __init__(self, status: int, code: int, message: str, **call: Unpack[_Call]) -> None:
        self._suffix = f" (HTTP {status})"
        super().__init__(code, message, **call)
        self.status = status


class Cancelled(RestError):
    """gRPC 1."""


class UnknownError(RestError):
    """gRPC 2, HTTP 500."""


class InvalidArgument(RestError):
    """gRPC 3, HTTP 400; Nakama also uses it for storage version conflicts."""


class DeadlineExceeded(RestError):
    """gRPC 4, HTTP 504: the server's own deadline, not ours."""


class NotFound(RestError):
    """gRPC 5, HTTP 404."""


class AlreadyExists(RestError):
    """gRPC 6, HTTP 409."""


class PermissionDenied(RestError):
    """gRPC 7, HTTP 403; also banned users."""


class ResourceExhausted(RestError):
    """gRPC 8, HTTP 429."""


class FailedPrecondition(RestError):
    """gRPC 9, HTTP 400."""


class Aborted(RestError):
    """gRPC 10, HTTP 409."""


class OutOfRange(RestError):
    """gRPC 11, HTTP 400."""


class Unimplemented(RestError):
    """gRPC 12, HTTP 501; also a wrong method on a known path."""


class InternalError(RestError):
    """gRPC 13, HTTP 500."""


class Unavailable(RestError):
    """gRPC 14, HTTP 503."""


class DataLoss(RestError):
    """gRPC 15, HTTP 500."""


class Unauthenticated(RestError):
    """gRPC 16, HTTP 401: wrong server key, or a missing, expired or logged-out token."""


# The classes above stand in the order of their codes, from 1 on.
_REST_ERRORS: Final = tuple(RestError.__subclasses__())


def rest_error(status: int, code: int, message: str, **call: Unpack[_Call]) -> RestError:
    """The typed error of a REST error body; an unknown gRPC code gives a plain ``RestError``."""
    kind = _REST_ERRORS[code - 1] if 1 <= code <= len(_REST_ERRORS) else RestError
    return kind(status, code, message, **call)


class RealtimeError(ServerError):
    """An ``error`` envelope on the socket, matched to its request by cid."""

    name = ""


class RuntimeException(RealtimeError):
    """Realtime code 0 (omitted on the wire): the server could not do it."""


class UnrecognizedPayload(RealtimeError):
    """Realtime code 1."""


class MissingPayload(RealtimeError):
    """Realtime code 2."""


class BadInput(RealtimeError):
    """Realtime code 3."""


class MatchNotFound(RealtimeError):
    """Realtime code 4."""


class MatchJoinRejected(RealtimeError):
    """Realtime code 5; the message is the match handler's own text."""


class RuntimeFunctionNotFound(RealtimeError):
    """Realtime code 6."""


class RuntimeFunctionException(RealtimeError):
    """Realtime code 7."""


# The classes above stand in the order of their codes, from 0 on.
_REALTIME_ERRORS: Final = tuple(RealtimeError.__subclasses__())


def realtime_error(code: int, message: str, **call: Unpack[_Call]) -> RealtimeError:
    """The typed error of an ``error`` envelope; an unknown code gives a plain ``RealtimeError``."""
    kind = _REALTIME_ERRORS[code] if 0 <= code < len(_REALTIME_ERRORS) else RealtimeError
    return kind(code, message, **call)


class RequestTimeout(CallError):
    """No answer came before the deadline; a late one is counted, not delivered."""


class ConnectionFailed(CallError):
    """No connection could be opened."""


class HostNotFound(ConnectionFailed):
    """The name of the host cannot be resolved."""


class ConnectionRefused(ConnectionFailed):
    """Nothing listens there."""


class TlsError(ConnectionFailed):
    """The TLS handshake or the certificate's verification failed."""


class HandshakeRefused(ConnectionFailed):
    """The server answered the websocket upgrade with ``status`` instead of 101 (401: the token)."""

    def __init__(self, status: int, text: str, **call: Unpack[_Call]) -> None:
        super().__init__(f"HTTP {status} {text.strip()}".rstrip(), **call)
        self.status = status


class ConnectionClosed(CallError):
    """The connection ended before the answer: close ``code`` (1006: without a close frame), ``reason``."""

    def __init__(self, code: int = 1006, reason: str = "", **call: Unpack[_Call]) -> None:
        super().__init__(f"{code} {reason}".rstrip(), **call)
        self.code = code
        self.reason = reason


class HeartbeatTimeout(ConnectionClosed):
    """Ended by us: the server did not answer the application ping in time."""


class ProtocolError(CallError):
    """The server sent what the protocol does not allow; ``close_code`` is what RFC 6455 has for it."""

    def __init__(self, message: str, close_code: int = 1002, **call: Unpack[_Call]) -> None:
        super().__init__(message, **call)
        self.close_code = close_code


class AnswerTooLarge(ProtocolError):
    """The server sent more than a limit of ours allows, and was not read any further.

    ``limit`` is the bytes of ``setting``; ``size`` the bytes that the server announced, None where it did not.
    """

    def __init__(self, what: str, limit: int, setting: str, size: int | None = None) -> None:
        found = f"{size:,} bytes" if size is not None else f"more than {limit:,} bytes"
        super().__init__(f"{what}: {found}; the limit {setting} is {limit:,}", 1009)
        self.limit = limit
        self.setting = setting
        self.size = size


class MessageTooBig(CallError):
    """A message was not sent: it has ``size`` bytes, and the server takes at most ``limit``."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"message too big: {size:,} of at most {limit:,} bytes")
        self.size = size
        self.limit = limit


class SessionExpired(CallError):
    """Neither the session's token nor its refresh token is valid any more."""


class NotInside(CallError):
    """Something was to be sent before the join, or after the player has left."""


class Abandoned(CallError):
    """The caller was stopped (its greenlet killed) before the answer came."""
