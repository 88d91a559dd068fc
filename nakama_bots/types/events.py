"""Events for the server's own event hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from nakama_bots.types.common import Timestamp


class ApiEvent(TypedDict, total=False):
    """An event; ``timestamp`` says when it happened, by default now. ``external``: it comes from a client."""

    name: str
    properties: Mapping[str, str]
    timestamp: Timestamp
    external: bool
