"""Facts about routes and messages: the method of the client that makes a request, and what a scenario needs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from nakama_bots.rest import session as sessions
from nakama_bots.rest.client import Client
from nakama_bots.rest.families import rpc, users
from nakama_bots.rest.families.custom import template_of
from nakama_bots.rest.route import Route

LOGIN: Final = "/v2/account/authenticate/"
REFRESH: Final = sessions.REFRESH.template
LOGOUT: Final = sessions.LOGOUT.template
RPC: Final = rpc.CALL.template

LOOKUP: Final = (users.GET.method, users.GET.template)
"""Answers with those users of the request that exist."""
_UNORDERED: Final = ("/v2/leaderboard/", "/v2/notification", "/v2/tournament/")
"""Paths of calls that do the same in whatever order players make them."""
_ONCE: Final = frozenset({
    "add_friends", "block_friends", "delete_friends", "delete_notifications", "join_group",
})  # fmt: skip
"""Methods that succeed once per account: friends and members stay, deleted notifications are gone."""
_NEED_USERS: Final = frozenset({"add_friends", "block_friends", "add_group_users"})
"""Methods whose users must exist."""
_MESSAGES_ABOUT_USERS: Final = ("status_follow", "status_unfollow")
_MESSAGES_THAT_NEED_USERS: Final = ("status_follow", "channel_join")
_PERSONAL: Final = ("/v2/account/link/", "/v2/account/unlink/", "/v2/iap/")


@cache
def _methods() -> dict[tuple[str, str], str]:
    """The client's method for each route, by the route's method and template: the one whose code names it."""
    found = {(rpc.CALL.method, RPC): "rpc"}  # which has several
    for name, function in inspect.getmembers(Client, inspect.isfunction):
        for route in map(function.__globals__.get, function.__code__.co_names):
            if isinstance(route, Route):
                found.setdefault((route.method, route.template), name)
    return found


def templates() -> set[str]:
    """The templates of all routes."""
    return {template for _, template in _methods()}


def only_once(kind: str, name: str) -> bool:
    """True if the call succeeds once per account."""
    return _methods().get((kind, name)) in _ONCE


def needs_users(kind: str, name: str) -> bool:
    """True if the users that the call names must exist."""
    return name in _MESSAGES_THAT_NEED_USERS or _methods().get((kind, name)) in _NEED_USERS


def names_users(name: str) -> bool:
    """True if an id of the call that has no field name is a user's."""
    return name in _MESSAGES_ABOUT_USERS or "{user_id}" in name or "{owner_id}" in name


def keeps_order(kind: str, name: str) -> bool:
    """True if a call of another player may change what the call does, or the other way round."""
    return kind != "WS" and not name.startswith(_UNORDERED) and (kind, name) != LOOKUP


def is_personal(name: str) -> bool:
    """True if the call has a person's identity or purchase."""
    return name.startswith(_PERSONAL)


# Names that the wire has and the client's methods have not.
_RENAMED: Final = {"user_ids": "ids"}
# Methods whose body is one object of the wire; of all others the fields of the body are arguments.
_WHOLE: Final = frozenset({
    "emit_event", "read_storage_objects", "delete_storage_objects", "write_leaderboard_record",
    "write_tournament_record", "write_tournament_record2",
})  # fmt: skip


@cache
def _routes() -> list[tuple[str, str, re.Pattern[str]]]:
    """Method, template and pattern of every route; literal segments before parameters.

    ``/v2/friend/friends`` is not ``/v2/friend/{id}``.
    """
    found = sorted(_methods(), key=lambda route: (route[1].count("{"), -len(route[1])))
    return [(method, template, _pattern(template)) for method, template in found]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("([^/]+)".join(re.escape(text) for text in re.split(r"\{\w+\}", template)))


def find(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Template and path values of a request; the template of an unknown route has ``{id}`` for its ids."""
    for wanted, template, pattern in _routes():
        if wanted == method and (match := pattern.fullmatch(path)):
            return template, tuple(unquote(value) for value in match.groups())
    return template_of(path), ()


def invocation(
    method: str, template: str, path: tuple[str, ...], query: dict[str, list[str]], body: Any
) -> tuple[str, list[Any], dict[str, Any]] | None:
    """The method of ``player.api`` that makes this request, its arguments in order, and those by name.

    None if no method does.
    """
    name = _methods().get((method, template))
    if name is None:
        return None
    parameters = inspect.signature(getattr(Client, name)).parameters
    fields: dict[str, Any] = {
        _RENAMED.get(key, key): _typed(parameters, key, value) for key, value in query.items()
    }
    positional: list[Any] = list(path)
    if template == RPC and method == "POST":
        fields.pop("unwrap", None)
        positional += [] if body is None else [body]
        if "unwrap" in query:
            fields["unwrap"] = True
    elif name == "write_storage_objects":
        positional.append(body.get("objects", []) if isinstance(body, dict) else [])
    elif name in _WHOLE:
        positional.append(body if isinstance(body, dict) else {})
    elif isinstance(body, dict):
        fields.update({_RENAMED.get(_snake(key), _snake(key)): value for key, value in body.items()})
    # Some methods take the fields of the body as ``**fields``, which accept any name.
    if not fields.keys() <= parameters.keys() | _fields_of(name):
        return None
    if not binds(getattr(Client, name), (None, *positional), fields):
        return None
    return name, positional, fields


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
