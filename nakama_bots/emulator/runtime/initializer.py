"""Registration of a module's functions."""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from nakama_bots.emulator.dispatch.operations import NAMES
from nakama_bots.emulator.dispatch.realtime import MessageRow
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import (
    After,
    Before,
    EventHook,
    LeaderboardHook,
    MatchmakerMatched,
    MatchmakerOverride,
    TournamentHook,
)
from nakama_bots.emulator.runtime.matches import FUNCTIONS, MatchHandler
from nakama_bots.emulator.store.core import Core

_LOG = logging.getLogger(__name__)

RpcImplementation = Callable[[RpcContext, str], Any]


class Initializer:
    """Registers a module's functions; ``ValueError`` says what cannot be registered."""

    def __init__(self, core: Core, messages: Iterable[MessageRow]) -> None:
        self._core = core
        # As on the server, calls of functions have no hooks.
        self._messages = {row.key.replace("_", ""): row.key for row in messages if row.key != "rpc"}

    def register_rpc(self, function: RpcImplementation, identifier: str) -> None:
        """Register a function that clients call; it returns a string or None, or an awaitable of one."""
        if not identifier:
            msg = "a function needs a name"
            raise ValueError(msg)
        self._core.functions[identifier.lower()] = _guarded(function, identifier)

    def register_match(self, name: str, handler: MatchHandler) -> None:
        """Register an object (or a module) with Nakama's seven match functions."""
        missing = [function for function in FUNCTIONS if not callable(getattr(handler, function, None))]
        if missing:
            msg = f"match handler {name!r} has no {', '.join(missing)}"
            raise ValueError(msg)
        self._core.matches.handlers[name] = handler

    def register_rt_before(self, function: Before, message: str) -> None:
        """Register a hook before a socket message, named ``StatusUpdate`` or ``status_update``."""
        self._core.hooks.rt_before[self.message(message)] = function

    def register_rt_after(self, function: After, message: str) -> None:
        """Register a hook after a socket message."""
        self._core.hooks.rt_after[self.message(message)] = function

    def register_req_before(self, function: Before, request: str) -> None:
        """Register a hook before a REST request, by operation name: ``Event``, ``AuthenticateDevice``."""
        self._core.hooks.req_before[_request(request)] = function

    def register_req_after(self, function: After, request: str) -> None:
        """Register a hook after a REST request."""
        self._core.hooks.req_after[_request(request)] = function

    def register_matchmaker_matched(self, function: MatchmakerMatched) -> None:
        """Register a hook that returns a match id for players matched by the matchmaker."""
        self._core.hooks.matchmaker_matched = function

    def register_matchmaker_override(self, function: MatchmakerOverride) -> None:
        """Register a hook that chooses among possible matches (in Go only on a real server)."""
        self._core.hooks.matchmaker_override = function

    def register_tournament_end(self, function: TournamentHook) -> None:
        """Register a hook for the end of a tournament."""
        self._core.hooks.tournament_end = function

    def register_tournament_reset(self, function: TournamentHook) -> None:
        """Register a hook for the reset of a tournament."""
        self._core.hooks.tournament_reset = function

    def register_leaderboard_reset(self, function: LeaderboardHook) -> None:
        """Register a hook for the reset of a leaderboard."""
        self._core.hooks.leaderboard_reset = function

    def register_shutdown(self, function: Callable[[RpcContext], object]) -> None:
        """Register a hook for the end of the server."""
        self._core.hooks.shutdown = function

    def register_event(self, function: EventHook) -> None:
        """Register a hook for events of clients and of ``nk.event`` (in Go only on a real server)."""
        self._core.hooks.events.append(function)

    def register_event_session_start(self, function: EventHook) -> None:
        """Register a hook for connected sockets (in Go only on a real server)."""
        self._core.hooks.session_start.append(function)

    def register_event_session_end(self, function: EventHook) -> None:
        """Register a hook for closed sockets (in Go only on a real server)."""
        self._core.hooks.session_end.append(function)

    def message(self, name: str) -> str:
        """Return the key of a socket message. ``ValueError``."""
        key = self._messages.get(re.sub(r"[^a-z]", "", name.lower()))
        if key is None:
            msg = f"no socket message {name!r}; there are {', '.join(sorted(self._messages.values()))}"
            raise ValueError(msg)
        return key


_REQUESTS = {name.lower(): name for name in sorted(NAMES) if name not in ("Healthcheck", "RpcFunc")}


def _request(name: str) -> str:
    found = _REQUESTS.get(name.lower())
    if found is None:
        msg = f"no request {name!r} to hook; there are {', '.join(_REQUESTS.values())}"
        raise ValueError(msg)
    return found


def _failed(identifier: str, error: Exception) -> RuntimeFunctionError:
    _LOG.error("rpc %s", identifier, exc_info=error)
    return RuntimeFunctionError(str(error) or type(error).__name__)


def _text(result: Any) -> str:
    if result is None:
        return ""
    if not isinstance(result, str):
        # The server's words for a Lua function that does this.
        msg = "Runtime function returned invalid data - only allowed one return value of type String/Byte."
        raise RuntimeFunctionError(msg)
    return result


def _guarded(function: RpcImplementation, identifier: str) -> Callable[[RpcContext, str], Any]:
    """Wrap a module's function, so that any failure is a runtime error and not one of the emulator."""

    async def finish(pending: Any) -> str:
        try:
            return _text(await pending)
        except RuntimeFunctionError:
            raise
        except Exception as error:
            raise _failed(identifier, error) from error

    @functools.wraps(function)
    def call(context: RpcContext, payload: str) -> Any:
        try:
            result = function(context, payload)
        except RuntimeFunctionError:
            raise
        except Exception as error:
            raise _failed(identifier, error) from error
        return finish(result) if inspect.isawaitable(result) else _text(result)

    return call
