"""The server's runtime functions: one table from id to function. Ids are case insensitive."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from nakama_bots.emulator.formats.protojson import JsonObject

# The log of modules.
LOG = logging.getLogger("nakama_bots.module")


class RuntimeFunctionError(Exception):
    """An error that a function raises deliberately: text, and a gRPC code that only REST returns."""

    def __init__(self, message: str, code: int = 13) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if 1 <= code <= 16 else 13


@dataclass(frozen=True, slots=True)
class RpcContext:
    """The caller of a function; ids are "" without a user or a session.

    ``query``: the URL's parameters; ``headers``: the request's; ``expiry``: the end of the session in Unix
    seconds; ``mode``: the kind of function, in the server's words ("rpc", "before", "after", ..);
    ``cid``: that of a message, in its hooks.
    """

    user_id: str = ""
    username: str = ""
    session_id: str = ""
    lang: str = ""
    vars: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expiry: int = 0
    mode: str = "rpc"
    cid: str = ""


RpcResult = str | Awaitable[str]
RpcFunction = Callable[[RpcContext, str], RpcResult]


def _echo(_: RpcContext, payload: str) -> str:
    return payload


def _empty(_: RpcContext, __: str) -> str:
    return ""


def _fail(_: RpcContext, __: str) -> str:
    msg = "boom"
    raise RuntimeFunctionError(msg)


def _fail_code(_: RpcContext, __: str) -> str:
    msg = "not enough gold"
    raise RuntimeFunctionError(msg, 9)


def _whoami(context: RpcContext, payload: str) -> str:
    answer: JsonObject = {
        "has_session": bool(context.session_id),
        "has_user": bool(context.user_id),
        "mode": "rpc",
        "payload": payload,
        "query": {name: list(values) for name, values in context.query.items()},
    }
    for name in ("lang", "username", "vars"):
        if getattr(context, name):
            answer[name] = getattr(context, name)
    return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS).decode()


# The functions used for the wire recordings: enough to show a call that succeeds and one that fails.
FUNCTIONS: Final[dict[str, RpcFunction]] = {
    "echo": _echo,
    "empty": _empty,
    "fail": _fail,
    "fail_code": _fail_code,
    "whoami": _whoami,
}
