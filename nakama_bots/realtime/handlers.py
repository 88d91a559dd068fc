"""Typed handlers of pushes, by the names of Nakama's clients: each one ``on`` of its key.

Where Nakama's clients read what is inside a push (a document, base64), so do these; ``on`` gives it as it is on
the wire. A push that cannot be read counts as a handler that failed.
"""

from __future__ import annotations

import base64
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
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
"""Takes the handler off again."""


class FailureLog:
    """What push handlers and taps raised: counted each time, and logged with its traceback once a kind.

    A kind is logged again, in one line, when it has come up 10 times, 100 times and so on.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def reset(self) -> None:
        """Log each kind anew."""
        self._counts.clear()

    def failed(self, what: str, event: str, error: BaseException, observer: Observer) -> None:
        """``what`` ("handler" or "tap") of the push ``event`` raised ``error``.

        A ``CallError`` has been counted as the failed call that it is.
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
"""Of this process: thousands of sockets may have the same handler."""


def check_event(event: str) -> None:
    """``ConfigError`` when no push has that key."""
    if event not in PUSHES and event != DISCONNECT:
        raise ConfigError("event", event, f"{', '.join(sorted(PUSHES))}, {DISCONNECT}")


class PushHandlers(ABC):
    """Each calls ``handler`` for every push of its kind, and gives a function that takes it off again."""

    @abstractmethod
    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call ``handler(body)`` for every push of that key."""

    def on_disconnect(self, handler: On[CallError]) -> Remove:
        """The connection ended, and not by ``close``: how."""
        return self.on(DISCONNECT, handler)

    def on_heartbeat_timeout(self, handler: On[HeartbeatTimeout]) -> Remove:
        """The connection was ended because a ping got no pong in time; ``on_disconnect`` hears of it too."""

        def only(error: CallError) -> None:
            if isinstance(error, HeartbeatTimeout):
                handler(error)

        return self.on(DISCONNECT, only)

    def on_error(self, handler: On[types.Error]) -> Remove:
        """An error of the server that answers no request of ours that waits."""
        return self.on("error", handler)

    def on_notification(self, handler: On[notifications.Notification[Json]]) -> Remove:
        """A notification, its content read: one call each, however many come in one frame."""

        def each(body: types.Notifications) -> None:
            for one in body.get("notifications", ()):
                handler({**one, "content": orjson.loads(one.get("content") or "{}")})

        return self.on("notifications", each)

    def on_channel_message(self, handler: On[channels.ChannelMessage[Json]]) -> Remove:
        """A chat message (code 0), a change of one (1, 2) or a group's event, its content read."""

        def read(body: types.ChannelMessage) -> None:
            handler({**body, "content": orjson.loads(body.get("content") or "{}")})

        return self.on("channel_message", read)

    def on_channel_presence(self, handler: On[types.ChannelPresenceEvent]) -> Remove:
        """Somebody came to or left a chat channel."""
        return self.on("channel_presence_event", handler)

    def on_match_data(self, handler: On[types.DecodedMatchData]) -> Remove:
        """State of a match, ``op_code`` and ``data`` read."""

        def read(body: types.MatchData) -> None:
            op_code, data = _payload(body)
            handler({**body, "op_code": op_code, "data": data})

        return self.on("match_data", read)

    def on_match_presence(self, handler: On[types.MatchPresenceEvent]) -> Remove:
        """Somebody came to or left a match."""
        return self.on("match_presence_event", handler)

    def on_matchmaker_ticket(self, handler: On[types.MatchmakerTicket]) -> Remove:
        """A ticket that answers no request. Nakama 3.40 sends none: see ``on_party_matchmaker_ticket``."""
        return self.on("matchmaker_ticket", handler)

    def on_matchmaker_matched(self, handler: On[types.MatchmakerMatched]) -> Remove:
        """A ticket was matched."""
        return self.on("matchmaker_matched", handler)

    def on_party(self, handler: On[types.Party]) -> Remove:
        """We are in a party: after creating or joining it, or when its leader let us in."""
        return self.on("party", handler)

    def on_party_close(self, handler: On[types.PartyClose]) -> Remove:
        """A party was closed, or its leader removed us."""
        return self.on("party_close", handler)

    def on_party_data(self, handler: On[types.DecodedPartyData]) -> Remove:
        """Data of another member, ``op_code`` and ``data`` read."""

        def read(body: types.PartyData) -> None:
            op_code, data = _payload(body)
            handler({**body, "op_code": op_code, "data": data})

        return self.on("party_data", read)

    def on_party_join_request(self, handler: On[types.PartyJoinRequest]) -> Remove:
        """Somebody asks to join the party that we lead."""
        return self.on("party_join_request", handler)

    def on_party_leader(self, handler: On[types.PartyLeader]) -> Remove:
        """A party has a new leader."""
        return self.on("party_leader", handler)

    def on_party_matchmaker_ticket(self, handler: On[types.PartyMatchmakerTicket]) -> Remove:
        """The leader added our party to the matchmaker's pool."""
        return self.on("party_matchmaker_ticket", handler)

    def on_party_presence(self, handler: On[types.PartyPresenceEvent]) -> Remove:
        """Somebody came to or left a party."""
        return self.on("party_presence_event", handler)

    def on_party_update(self, handler: On[types.PartyUpdate]) -> Remove:
        """The leader changed the party; what is absent was reset."""
        return self.on("party_update", handler)

    def on_status_presence(self, handler: On[types.StatusPresenceEvent]) -> Remove:
        """Somebody we follow, or we ourselves, came online, changed status or went offline."""
        return self.on("status_presence_event", handler)

    def on_stream_presence(self, handler: On[types.StreamPresenceEvent]) -> Remove:
        """Somebody came to or left a stream."""
        return self.on("stream_presence_event", handler)

    def on_stream_data(self, handler: On[types.StreamData]) -> Remove:
        """The runtime sent something to a stream."""
        return self.on("stream_data", handler)


def _payload(body: types.MatchData | types.PartyData) -> tuple[int, bytes]:
    return int(body.get("op_code", 0)), base64.b64decode(body.get("data", ""))
