"""Which method of the client a REST request is: the routes of the families, and how each takes its values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from nakama_bots.rest import session as sessions
from nakama_bots.rest.client import Client
from nakama_bots.rest.families import (
    account,
    authentication,
    channels,
    events,
    friends,
    groups,
    health,
    leaderboards,
    link,
    matches,
    notifications,
    purchases,
    rpc,
    storage,
    tournaments,
    users,
)
from nakama_bots.rest.families.custom import template_of
from nakama_bots.rest.route import Route

LOGIN: Final = "/v2/account/authenticate/"
REFRESH: Final = sessions.REFRESH.template
LOGOUT: Final = sessions.LOGOUT.template
RPC: Final = rpc.CALL.template

_FAMILIES: Final = (
    account, authentication, channels, events, friends, groups, health, leaderboards, link, matches,
    notifications, purchases, rpc, sessions, storage, tournaments, users,
)  # fmt: skip

# Route -> method of the client. What is not here is written as ``api.call(method, path)``.
METHODS: Final[dict[tuple[str, str], str]] = {
    (route.method, route.template): method
    for route, method in (
        (account.GET, "get_account"),
        (account.UPDATE, "update_account"),
        (account.DELETE, "delete_account"),
        (channels.LIST_MESSAGES, "list_channel_messages"),
        (events.EMIT, "emit_event"),
        (friends.LIST, "list_friends"),
        (friends.ADD, "add_friends"),
        (friends.DELETE, "delete_friends"),
        (friends.BLOCK, "block_friends"),
        (friends.LIST_OF_FRIENDS, "list_friends_of_friends"),
        (groups.LIST, "list_groups"),
        (groups.CREATE, "create_group"),
        (groups.UPDATE, "update_group"),
        (groups.DELETE, "delete_group"),
        (groups.JOIN, "join_group"),
        (groups.LEAVE, "leave_group"),
        (groups.ADD_USERS, "add_group_users"),
        (groups.BAN_USERS, "ban_group_users"),
        (groups.DEMOTE_USERS, "demote_group_users"),
        (groups.KICK_USERS, "kick_group_users"),
        (groups.PROMOTE_USERS, "promote_group_users"),
        (groups.LIST_USERS, "list_group_users"),
        (groups.LIST_OF_USER, "list_user_groups"),
        (leaderboards.LIST, "list_leaderboard_records"),
        (leaderboards.LIST_AROUND, "list_leaderboard_records_around_owner"),
        (leaderboards.WRITE, "write_leaderboard_record"),
        (leaderboards.DELETE, "delete_leaderboard_record"),
        (matches.LIST, "list_matches"),
        (matches.STATS, "get_matchmaker_stats"),
        (matches.LIST_PARTIES, "list_parties"),
        (notifications.LIST, "list_notifications"),
        (notifications.DELETE, "delete_notifications"),
        (rpc.CALL, "rpc"),
        (rpc.GET, "rpc_func2"),
        (storage.READ, "read_storage_objects"),
        (storage.WRITE, "write_storage_objects"),
        (storage.DELETE, "delete_storage_objects"),
        (storage.LIST, "list_storage_objects"),
        (storage.LIST_OF_USER, "list_storage_objects2"),
        (tournaments.LIST, "list_tournaments"),
        (tournaments.LIST_RECORDS, "list_tournament_records"),
        (tournaments.LIST_AROUND, "list_tournament_records_around_owner"),
        (tournaments.WRITE, "write_tournament_record"),
        (tournaments.WRITE_POST, "write_tournament_record2"),
        (tournaments.DELETE, "delete_tournament_record"),
        (tournaments.JOIN, "join_tournament"),
        (users.GET, "get_users"),
    )
}

# Names that the wire has and the client's methods have not.
_RENAMED: Final = {"user_ids": "ids"}
# Methods whose body is one object of the wire; of all others the fields of the body are arguments.
_WHOLE: Final = frozenset({
    "emit_event", "read_storage_objects", "delete_storage_objects", "write_leaderboard_record",
    "write_tournament_record", "write_tournament_record2",
})  # fmt: skip


@cache
def _routes() -> list[tuple[Route[Any], re.Pattern[str]]]:
    found = [one for family in _FAMILIES for one in vars(family).values() if isinstance(one, Route)]
    # Literal segments before parameters: /v2/friend/friends is not /v2/friend/{id}.
    found.sort(key=lambda route: (len(route.parameters), -len(route.template)))
    return [(route, _pattern(route.template)) for route in found]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("([^/]+)".join(re.escape(text) for text in re.split(r"\{\w+\}", template)))


def find(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Template and path values of a request; the template of an unknown route has ``{id}`` for its ids."""
    for route, pattern in _routes():
        if route.method == method and (match := pattern.fullmatch(path)):
            return route.template, tuple(unquote(value) for value in match.groups())
    return template_of(path), ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call as it is written: the method's name, its arguments in order, and those by name."""

    method: str
    positional: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


def invocation(
    method: str, template: str, path: tuple[str, ...], query: dict[str, list[str]], body: Any
) -> Invocation | None:
    """How ``player.api`` makes this request; None if no method of the client does."""
    name = METHODS.get((method, template))
    if name is None:
        return None
    parameters = inspect.signature(getattr(Client, name)).parameters
    fields: dict[str, Any] = {
        _RENAMED.get(key, key): _typed(parameters, key, value) for key, value in query.items()
    }
    positional: tuple[Any, ...] = path
    if template == RPC and method == "POST":
        fields.pop("unwrap", None)
        positional = (*path, *(() if body is None else (body,)))
        if "unwrap" in query:
            fields["unwrap"] = True
    elif name == "write_storage_objects":
        positional = (*path, body.get("objects", []) if isinstance(body, dict) else [])
    elif name in _WHOLE:
        positional = (*path, body if isinstance(body, dict) else {})
    elif isinstance(body, dict):
        fields.update({_RENAMED.get(_snake(key), _snake(key)): value for key, value in body.items()})
    # Some methods take the fields of the body as ``**fields``, which accept any name.
    if not fields.keys() <= parameters.keys() | _fields_of(name):
        return None
    if not binds(getattr(Client, name), (None, *positional), fields):
        return None
    return Invocation(name, positional, tuple(fields.items()))


def binds(method: Callable[..., Any], positional: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a method accepts these arguments, without its ``self``."""
    try:
        inspect.signature(method).bind(None, *positional, **named)
    except TypeError:
        return False
    return True


@cache
def _fields_of(name: str) -> frozenset[str]:
    """Names of the fields that ``**fields`` of a method takes."""
    from nakama_bots.types.account import UpdateAccountRequest  # noqa: PLC0415
    from nakama_bots.types.groups import CreateGroupRequest, UpdateGroupRequest  # noqa: PLC0415

    shapes: dict[str, Any] = {
        "update_account": UpdateAccountRequest,
        "create_group": CreateGroupRequest,
        "update_group": UpdateGroupRequest,
    }
    return frozenset(shapes[name].__annotations__) if name in shapes else frozenset()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def _typed(parameters: Any, key: str, values: list[str]) -> Any:
    """A query parameter's value by the annotation of its argument."""
    parameter = parameters.get(_RENAMED.get(key, key))
    kind = str(parameter.annotation) if parameter is not None else ""
    if "Sequence" in kind:
        return values
    value = values[-1]
    if "bool" in kind and value in ("true", "false"):
        return value == "true"
    if "int" in kind and value.removeprefix("-").isdecimal():
        return int(value)
    return value
