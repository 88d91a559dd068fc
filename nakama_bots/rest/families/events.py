"""Events for the server's own event hooks."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Auth, Route
from nakama_bots.types.common import Empty
from nakama_bots.types.events import Event

EMIT: Final = Route[Empty]("POST", "/v2/event", Auth.BEARER)


class EventsFamily(Family[A]):
    """Tell the server's runtime of something."""

    def emit_event(self, session: A, request: Event) -> Empty:
        """Submit an event; nothing tells what the runtime made of it."""
        return self._by_token(EMIT, session, body=request)

    # Its name in the server's description.
    event = emit_event
