"""Typed push handlers, named as in Nakama's clients: each is ``on`` for its key.

Like Nakama's clients, they decode the contents of a push (a document, base64); ``on`` passes it as it is on
the wire. A push that cannot be decoded counts as a failed handler.
"""

from __future__ import annotations

import base64
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from nakama_bots import observer as names
from nakama_bots.errors import CallError, ConfigError, HeartbeatTimeout, NakamaError, scrub
from nakama_bots.observer import Observer
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.types import channels, notifications
from nakama_bots.types import realtime as types
from nakama_bots.types.common import Json

DISCONNECT: Final = "disconnect"
"""Event for ``on``: the connection ended, and not by ``Socket.close``; its body is the error."""

KINDS_LOGGED: Final = 100
"""Kinds of failures of handlers and taps that a process logs at most."""
_LOGGED_AGAIN: Final = frozenset(10**power for power in range(1, 12))

log = logging.getLogger(__name__)

Handler = Callable[[Any], object]
T = TypeVar("T")
On: TypeAlias = Callable[[T], object]
Remove: TypeAlias = Callable[[], None]
"""Removes the handler."""


@dataclass(slots=True, eq=False)
class KeptListener:
    """A handler or tap that outlives its connection, and the function that removes it from the newest one."""

    event: str
    call: Callable[..., object]
    remove: Remove = lambda: None


class FailureLog:
    """Exceptions of push handlers and taps: all are counted, the first of a kind is logged with its traceback.

    A kind is logged again, in one line, at its 10th, 100th .. occurrence.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def reset(self) -> None:
        """Forget the counts, so that each kind is logged again."""
        self._counts.clear()

    def failed(self, what: str, event: str, error: BaseException, observer: Observer) -> None:
        """``what`` ("handler" or "tap") of the push ``event`` raised ``error``.

        A ``CallError`` has already been counted as a failed call.
        """
        kind = (what, event, type(error).__name__)
        if not isinstance(error, CallError):
            observer.count(names.HANDLER_FAILURES)
            observer.count(names.HANDLER_FAILED_PREFIX + ".".join(kind))
        if kind not in self._counts and len(self._counts) >= KINDS_LOGGED:
            return
        number = self._counts[kind] = self._counts.get(kind, 0) + 1
        if number == 1:
            trace = None if isinstance(error, NakamaError) else error
            log.error("a %s of %s failed: %s: %s", what, event, kind[2], scrub(str(error)), exc_info=trace)
        elif number in _LOGGED_AGAIN:
            log.error("a %s of %s has failed %s times: %s", what, event, f"{number:,}", kind[2])


FAILURES: Final = FailureLog()
"""One per process: thousands of sockets may have the same handler."""


def check_event(event: str) -> None:
    """Raise ``ConfigError`` if no push has that key."""
    if event not in PUSHES and event != DISCONNECT:
        raise ConfigError("event", event, f"{', '.join(sorted(PUSHES))}, {DISCONNECT}")


class PushHandlers(ABC):
    """Each calls ``handler`` for every push of its kind, and returns a function that removes it."""

    @abstractmethod
    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call ``handler(body)`` for every push with that key."""

    def on_disconnect(self, handler: On[CallError]) -> Remove:
        """The connection ended, except by ``close``; the handler gets the error."""
        return self.on(DISCONNECT, handler)

    def on_heartbeat_timeout(self, handler: On[HeartbeatTimeout]) -> Remove:
        """The connection was ended because a ping got no pong in time; ``on_disconnect`` handlers run too."""

        def only(error: CallError) -> None:
            if isinstance(error, HeartbeatTimeout):
                handler(error)

        return self.on(DISCONNECT, only)

    def on_error(self, handler: On[types.Error]) -> Remove:
        """A server error that answers no pending request."""
        return self.on("error", handler)

    def on_notification(self, handler: On[notifications.Notification[Json]]) -> Remove:
        """A notification with its content decoded; one call for each, even if a frame has several."""

        def each(body: types.Notifications) -> None:
            for one in body.get("notifications", ()):
                handler(_with_content(one))

        return self.on("notifications", each)

    def on_channel_message(self, handler: On[channels.ApiChannelMessage[Json]]) -> Remove:
        """A chat message (code 0), an update or removal (1, 2) or a group event, with its content decoded."""
        return self.on("channel_message", lambda body: handler(_with_content(body)))

    def on_channel_presence(self, handler: On[types.ChannelPresenceEvent]) -> Remove:
        """Users joined or left a chat channel."""
        return self.on("channel_presence_event", handler)

    def on_match_data(self, handler: On[types.DecodedMatchData]) -> Remove:
        """Match state, with ``op_code`` and ``data`` decoded."""
        return self.on("match_data", lambda body: handler(_decoded(body)))

    def on_match_presence(self, handler: On[types.MatchPresenceEvent]) -> Remove:
        """Users joined or left a match."""
        return self.on("match_presence_event", handler)

    def on_matchmaker_ticket(self, handler: On[types.MatchmakerTicket]) -> Remove:
        """A ticket that answers no request. Nakama 3.40 sends none: see ``on_party_matchmaker_ticket``."""
        return self.on("matchmaker_ticket", handler)

    def on_matchmaker_matched(self, handler: On[types.MatchmakerMatched]) -> Remove:
        """A ticket was matched."""
        return self.on("matchmaker_matched", handler)

    def on_party(self, handler: On[types.RealtimeParty]) -> Remove:
        """The user is in a party: after creating or joining it, or when its leader accepted the request."""
        return self.on("party", handler)

    def on_party_close(self, handler: On[types.PartyClose]) -> Remove:
        """A party was closed, or its leader removed the user."""
        return self.on("party_close", handler)

    def on_party_data(self, handler: On[types.DecodedPartyData]) -> Remove:
        """Data from another member, with ``op_code`` and ``data`` decoded."""
        return self.on("party_data", lambda body: handler(_decoded(body)))

    def on_party_join_request(self, handler: On[types.PartyJoinRequest]) -> Remove:
        """A user asks to join the party that this user leads."""
        return self.on("party_join_request", handler)

    def on_party_leader(self, handler: On[types.PartyLeader]) -> Remove:
        """A party has a new leader."""
        return self.on("party_leader", handler)

    def on_party_matchmaker_ticket(self, handler: On[types.PartyMatchmakerTicket]) -> Remove:
        """The leader added the party to the matchmaker's pool."""
        return self.on("party_matchmaker_ticket", handler)

    def on_party_presence(self, handler: On[types.PartyPresenceEvent]) -> Remove:
        """Users joined or left a party."""
        return self.on("party_presence_event", handler)

    def on_party_update(self, handler: On[types.PartyUpdate]) -> Remove:
        """The leader updated the party; absent fields were reset."""
        return self.on("party_update", handler)

    def on_status_presence(self, handler: On[types.StatusPresenceEvent]) -> Remove:
        """A followed user, or this user, came online, changed status or went offline."""
        return self.on("status_presence_event", handler)

    def on_stream_presence(self, handler: On[types.StreamPresenceEvent]) -> Remove:
        """Users joined or left a stream."""
        return self.on("stream_presence_event", handler)

    def on_stream_data(self, handler: On[types.StreamData]) -> Remove:
        """The runtime sent something to a stream."""
        return self.on("stream_data", handler)


def _decoded(body: Mapping[str, Any]) -> Any:
    return {**body, "op_code": int(body.get("op_code", 0)), "data": base64.b64decode(body.get("data", ""))}


def _with_content(body: Mapping[str, Any]) -> Any:
    return {**body, "content": orjson.loads(body.get("content") or "{}")}
