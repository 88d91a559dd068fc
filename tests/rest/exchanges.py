"""The recorded REST exchanges, as calls of the raw client."""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict
from urllib.parse import unquote

import nakama_bots.rest
from nakama_bots.rest.client import NakamaApi
from nakama_bots.rest.route import Route

DATA = Path(__file__).parent / "data"
BASIC = {"<server key>": "server-key-1", "<wrong server key>": "wrong", "<runtime http key>": "http-key-1"}

BOOLEANS = {"create", "sync", "reset", "open", "authoritative", "forward"}
NUMBERS = {
    "limit", "state", "members", "min_size", "max_size",
    "category_start", "category_end", "start_time", "end_time",
}  # fmt: skip
LISTS = {"ids", "usernames", "facebook_ids", "owner_ids", "user_ids"}


def load(name: str) -> dict[str, Any]:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def snake(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


@dataclass(frozen=True)
class Exchange:
    """``authorization`` is the header; ``answer`` is None if the answer is not JSON."""

    name: str
    op: str
    method: str
    template: str
    path: str
    query: tuple[tuple[str, str], ...]
    authorization: str
    body: Any
    raw: str
    status: int
    answer: Any

    def __str__(self) -> str:
        return self.name


def exchanges() -> list[Exchange]:
    return [
        Exchange(
            one["name"], one["op"], one["method"], one["template"], one["path"],
            tuple((key, value) for key, value in one.get("query", ())), one.get("auth", ""), one.get("body"),
            one.get("raw", ""), one["status"], one.get("answer"),
        )
        for one in load("exchanges")["exchanges"]
    ]  # fmt: skip


class Inexpressible(Exception):
    """A recorded request that the typed client cannot send; the message is the reason."""


@dataclass(frozen=True)
class Call:
    method: str
    positional: tuple[Any, ...]
    named: dict[str, Any]


def as_call(exchange: Exchange) -> Call:
    """Return the call of ``NakamaApi`` that sends the recorded request."""
    if exchange.raw:
        raise Inexpressible("a body that is no JSON object")
    name = snake(exchange.op)
    signature = inspect.signature(getattr(NakamaApi, name))
    names = list(signature.parameters)[1:]
    positional = _credentials(exchange, names)
    named = dict(zip(_path_names(exchange), _path_values(exchange), strict=True))
    named |= _query_values(exchange, names)
    body_name = next((n for n in ("request", "body", "account") if n in names), None)
    if body_name is not None:
        optional = signature.parameters[body_name].default is None and name.startswith("rpc")
        if exchange.body is None and not optional:
            raise Inexpressible("no body where the client always sends one")
        if not isinstance(exchange.body, str if optional else dict) and exchange.body is not None:
            raise Inexpressible("a body that is no JSON object")
        if isinstance(exchange.body, dict) and isinstance(exchange.body.get("metadata"), dict):
            raise Inexpressible("an object where the wire has a JSON text: the client encodes it")
        named[body_name] = exchange.body
        if name in ("update_account", "create_group", "update_group") and None in exchange.body.values():
            raise Inexpressible("null for a field")
    elif exchange.body is not None:
        raise Inexpressible("a body where the operation has none")
    return Call(name, positional, named)


def _credentials(exchange: Exchange, names: list[str]) -> tuple[str, ...]:
    scheme, _, text = exchange.authorization.partition(" ")
    if names[:1] == ["basic_auth_username"]:
        if scheme == "Basic" and text in BASIC:
            return (BASIC[text], "")
        raise Inexpressible("other authorization than the operation's")
    if not names:
        if not scheme:
            return ()
        raise Inexpressible("other authorization than the operation's")
    if scheme != "Bearer" or not text.strip() or text != text.strip():
        if exchange.op.startswith("RpcFunc") and text == "<runtime http key>":
            return ("",)
        raise Inexpressible("other authorization than the operation's")
    return (text,)


def _path_names(exchange: Exchange) -> list[str]:
    return [snake(name) for name in re.findall(r"\{(\w+)\}", exchange.template)]


def _path_values(exchange: Exchange) -> list[str]:
    pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(exchange.template))
    match = re.fullmatch(pattern, exchange.path)
    if match is None:
        raise Inexpressible("another path than the operation's")
    return [unquote(value) for value in match.groups()]


def _query_values(exchange: Exchange, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if exchange.op.startswith("RpcFunc") and exchange.authorization.startswith("Basic"):
        found["http_key"] = BASIC[exchange.authorization.partition(" ")[2]]
    for key, value in exchange.query:
        name = "ids" if key == "user_ids" else key
        if key == "http_key":
            raise Inexpressible("an http key in the address: the client sends it as a header")
        if name not in names:
            raise Inexpressible("a parameter that the operation does not have, or in another case")
        if key in LISTS:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Inexpressible("a parameter given twice")
        else:
            found[name] = _typed(key, value)
    return found


def _typed(key: str, value: str) -> Any:
    if key in BOOLEANS:
        if value not in ("true", "false"):
            raise Inexpressible("a value of another type")
        return value == "true"
    if key in NUMBERS:
        if not re.fullmatch(r"-?\d+", value):
            raise Inexpressible("a value of another type")
        return int(value)
    return value


def authorization_sent(exchange: Exchange) -> str:
    scheme, _, text = exchange.authorization.partition(" ")
    if scheme != "Basic":
        return exchange.authorization
    return "Basic " + base64.b64encode(f"{BASIC[text]}:".encode()).decode()


@cache
def fields(kind: Any) -> dict[str, Any]:
    """Return the fields of a TypedDict, generic or not, with their types."""
    return get_type_hints(get_origin(kind) or kind)


def reachable(kind: Any) -> set[str]:
    """Return the names of the TypedDicts that an answer of type ``kind`` may contain, including its own."""
    origin = get_origin(kind) or kind
    if is_typeddict(origin):
        return {origin.__name__}.union(*(reachable(item) for item in fields(kind).values()))
    return reachable(get_args(kind)[0]) if origin is list else set()


class Keys:
    """The keys seen of each type, and the keys that no type defines."""

    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = {}
        self.unknown: set[str] = set()
        self.wrong: set[str] = set()

    def check(self, kind: Any, value: Any, where: str) -> None:
        origin = get_origin(kind) or kind
        if is_typeddict(origin):
            if not isinstance(value, dict):
                self.wrong.add(f"{where} is no {origin.__name__}")
                return
            known = fields(kind)
            self.seen.setdefault(origin.__name__, set()).update(value.keys() & known.keys())
            for key, item in value.items():
                if key in known:
                    self.check(known[key], item, f"{origin.__name__}.{key}")
                else:
                    self.unknown.add(f"{origin.__name__}.{key}")
        elif origin is list:
            if not isinstance(value, list):
                self.wrong.add(f"{where} is no list")
                return
            for item in value:
                self.check(get_args(kind)[0], item, where)
        elif origin in (str, int, bool) and type(value) is not origin and value != "<num:unix>":
            self.wrong.add(f"{where} is {value!r}, not {origin.__name__}")


def routes() -> list[Route[Any]]:
    """Return every route of every family."""
    rows: list[Route[Any]] = []
    for info in pkgutil.walk_packages(nakama_bots.rest.__path__, "nakama_bots.rest."):
        module = importlib.import_module(info.name)
        rows += [value for value in vars(module).values() if isinstance(value, Route)]
    return rows
