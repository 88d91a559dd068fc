"""What the realtime families share."""

from __future__ import annotations

from typing import Required, TypedDict


class UserPresence(TypedDict, total=False):
    """The presence of a user; ``persistence`` only in channels (left out when false), ``status`` in status
    events.
    """

    user_id: Required[str]
    session_id: Required[str]
    username: Required[str]
    persistence: bool
    status: str
