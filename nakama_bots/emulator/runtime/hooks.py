"""Hooks: functions of a module that see requests before and after they are handled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.store.matchmaker import Entry

# Given who calls and the message's body; gives the body to go on with, None: the resource is disabled.
Before = Callable[[RpcContext, JsonObject], "JsonObject | None"]
# Given who called and the message's body, once it was handled without an error.
After = Callable[[RpcContext, JsonObject], None]
# Given the players of a match; gives the id of the match that they should join, None: a token for a
# relayed one.
MatchmakerMatched = Callable[[RpcContext, Sequence[Entry]], "str | None"]


@dataclass(slots=True)
class Hooks:
    """What is registered: of the socket by message key, of REST by the operation's name."""

    rt_before: dict[str, Before] = field(default_factory=dict)
    rt_after: dict[str, After] = field(default_factory=dict)
    req_before: dict[str, Before] = field(default_factory=dict)
    req_after: dict[str, After] = field(default_factory=dict)
    matchmaker_matched: MatchmakerMatched | None = None


def plain(fields: Mapping[str, Any]) -> JsonObject:
    """A read message as ordinary JSON, for a hook."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value
