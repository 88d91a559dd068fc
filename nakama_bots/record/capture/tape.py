"""What was recorded: calls with their answers, pushes and connections, each with its player and time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nakama_bots.session import Claims, TokenError

WS: Final = "WS"


def fields(value: Any) -> Mapping[str, Any]:
    """Return the fields of a JSON object; none if ``value`` is not an object."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a JSON list; none if ``value`` is not a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def whole(value: Any, default: int = 0) -> int:
    """Return a whole number, which JSON may have as a text; ``default`` if ``value`` is not one."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


@dataclass(slots=True, eq=False)
class TapedCall:
    """A request and its answer, over REST or the socket. Times in seconds since the recording began."""

    user: str
    """User id of its player; "" if no player was logged in."""
    kind: str
    """The HTTP method, or ``WS``."""
    name: str
    """The route's template, or the message's key."""
    at: float
    ended: float
    request: Any
    """The body: JSON, text, or None."""
    answer: Any = None
    error: str = ""
    """The code of a failure, such as ``HTTP 404``; "" if it went well."""
    answered: bool = True
    path: tuple[str, ...] = ()
    """Values of the template's parameters."""
    query: dict[str, list[str]] = field(default_factory=dict)
    target: str = ""
    """The path as it was sent, without the query; for a route that no family has."""
    by_key: bool = False
    """Whether it was authorized by the server's or the http key instead of a session."""


@dataclass(slots=True, eq=False)
class RecordedPush:
    """A message from the server that answered no request."""

    user: str
    key: str
    at: float
    body: Any


@dataclass(slots=True, eq=False)
class RecordedSocket:
    """A websocket connection of a player."""

    user: str
    opened: float
    status: bool
    """Whether it asked for a status presence."""
    format: str
    closed: float | None = None


@dataclass(slots=True)
class Tape:
    """A whole recording, in the order of time once ``sort`` was called."""

    calls: list[TapedCall] = field(default_factory=list)
    pushes: list[RecordedPush] = field(default_factory=list)
    sockets: list[RecordedSocket] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)
    """Texts that must not be written: tokens, keys, passwords, device ids, email addresses."""
    names: dict[str, str] = field(default_factory=dict, repr=False)
    """User names by user id, as far as they were seen."""
    notes: list[str] = field(default_factory=list)
    """What could not be recorded: one line per problem."""

    def sort(self) -> None:
        self.calls.sort(key=lambda one: one.at)
        self.pushes.sort(key=lambda one: one.at)
        self.sockets.sort(key=lambda one: one.opened)

    def note(self, text: str) -> None:
        """Add a line to ``notes`` unless it is there."""
        if text not in self.notes:
            self.notes.append(text)

    def user_of(self, token: str) -> str:
        """The user id in a session token, "" if it is none; the token is a secret from now on."""
        if not token:
            return ""
        self.secrets.add(token)
        try:
            claims = Claims.decode(token)
        except TokenError:
            return ""
        if claims.token_id:
            self.secrets.add(claims.token_id)
        if claims.user_id and claims.username:
            self.names.setdefault(claims.user_id, claims.username)
        return claims.user_id
