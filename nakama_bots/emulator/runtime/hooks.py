"""Hooks: functions of a module called before and after a request is handled, and on other events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.store.matchmaker import Entry

_LOG = logging.getLogger(__name__)

# Takes the caller and the message's body; returns the body to continue with, None: the resource is disabled.
Before = Callable[[RpcContext, JsonObject], "JsonObject | None"]
# Takes the caller, the answer and the message's body, after it was handled without an error.
After = Callable[[RpcContext, JsonObject, JsonObject], object]
# Takes the players of a match; returns the id of the match to join, None: a token for a relayed one.
MatchmakerMatched = Callable[[RpcContext, Sequence[Entry]], "str | None"]
# Takes the possible matches; returns those to create.
MatchmakerOverride = Callable[[RpcContext, Sequence[Sequence[Entry]]], Sequence[Sequence[Entry]]]
# Takes a tournament and the Unix seconds of its end and reset, or a leaderboard and those of its reset.
TournamentHook = Callable[[RpcContext, JsonObject, int, int], object]
LeaderboardHook = Callable[[RpcContext, JsonObject, int], object]
# Takes an event: ``name``, ``properties``, ``timestamp``, ``external``.
EventHook = Callable[[RpcContext, JsonObject], object]


@dataclass(slots=True)
class Hooks:
    """The registered hooks: of the socket by message key, of REST by the operation's name."""

    rt_before: dict[str, Before] = field(default_factory=dict)
    rt_after: dict[str, After] = field(default_factory=dict)
    req_before: dict[str, Before] = field(default_factory=dict)
    req_after: dict[str, After] = field(default_factory=dict)
    matchmaker_matched: MatchmakerMatched | None = None
    matchmaker_override: MatchmakerOverride | None = None
    tournament_end: TournamentHook | None = None
    tournament_reset: TournamentHook | None = None
    leaderboard_reset: LeaderboardHook | None = None
    shutdown: Callable[[RpcContext], object] | None = None
    events: list[EventHook] = field(default_factory=list)
    session_start: list[EventHook] = field(default_factory=list)
    session_end: list[EventHook] = field(default_factory=list)
    # Whether a module's ``run_once`` has run.
    ran_once: bool = False


def run(name: str, function: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Call a hook and log its failure; None without one, or if it fails."""
    if function is None:
        return None
    try:
        return function(*arguments)
    except RuntimeFunctionError as error:
        _LOG.error("%s: %s", name, error.message)
    except Exception:  # noqa: BLE001 - a module may raise anything
        _LOG.exception("%s", name)
    return None


def fire(hooks: Hooks, event: JsonObject, context: RpcContext | None = None) -> None:
    """Pass an event to all event hooks."""
    for function in hooks.events:
        run("event", function, context or RpcContext(mode="event"), event)


def plain(fields: Mapping[str, Any]) -> JsonObject:
    """Return a parsed message as ordinary JSON, for a hook."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value
