"""The Lua modules of an emulator: loaded in the server's order, with ``nk`` for calls and registration."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from nakama_bots.emulator.formats.envelopes import hooked_envelope
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.lua.contexts import of_call
from nakama_bots.emulator.runtime.lua.engine import Engine, LuaFailure, LuaFunction
from nakama_bots.emulator.runtime.lua.library import libraries
from nakama_bots.emulator.runtime.lua.match import LuaMatch
from nakama_bots.emulator.runtime.matches import FUNCTIONS as MATCH_FUNCTIONS
from nakama_bots.emulator.runtime.matches import MatchHandler
from nakama_bots.emulator.runtime.nk import FUNCTIONS, Nk
from nakama_bots.emulator.runtime.nk.arguments import ArgumentError, kind, named, text
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.matchmaker import Entry

_LOG = logging.getLogger(__name__)
# Arguments that a Lua module must pass, if only as nil.
_NEEDED: Final = {
    "groups_list": (3,),
    "json_encode": (1,),
    "match_create": (2,),
    "match_list": (2, 3, 4, 5, 6),
    "party_list": (2,),
}
# Requests whose hooks the server's Lua accepts and never calls.
_UNHOOKED: Final = frozenset(("deletetournamentrecord", "importsteamfriends", "listparties"))
# Functions of the server's Lua that the emulator lacks; they exist and fail.
MISSING: Final = (
    "authenticate_apple", "authenticate_facebook", "authenticate_facebook_instant_game",
    "authenticate_game_center", "authenticate_google", "authenticate_steam", "link_apple", "link_facebook",
    "link_facebook_instant_game", "link_gamecenter", "link_google", "link_steam", "unlink_apple",
    "unlink_facebook", "unlink_facebook_instant_game", "unlink_gamecenter", "unlink_google", "unlink_steam",
    "purchase_validate_apple", "purchase_validate_google", "purchase_validate_huawei",
    "purchase_validate_facebook_instant", "purchase_validate_samsung", "purchase_get_by_transaction_id",
    "purchases_list", "subscription_validate_apple", "subscription_validate_google",
    "subscription_get_by_product_id", "subscriptions_list", "storage_index_list", "register_storage_index",
    "register_storage_index_filter", "account_import_id", "file_read", "get_config", "get_satori",
)  # fmt: skip


@cache
def _arguments() -> dict[str, int]:
    """Return the number of arguments of each ``nk`` function; cached, as inspection dominates a reset."""
    return {name: len(inspect.signature(getattr(Nk, name)).parameters) - 1 for name in FUNCTIONS}


class LuaModules:
    """All Lua modules, in one Lua state."""

    def __init__(self, core: Core, nk: Nk, initializer: Initializer) -> None:
        options = core.options
        self._core = core
        self._initializer = initializer
        native = libraries(core.now, core.rng)
        self._engine = Engine(
            options.module_instructions, options.module_seconds, options.module_memory, native
        )
        self._engine.preload("nakama", self._engine.table(self._functions(nk)))
        self._names: list[str] = []
        core.matches.resolve = self._handler

    def _functions(self, nk: Nk) -> dict[str, LuaFunction]:
        made: dict[str, LuaFunction] = {}
        for name, count in _arguments().items():
            made[name] = self._engine.function(getattr(nk, name), name, count, _NEEDED.get(name, ()))
        for name in MISSING:
            made[name] = self._engine.function(_missing(name))
        for name, register in self._registrations().items():
            made[name] = self._engine.function(register, name, 2)
        # These take Lua functions, which are called as such.
        made["run_once"] = self._engine.function(
            lambda function: nk.run_once(self._once(function)), "run_once", 1
        )
        made["storage_write_retry"] = self._engine.function(
            lambda ids, function, retries: nk.storage_write_retry(ids, self._update(function), retries),
            "storage_write_retry",
            3,
        )
        made["get_context"] = self._engine.function(
            lambda: of_call(self._core.options, RpcContext(mode="run_once"))
        )
        return made

    def add(self, name: str, path: Path) -> None:
        """Add a module to load, under the name for ``require``. ``OSError``."""
        self._engine.add(name, path)
        if name not in self._names:
            self._names.append(name)

    def look_in(self, root: Path) -> None:
        """Allow modules to require other files of a folder."""
        self._engine.look_in(root)

    def load(self) -> None:
        """Run all added modules, in order. ``LuaFailure``."""
        for name in self._names:
            self._engine.require(name)

    def _handler(self, name: str) -> MatchHandler | None:
        """Create a match handler from the module of that name; None if there is none."""
        if not self._engine.knows(name):
            return None
        table: Any = None
        wrong = ""
        try:
            table = self._engine.require(name)
        except LuaFailure as error:
            wrong = f"error loading match module: {error.message}"
        if not wrong and not hasattr(table, "items"):
            wrong = "match module must return a table containing the match callback functions"
        for function in MATCH_FUNCTIONS if not wrong else ():
            if not callable(table[function.encode()]) or hasattr(table[function.encode()], "items"):
                wrong = f"{function} not found or not a function"
                break
        if wrong:
            message = f"error creating match: {wrong}"
            raise RuntimeFunctionError(message)
        return LuaMatch(self._engine, self._core.options, table)

    # Registrations.

    def _registrations(self) -> dict[str, Callable[..., None]]:
        made = {
            name: self._registers(name, adapt)
            for name, adapt in {
                "register_rpc": self._rpc,
                "register_req_before": self._req_before,
                "register_req_after": self._req_after,
                "register_rt_before": self._rt_before,
                "register_rt_after": self._rt_after,
            }.items()
        }
        plain = {
            "register_matchmaker_matched": self._matched,
            "register_tournament_end": self._notified,
            "register_tournament_reset": self._notified,
            "register_leaderboard_reset": self._notified,
            "register_shutdown": self._notified,
        }
        return {**made, **{name: self._registers_one(name, adapt) for name, adapt in plain.items()}}

    def _registers(self, name: str, adapt: Callable[[LuaFunction, str], Any]) -> Callable[..., None]:
        def register(function: Any = None, identifier: Any = None) -> None:
            if kind(function) != "function":
                raise ArgumentError(1, f"function expected, got {kind(function)}")
            wanted = text(2, identifier, "expects rpc id" if name == "register_rpc" else "expects method name")
            try:
                if wanted.lower() in _UNHOOKED and name.startswith("register_req_"):
                    raise ValueError(f"no hooks on {wanted!r} in Lua")
                getattr(self._initializer, name)(adapt(function, wanted), wanted)
            except ValueError as error:
                # As on the server, where nothing ever calls the function.
                _LOG.warning("%s: %s", name, error)

        register.__name__ = name
        return named(register)

    def _registers_one(self, name: str, adapt: Callable[[LuaFunction], Any]) -> Callable[..., None]:
        def register(function: Any = None, _: Any = None) -> None:
            if kind(function) != "function":
                raise ArgumentError(1, f"function expected, got {kind(function)}")
            getattr(self._initializer, name)(adapt(function))

        register.__name__ = name
        return named(register)

    def _call(self, function: LuaFunction, context: RpcContext, *arguments: Any) -> Any:
        """Call a function and return its last result, as the server does, in Python."""
        result = self._engine.call(function, of_call(self._core.options, context), *arguments)
        return self._engine.value(result[-1] if isinstance(result, tuple) else result)

    def _logged(self, what: str, function: LuaFunction, context: RpcContext, *arguments: Any) -> Any:
        try:
            return self._call(function, context, *arguments)
        except LuaFailure as error:
            if not error.deliberate:
                _LOG.error("%s: %s", what, error.place + error.message)
            raise

    def _rpc(self, function: LuaFunction, identifier: str) -> Callable[[RpcContext, str], Any]:
        return lambda context, payload: self._logged(f"rpc {identifier}", function, context, payload)

    def _req_before(self, function: LuaFunction, name: str) -> Callable[[RpcContext, JsonObject], Any]:
        def before(context: RpcContext, body: JsonObject) -> Any:
            return self._object(self._logged(f"before {name}", function, context, body))

        return before

    def _req_after(self, function: LuaFunction, _: str) -> Callable[[RpcContext, JsonObject, JsonObject], Any]:
        def after(context: RpcContext, answer: JsonObject, body: JsonObject) -> None:
            self._call(function, context, answer, body)

        return after

    def _rt_before(self, function: LuaFunction, name: str) -> Callable[[RpcContext, JsonObject], Any]:
        key = self._message(name)

        def before(context: RpcContext, body: JsonObject) -> Any:
            envelope = hooked_envelope(key, body, context.cid)
            result = self._object(self._logged(f"before {name}", function, context, envelope))
            return None if result is None else result.get(key, {})

        return before

    def _rt_after(
        self, function: LuaFunction, name: str
    ) -> Callable[[RpcContext, JsonObject, JsonObject], Any]:
        key = self._message(name)

        def after(context: RpcContext, answer: JsonObject, body: JsonObject) -> None:
            self._call(function, context, answer, hooked_envelope(key, body, context.cid))

        return after

    def _message(self, name: str) -> str:
        """Return the key of a socket message by the server's name, such as ``StatusUpdate``. ``ValueError``."""
        if not name.isalpha():
            msg = f"no socket message {name!r} to hook; its name has only letters, as StatusUpdate has"
            raise ValueError(msg)
        return self._initializer.message(name)

    @staticmethod
    def _object(result: Any) -> dict[str, Any] | None:
        if result is None or isinstance(result, dict):
            return result
        message = "Could not complete runtime Before function."
        raise RuntimeFunctionError(message)

    def _matched(self, function: LuaFunction) -> Callable[[RpcContext, Sequence[Entry]], str | None]:
        def matched(context: RpcContext, entries: Sequence[Entry]) -> str | None:
            result = self._call(function, context, [_entry(one, self._core.options.node) for one in entries])
            if result is None or isinstance(result, str):
                return result
            message = "Unexpected return type from runtime Matchmaker Matched hook, must be string or nil."
            raise RuntimeFunctionError(message)

        return matched

    def _notified(self, function: LuaFunction) -> Callable[..., None]:
        def notified(context: RpcContext, *arguments: Any) -> None:
            self._call(function, context, *arguments)

        return notified

    def _once(self, function: Any) -> Any:
        if kind(function) != "function":
            return None
        return lambda context: self._call(function, context)

    def _update(self, function: Any) -> Any:
        if kind(function) != "function":
            return None
        return lambda objects: self._engine.value(self._engine.call(function, objects))


def _missing(name: str) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        message = f"{name}: the emulator does not have this function"
        raise RuntimeFunctionError(message)

    return fail


def _entry(entry: Entry, node: str) -> JsonObject:
    session = entry.session
    presence = {
        "user_id": session.user_id,
        "session_id": session.id,
        "username": session.username,
        "node": node,
    }
    properties = {**entry.string_properties, **entry.numeric_properties}
    return {"presence": presence, "properties": properties, "party_id": entry.party_id or None}
