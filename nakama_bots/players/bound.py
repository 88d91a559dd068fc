"""The REST client of one player: every operation of ``Client`` without its ``session``.

The signatures are in ``bound.pyi``, which ``python tests/bound_client.py`` generates from the client's.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from nakama_bots.rest.client import Client


class BoundClient:
    """Calls with the player's session; logs in first if there is none. The client renews the session."""

    def __init__(self, player: Any) -> None:
        self._player = player

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._player.client, name)
        if name.startswith("_") or not callable(method):
            raise AttributeError(name)
        if not takes_session(name):
            setattr(self, name, method)
            return method
        player = self._player

        @functools.wraps(method)
        def call(*args: Any, **options: Any) -> Any:
            player.log_in()
            return method(player.session, *args, **options)

        setattr(self, name, call)
        return call


@functools.cache
def takes_session(name: str) -> bool:
    """True if the operation of that name takes a session, which is always its first parameter."""
    parameters = list(inspect.signature(getattr(Client, name)).parameters)
    return parameters[1:2] == ["session"]
