"""Events for the server's own event hooks."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.common import Empty
from nakama_bots.types.events import ApiEvent

EMIT: Final = Route[Empty]("POST", "/v2/event")


class EventsFamily(Family[A]):
    """Send events to the server's runtime."""

    def emit_event(self, session: A, request: ApiEvent) -> Empty:
        """Submit an event; the answer does not say how the runtime handled it."""
        return self._by_token(EMIT, session, body=request)

    # Its name in the server's description.
    event = emit_event
