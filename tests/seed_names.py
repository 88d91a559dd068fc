"""From the seeds' names to ours: the rules, and the one table of deliberate differences.

``python tests/seed_names.py`` prints docs/seed-names.md. To cover a class of the seeds, give it a row in
``CLASSES``; where one of ours is spread over several objects or named otherwise, ``DIFFERENCES`` says so.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import nakama_bots.types
import nakama_bots.types.realtime

SEEDS: Final = json.loads((Path(__file__).parent / "data" / "seeds.json").read_text(encoding="utf-8"))
DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "seed-names.md"

# Seed class -> ours, as module:name.
CLASSES: Final[Mapping[str, str]] = {
    "NakamaApi": "nakama_bots.rest.client:NakamaApi",
    "Client": "nakama_bots.rest.client:Client",
    "NakamaRpc": "nakama_bots.rest.nakama_rpc:NakamaRpc",
    "Session": "nakama_bots.session:Session",
    "DefaultSocket": "nakama_bots.realtime.socket:Socket",
    "WebSocketAdapterText": "nakama_bots.realtime.adapters:TextAdapter",
}

RULES: Final = """\
- A name is the snake_case of the seed's: `listGroupUsers` is `list_group_users`.
- Parameters keep their order. `options` (of `fetch`) is left out: timeouts and retries are the client's own.
- The first parameter is called `session` at both levels: a `Session` for `Client`, the text of a bearer token
  for `NakamaApi`.
- An object for the body is called `request` at both levels where they share a method (`body`, `account` or
  `record` in the seeds' `NakamaApi`), and ids of users in a group `ids`.
- What a seed has as optional is optional here. Further optional parameters may follow: the server has them.
- Answers of operations that say nothing are the server's `{}` instead of `true`.
- Every method blocks its greenlet or thread and gives the result, no promise. A failure is a `CallError`.
- `onmatchdata`, a function to replace, is `on_match_data(handler)`: any number of handlers, each taken off by
  what it gives. `on_party_update` has no seed.
- `promotePartyMember` gives nothing: the server only acknowledges it. The new leader comes as `party_leader`.
- `op_code` of a match or a party is an int64 and travels as text; a handler gets an int, and `data` as bytes.
- `WebSocketAdapter` is `nakama_bots.realtime.adapters.Adapter`: it turns envelopes into frames, and no more.
  The connection (open, close, its handlers) is the socket's own.
- A message such as `ChannelJoin`, `{channel_join: {..}}` in the seeds, is the key `channel_join` of `Envelope`,
  and its body the type `ChannelJoin`.
"""

# Names that a parameter of the seeds may have here.
RENAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "bearer_token": ("session",),
    "body": ("body", "request"),
    "account": ("account", "request"),
    "record": ("request",),
    "user_ids": ("ids", "user_ids"),
}


@dataclass(frozen=True)
class Difference:
    """``here``: the counterpart as module:name; ``parameters`` of it, or None when they follow the rules."""

    here: str
    parameters: tuple[str, ...] | None
    reason: str


_API = "nakama_bots.rest.client:NakamaApi"
_ONE_ORDER = "one order of the parameters for both levels, which is that of the seeds' Client"

# Seed name -> what is otherwise here, and why.
_DIFFERENCES_OF_REST: Final[Mapping[str, Difference]] = {
    "NakamaApi.constructor": Difference(
        f"{_API}.__init__", ("target", "transport", "timeouts", "observer", "retry"),
        "a checked Target instead of parts; credentials are given by call, as the seeds' methods have it",
    ),
    "NakamaApi.healthcheck": Difference(
        f"{_API}.healthcheck", (), "the server needs no authorization for it, so that a check needs no session"
    ),
    "NakamaApi.listFriends": Difference(
        f"{_API}.list_friends", ("session", "state", "limit", "cursor"), _ONE_ORDER
    ),
    "NakamaApi.listGroupUsers": Difference(
        f"{_API}.list_group_users", ("session", "group_id", "state", "limit", "cursor"), _ONE_ORDER
    ),
    "NakamaApi.listUserGroups": Difference(
        f"{_API}.list_user_groups", ("session", "user_id", "state", "limit", "cursor"), _ONE_ORDER
    ),
    "NakamaApi.buildFullUrl": Difference(
        "nakama_bots.rest.route:Route.path", ("values", "query"),
        "each route builds its own paths; the host is the target's",
    ),
    "Client.constructor": Difference(
        "nakama_bots.rest.client:Client.__init__",
        ("target", "credentials", "transport", "timeouts", "observer", "retry", "clock", "log_in"),
        "checked settings instead of parts; a session is always refreshed before it expires",
    ),
    "Client.createSocket": Difference(
        "nakama_bots.realtime.socket:Socket", None,
        "REST and realtime do not know each other; a socket is made from the same target and settings",
    ),
    "Client.expiredTimespanMs": Difference(
        "nakama_bots.session:REFRESH_MARGIN", None, "seconds, as everywhere here, and the same for every client"
    ),
    "Session.isexpired": Difference(
        "nakama_bots.session:Session.is_expired", ("now",), "words are separated; `now` in Unix seconds"
    ),
    "Session.isrefreshexpired": Difference(
        "nakama_bots.session:Session.is_refresh_expired", ("now",), "words are separated; `now` in Unix seconds"
    ),
    "Session.decodeJWT": Difference(
        "nakama_bots.session:Claims.decode", ("token",), "reading a token changes no session: `update` does"
    ),
}  # fmt: skip

_SOCKET = "nakama_bots.realtime.socket:Socket"
_CHECKED = "one checked `Timeouts` for all"
_COUNTED = "the socket numbers its requests itself"
_ADAPTER = "the seam is between messages and frames; the connection is the socket's own"

_DIFFERENCES_OF_SOCKETS: Final[Mapping[str, Difference]] = {
    "DefaultSocket.constructor": Difference(
        f"{_SOCKET}.__init__", ("target", "timeouts", "network", "observer", "adapter"),
        "a checked Target instead of parts",
    ),
    "DefaultSocket.DefaultHeartbeatTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.heartbeat_timeout", None, f"{_CHECKED}, in seconds"
    ),
    "DefaultSocket.DefaultSendTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.request", None, f"{_CHECKED}, in seconds"
    ),
    "DefaultSocket.DefaultConnectTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.connect", None, f"{_CHECKED}, in seconds"
    ),
    "DefaultSocket.cIds": Difference(f"{_SOCKET}.pending", None, "the table is private; this is its length"),
    "DefaultSocket.nextCid": Difference(f"{_SOCKET}.ledger", None, f"{_COUNTED}; the ledger says how many"),
    "DefaultSocket._heartbeatTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.heartbeat_timeout", None, f"{_CHECKED}, in seconds"
    ),
    "DefaultSocket.generatecid": Difference(
        "nakama_bots.realtime.protocol:RealtimeProtocol.request", ("key", "body", "waiter", "now", "timeout"),
        f"{_COUNTED}, when it registers them",
    ),
    "DefaultSocket.setHeartbeatTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.heartbeat_timeout", None, "set when the socket is made"
    ),
    "DefaultSocket.getHeartbeatTimeoutMs": Difference(
        "nakama_bots.settings.target:Timeouts.heartbeat_timeout", None, "`socket.timeouts` has it"
    ),
    "DefaultSocket.connect": Difference(
        f"{_SOCKET}.connect", ("session", "create_status", "lang"),
        "the time-out is in the socket's `Timeouts`; the server also knows a language",
    ),
    "DefaultSocket.disconnect": Difference(
        f"{_SOCKET}.close", ("code", "reason"), "`on_disconnect` never hears of an end that was wanted"
    ),
    "DefaultSocket.send": Difference(
        f"{_SOCKET}.request", ("key", "body", "timeout"),
        "`request` waits for the answer; `send(key, body)` is for the messages that get none",
    ),
    "DefaultSocket.joinChat": Difference(
        f"{_SOCKET}.join_chat", ("target", "channel_type", "persistence", "hidden"),
        "an enum, ROOM if left out",
    ),
    "DefaultSocket.rpc": Difference(
        f"{_SOCKET}.rpc", ("id", "payload", "http_key"), "the server refuses a call without `id`"
    ),
    "WebSocketAdapterText._socket": Difference(
        "nakama_bots.realtime.adapters:TextAdapter.opcode", None, _ADAPTER
    ),
    "WebSocketAdapterText.isOpen": Difference(f"{_SOCKET}.connected", None, _ADAPTER),
    "WebSocketAdapterText.connect": Difference(
        "nakama_bots.realtime.connection:open_connection",
        ("target", "query", "headers", "network", "timeout", "receiver", "opcode"), _ADAPTER,
    ),
    "WebSocketAdapterText.close": Difference(
        "nakama_bots.realtime.connection:Connection.close", ("code", "reason", "timeout"), _ADAPTER
    ),
    "WebSocketAdapterText.send": Difference(
        "nakama_bots.realtime.connection:Connection.write_message", ("payload",), _ADAPTER
    ),
}  # fmt: skip
DIFFERENCES: Final[Mapping[str, Difference]] = {**_DIFFERENCES_OF_REST, **_DIFFERENCES_OF_SOCKETS}

# Seed type -> ours, where leaving "Api" out is not all.
TYPE_NAMES: Final[Mapping[str, str]] = {
    "RpcResponse": "Rpc",
    "WriteTournamentRecord": "WriteTournamentRecordRequestTournamentRecordWrite",
    "WriteLeaderboardRecord": "WriteLeaderboardRecordRequestLeaderboardRecordWrite",
    "Friends": "FriendList",
    "FriendOfFriend": "FriendsOfFriendsListFriendOfFriend",
    "FriendsOfFriends": "FriendsOfFriendsList",
    "GroupUser": "GroupUserListGroupUser",
    "UserGroup": "UserGroupListUserGroup",
}

# The same for types of the socket; None: no counterpart, and why is in the rules.
REALTIME_TYPE_NAMES: Final[Mapping[str, str | None]] = {
    "Presence": "UserPresence",
    "StreamId": "Stream",
    "SocketError": "Error",
    "CreateMatch": "MatchCreate",
    "JoinMatch": "MatchJoin",
    "LeaveMatch": "MatchLeave",
    "Match": "RealtimeMatch",
    "Party": "RealtimeParty",
    "Rpc": "RealtimeRpc",
    "PromiseExecutor": None,
    "Socket": None,
}

# Field of a seed type that ours has not -> why.
FIELDS_LEFT_OUT: Final[Mapping[str, str]] = {
    "ApiUpdateGroupRequest.group_id": "the group's id stands in the path, and the server takes that one",
    "ChannelMessage.reference_id": "Nakama 3.40 neither sends nor describes it",
    "Presence.node": "Nakama 3.40 neither sends nor describes it",
    "ChannelMessageAck.persistence": "the server calls it `persistent`, and so does the type",
}

# Modules of the seeds whose types are REST's.
REST_MODULES: Final = frozenset(("api.gen.ts", "client.ts", "rpc.ts", "types.ts"))


REALTIME_MODULE: Final = "socket.ts"

# Words of the seeds' handlers that are written as one.
_WORDS: Final = ("channel", "match", "matchmaker", "party", "status", "stream", "heartbeat", "join", "matched")


def snake(name: str) -> str:
    """``useSSL`` -> ``use_ssl``."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text).lower()


def is_handler(name: str) -> bool:
    """Whether a seed's method is a handler, all in small letters: ``onmatchdata``."""
    return name.startswith("on") and name.islower()


def handler_name(name: str) -> str:
    """``onpartyjoinrequest`` -> ``on_party_join_request``."""
    words, rest = ["on"], name.removeprefix("on")
    while rest:
        # The longest that fits: matchmaker, not match.
        fitting = [w for w in _WORDS if rest.startswith(w)]
        word = max(fitting, key=len) if fitting else rest
        words.append(word)
        rest = rest.removeprefix(word)
    return "_".join(words)


def resolve(reference: str) -> Any:
    """The object that ``module:name.name`` names."""
    module, _, names = reference.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def expected_parameters(seed: Sequence[str]) -> list[tuple[str, bool]]:
    """Our names of a seed's parameters, and whether each must be optional."""
    return [(snake(p.removesuffix("?")), p.endswith("?")) for p in seed if p.removesuffix("?") != "options"]


def parameters(found: Any) -> list[inspect.Parameter]:
    """What a caller gives, without ``self``."""
    every = list(inspect.signature(found).parameters.values())
    return every[1:] if every and every[0].name in ("self", "cls") else every


def mismatch(found: Any, seed: Sequence[str]) -> str | None:
    """How the signature of ``found`` is not what the rules make of the seed's."""
    ours = parameters(found)
    wanted = expected_parameters(seed)
    for number, (name, optional) in enumerate(wanted):
        if number >= len(ours):
            return f"has no parameter {name!r}"
        mine = ours[number]
        if mine.name not in RENAMED.get(name, (name,)):
            return f"has {mine.name!r} where the seed has {name!r}"
        if optional and mine.default is mine.empty:
            return f"needs {name!r}, which is optional in the seed"
    for mine in ours[len(wanted) :]:
        if mine.default is mine.empty and mine.kind not in (mine.VAR_KEYWORD, mine.VAR_POSITIONAL):
            return f"needs {mine.name!r}, which the seed has not"
    return None


def members(seed_class: str) -> Iterator[tuple[str, str, Sequence[str] | None]]:
    """Kind, seed name and parameters of the constructor, the methods and the properties of a seed class."""
    described = SEEDS["classes"][seed_class]
    yield "constructor", "constructor", described["constructor"]
    for name, seed in described["methods"].items():
        yield "method", name, seed
    for name in described["properties"]:
        yield "property", name, None


def here(seed_class: str, kind: str, name: str) -> str:
    """Our counterpart of a member, as module:name."""
    difference = DIFFERENCES.get(f"{seed_class}.{name}")
    if difference is not None:
        return difference.here
    if is_handler(name):
        return f"{CLASSES[seed_class]}.{handler_name(name)}"
    return f"{CLASSES[seed_class]}.{'__init__' if kind == 'constructor' else snake(name)}"


@cache
def types() -> dict[str, Any]:
    """Every class of ``nakama_bots.types`` but the realtime ones, by name."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(nakama_bots.types.__path__):
        if info.name.startswith("realtime"):
            continue
        module = importlib.import_module(f"nakama_bots.types.{info.name}")
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__:
                assert name not in found, f"{name} stands in two modules"
                found[name] = value
    return found


def rest_types() -> Iterator[tuple[str, str, list[str]]]:
    """Seed type, our name of it, and the seed's fields."""
    for key, fields in SEEDS["interfaces"].items():
        module, _, name = key.partition(":")
        if module in REST_MODULES:
            # "Api" stays where the bare name is that of a class for scenarios, such as a match that one plays.
            bare = name.removeprefix("Api")
            ours = f"Api{bare}" if f"Api{bare}" in types() else bare
            yield name, TYPE_NAMES.get(name, ours), fields


def realtime_types() -> Iterator[tuple[str, str, list[str]]]:
    """Seed type of the socket, our name of it, and the seed's fields."""
    for key, fields in SEEDS["interfaces"].items():
        module, _, name = key.partition(":")
        ours = REALTIME_TYPE_NAMES.get(name, name)
        if module == REALTIME_MODULE and ours is not None:
            yield name, ours, fields


def document() -> str:
    """The page of the docs."""
    lines = ["# Names of the seeds and names here", "", "## Rules", "", RULES]
    lines += ["## Deliberate differences", "", "| seed | here | why |", "|---|---|---|"]
    for seed, difference in DIFFERENCES.items():
        given = "" if difference.parameters is None else f"({', '.join(difference.parameters)})"
        lines.append(f"| `{seed}` | `{difference.here.split(':')[1]}{given}` | {difference.reason} |")
    for field, reason in FIELDS_LEFT_OUT.items():
        lines.append(f"| `{field}` | left out | {reason} |")
    for seed_class in CLASSES:
        lines += ["", f"## {seed_class}", "", "| seed | here |", "|---|---|"]
        for kind, name, _ in members(seed_class):
            lines.append(f"| `{name}` | `{here(seed_class, kind, name).replace(':', '.')}` |")
    lines += ["", "## Types", "", "| seed | here |", "|---|---|"]
    ours = types()
    for name, python in sorted({(seed, mine) for seed, mine, _ in rest_types()}):
        lines.append(f"| `{name}` | `{ours[python].__module__}.{python}` |")
    for name in SEEDS["enums"]:
        lines.append(f"| `{name}` | `{ours[name].__module__}.{name}` |")
    lines += ["", "## Types of the socket", "", "| seed | here |", "|---|---|"]
    for name, python, _ in sorted(realtime_types()):
        lines.append(f"| `{name}` | `{getattr(nakama_bots.types.realtime, python).__module__}.{python}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
