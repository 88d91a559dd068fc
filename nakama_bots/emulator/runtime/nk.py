"""What a runtime module gets: ``nk``, the functions of the server, and ``initializer``, to register its own.

The names are those of Nakama's Lua runtime (https://heroiclabs.com/docs/nakama/server-framework/lua-runtime/).
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from nakama_bots.emulator.dispatch.operations import NAMES
from nakama_bots.emulator.dispatch.realtime import MessageRow, RealtimeFault
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.handlers import matches as listing
from nakama_bots.emulator.handlers.match import match_stream
from nakama_bots.emulator.handlers.stream import stream_wire
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import After, Before, MatchmakerMatched
from nakama_bots.emulator.runtime.matches import FUNCTIONS, MatchHandler
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import DISCONNECTED, Core
from nakama_bots.emulator.store.leaderboards import LeaderboardOptions, TournamentOptions
from nakama_bots.emulator.store.tracker import Presence, Session, Stream

_LOG = logging.getLogger(__name__)


class Nk:
    """The functions of the server. ``core`` is the store itself, for what has no function here (not stable)."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def _session(self, session_id: str) -> Session:
        session = self.core.sessions.get(session_id)
        if session is None:
            msg = "session not found"
            raise RuntimeFunctionError(msg)
        return session

    def stream_user_join(
        self,
        session_id: str,
        stream: Stream,
        *,
        hidden: bool = False,
        persistence: bool = False,
    ) -> bool:
        """Put a session into a stream; False when it already was there."""
        return self.core.tracker.track(stream, Presence(self._session(session_id), hidden, persistence))

    def stream_user_leave(self, session_id: str, stream: Stream) -> None:
        """Take a session out of a stream."""
        self.core.tracker.untrack(stream, self._session(session_id))

    def stream_send(self, stream: Stream, data: str, *, reliable: bool = True) -> None:
        """Send a text to everybody in a stream."""
        body: JsonObject = {"stream": stream_wire(stream)}
        if data:
            body["data"] = data
        if reliable:
            body["reliable"] = True
        self.core.tracker.send(stream, {"stream_data": body})

    def stream_count(self, stream: Stream) -> int:
        """How many sessions are in a stream."""
        return self.core.tracker.count(stream)

    def stream_close(self, stream: Stream) -> None:
        """Empty a stream; nobody is told."""
        self.core.tracker.drop(stream)

    def match_create(self, module: str, params: Mapping[str, Any] | None = None) -> str:
        """Start an authoritative match with the handler registered as ``module``; gives its id."""
        try:
            return self.core.matches.create(self.core.new_id(), module, params or {}).id
        except RuntimeFunctionError:
            raise
        except Exception as error:
            _LOG.exception("match_init of %s", module)
            msg = f"error creating match: error creating match: {error}"
            raise RuntimeFunctionError(msg) from error

    def match_signal(self, match_id: str, data: str = "") -> str:
        """The answer of a match's ``match_signal``."""
        try:
            match = self.core.matches.get(match_stream(match_id))
        except RealtimeFault:
            match = None
        if match is None:
            msg = "failed to signal match: match not found"
            raise RuntimeFunctionError(msg)
        return match.signal(data)

    def match_list(
        self,
        limit: int = 1,
        *,
        authoritative: bool | None = None,
        label: str | None = None,
        min_size: int = 0,
        max_size: int = 2**31,
        query_text: str | None = None,
    ) -> list[JsonObject]:
        """Nakama's ``Match`` of each that fits, as a client's list shows them."""
        wanted = listing.Wanted(limit, authoritative, label, query_text, min_size, max_size)
        try:
            return listing.find(self.core, wanted)
        except (query.QuerySyntaxError, query.QuerySearchError) as error:
            msg = f"failed to list matches: error parsing query string: {error}"
            raise RuntimeFunctionError(msg) from None

    def leaderboard_create(self, identifier: str, **options: Unpack[LeaderboardOptions]) -> None:
        """Make a leaderboard; a board that is there stays as it is."""
        self.core.leaderboards.create(identifier, **options)

    def tournament_create(self, identifier: str, **options: Unpack[TournamentOptions]) -> None:
        """Make a tournament; one that is there stays as it is."""
        self.core.leaderboards.create_tournament(identifier, **options)

    def notification_send(
        self,
        user_id: str,
        subject: str,
        content: str,
        code: int,
        sender_id: str = "",
        *,
        persistent: bool = False,
    ) -> None:
        """Notify a user; ``content`` is JSON text, no ``sender_id``: the system."""
        self.core.notify(user_id, subject, content, code, sender_id or SYSTEM_USER_ID, persistent=persistent)

    def session_disconnect(self, session_id: str) -> None:
        """Close a session's socket."""
        session = self.core.sessions.get(session_id)
        if session is not None:
            session.disconnect(1000, DISCONNECTED)

    def session_logout(self, user_id: str) -> None:
        """End all tokens of a user that were issued in an earlier second."""
        self.core.session_cache.revoke_before(user_id, self.core.seconds())

    def users_ban_id(self, user_ids: Iterable[str]) -> None:
        """Ban users: their tokens end, their sockets are told and closed."""
        for user_id in user_ids:
            account = self.core.accounts.get(user_id)
            if account is not None:
                self.core.ban(account)

    def users_unban_id(self, user_ids: Iterable[str]) -> None:
        """Let banned users in again."""
        for user_id in user_ids:
            account = self.core.accounts.get(user_id)
            if account is not None:
                account.disabled = False


RpcImplementation = Callable[[RpcContext, str], Any]


class Initializer:
    """Takes what a module registers; ``ValueError`` says what cannot be registered."""

    def __init__(self, core: Core, messages: Iterable[MessageRow]) -> None:
        self._core = core
        self._messages = {row.key for row in messages}

    def register_rpc(self, function: RpcImplementation, identifier: str) -> None:
        """A function that clients call; it gives a text or None, or awaits one."""
        self._core.functions[identifier.lower()] = _guarded(function, identifier)

    def register_match(self, name: str, handler: MatchHandler) -> None:
        """An object (or a module) with Nakama's seven match functions."""
        missing = [function for function in FUNCTIONS if not callable(getattr(handler, function, None))]
        if missing:
            msg = f"match handler {name!r} has no {', '.join(missing)}"
            raise ValueError(msg)
        self._core.matches.handlers[name] = handler

    def register_rt_before(self, function: Before, message: str) -> None:
        """A hook before a socket message, named ``StatusUpdate`` or ``status_update``."""
        self._core.hooks.rt_before[self._key(message)] = function

    def register_rt_after(self, function: After, message: str) -> None:
        """A hook after a socket message."""
        self._core.hooks.rt_after[self._key(message)] = function

    def register_req_before(self, function: Before, request: str) -> None:
        """A hook before a REST request, named as its operation: ``Event``, ``AuthenticateDevice``."""
        self._core.hooks.req_before[_request(request)] = function

    def register_req_after(self, function: After, request: str) -> None:
        """A hook after a REST request."""
        self._core.hooks.req_after[_request(request)] = function

    def register_matchmaker_matched(self, function: MatchmakerMatched) -> None:
        """Is asked for a match id whenever the matchmaker has put players together."""
        self._core.hooks.matchmaker_matched = function

    def _key(self, message: str) -> str:
        key = re.sub(r"(?<!^)(?=[A-Z])", "_", message).lower()
        if key not in self._messages:
            msg = f"no socket message {message!r}; there are {', '.join(sorted(self._messages))}"
            raise ValueError(msg)
        return key


def _request(name: str) -> str:
    if name not in NAMES:
        msg = f"no request {name!r} to hook; there are {', '.join(sorted(NAMES))}"
        raise ValueError(msg)
    return name


def _failed(identifier: str, error: Exception) -> RuntimeFunctionError:
    _LOG.error("rpc %s", identifier, exc_info=error)
    return RuntimeFunctionError(str(error) or type(error).__name__)


def _text(result: Any) -> str:
    if result is None:
        return ""
    if not isinstance(result, str):
        # The words of the server for a Lua function that does this.
        msg = "Runtime function returned invalid data - only allowed one return value of type String/Byte."
        raise RuntimeFunctionError(msg)
    return result


def _guarded(function: RpcImplementation, identifier: str) -> Callable[[RpcContext, str], Any]:
    """A module's function, whose every failure is a runtime error and never one of the emulator."""

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
