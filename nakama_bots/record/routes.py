"""Facts about routes and messages: the method of the client that makes a request, and what a scenario needs."""

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


@dataclass(frozen=True, slots=True)
class Fact:
    """A route: the method of the client that calls it, and what a scenario must know of it."""

    route: Route[Any]
    method: str
    once: bool = False
    """Whether it succeeds once per account: friends and members stay, deleted notifications are gone."""
    needs_users: bool = False
    """Whether the users that it names must exist."""


# A route that is not here is written as ``api.call(method, path)``.
_FACTS: Final[dict[tuple[str, str], Fact]] = {
    (fact.route.method, fact.route.template): fact
    for fact in (
        Fact(account.GET, "get_account"),
        Fact(account.UPDATE, "update_account"),
        Fact(account.DELETE, "delete_account"),
        Fact(channels.LIST_MESSAGES, "list_channel_messages"),
        Fact(events.EMIT, "emit_event"),
        Fact(friends.LIST, "list_friends"),
        Fact(friends.ADD, "add_friends", once=True, needs_users=True),
        Fact(friends.DELETE, "delete_friends", once=True),
        Fact(friends.BLOCK, "block_friends", once=True, needs_users=True),
        Fact(friends.LIST_OF_FRIENDS, "list_friends_of_friends"),
        Fact(groups.LIST, "list_groups"),
        Fact(groups.CREATE, "create_group"),
        Fact(groups.UPDATE, "update_group"),
        Fact(groups.DELETE, "delete_group"),
        Fact(groups.JOIN, "join_group", once=True),
        Fact(groups.LEAVE, "leave_group"),
        Fact(groups.ADD_USERS, "add_group_users", needs_users=True),
        Fact(groups.BAN_USERS, "ban_group_users"),
        Fact(groups.DEMOTE_USERS, "demote_group_users"),
        Fact(groups.KICK_USERS, "kick_group_users"),
        Fact(groups.PROMOTE_USERS, "promote_group_users"),
        Fact(groups.LIST_USERS, "list_group_users"),
        Fact(groups.LIST_OF_USER, "list_user_groups"),
        Fact(leaderboards.LIST, "list_leaderboard_records"),
        Fact(leaderboards.LIST_AROUND, "list_leaderboard_records_around_owner"),
        Fact(leaderboards.WRITE, "write_leaderboard_record"),
        Fact(leaderboards.DELETE, "delete_leaderboard_record"),
        Fact(matches.LIST, "list_matches"),
        Fact(matches.STATS, "get_matchmaker_stats"),
        Fact(matches.LIST_PARTIES, "list_parties"),
        Fact(notifications.LIST, "list_notifications"),
        Fact(notifications.DELETE, "delete_notifications", once=True),
        Fact(rpc.CALL, "rpc"),
        Fact(rpc.GET, "rpc_func2"),
        Fact(storage.READ, "read_storage_objects"),
        Fact(storage.WRITE, "write_storage_objects"),
        Fact(storage.DELETE, "delete_storage_objects"),
        Fact(storage.LIST, "list_storage_objects"),
        Fact(storage.LIST_OF_USER, "list_storage_objects2"),
        Fact(tournaments.LIST, "list_tournaments"),
        Fact(tournaments.LIST_RECORDS, "list_tournament_records"),
        Fact(tournaments.LIST_AROUND, "list_tournament_records_around_owner"),
        Fact(tournaments.WRITE, "write_tournament_record"),
        Fact(tournaments.WRITE_POST, "write_tournament_record2"),
        Fact(tournaments.DELETE, "delete_tournament_record"),
        Fact(tournaments.JOIN, "join_tournament"),
        Fact(users.GET, "get_users"),
    )
}
TEMPLATES: Final = frozenset(template for _, template in _FACTS)
LOOKUP: Final = (users.GET.method, users.GET.template)
"""Answers with those users of the request that exist."""
_UNORDERED: Final = ("/v2/leaderboard/", "/v2/notification", "/v2/tournament/")
"""Paths of calls that do the same in whatever order players make them."""
_MESSAGES_ABOUT_USERS: Final = ("status_follow", "status_unfollow")
_MESSAGES_THAT_NEED_USERS: Final = ("status_follow", "channel_join")
_PERSONAL: Final = ("/v2/account/link/", "/v2/account/unlink/", "/v2/iap/")


def only_once(kind: str, name: str) -> bool:
    """True if the call succeeds once per account."""
    fact = _FACTS.get((kind, name))
    return fact is not None and fact.once


def needs_users(kind: str, name: str) -> bool:
    """True if the users that the call names must exist."""
    fact = _FACTS.get((kind, name))
    return name in _MESSAGES_THAT_NEED_USERS or (fact is not None and fact.needs_users)


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


def invocation(
    method: str, template: str, path: tuple[str, ...], query: dict[str, list[str]], body: Any
) -> tuple[str, list[Any], dict[str, Any]] | None:
    """The method of ``player.api`` that makes this request, its arguments in order, and those by name.

    None if no method does.
    """
    fact = _FACTS.get((method, template))
    if fact is None:
        return None
    name = fact.method
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
