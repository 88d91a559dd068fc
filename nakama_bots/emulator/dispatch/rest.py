"""REST without the server: maps routes to handlers, with all steps between bytes and handler.

The order of checks is the recorded one: path and method, body and query, authorization, then the handler.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from nakama_bots.emulator.dispatch.operations import BODY_FIELDS, MESSAGELESS, operation
from nakama_bots.emulator.formats.protojson import Fields, JsonObject, Malformed, Schema, camel, loads_first
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.identity import SERVER_NAME
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import After, Before, plain, run
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.limits import Full

UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

# gRPC code -> HTTP status (grpc-gateway's HTTPStatusFromCode).
HTTP_STATUS: Final[Mapping[int, int]] = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501,
    13: 500, 14: 503, 15: 500, 16: 401,
}  # fmt: skip

BASE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store, no-cache, must-revalidate",
    "Vary": "Accept-Encoding",
    # A real server sends none, so a load generator can recognise the emulator by it.
    "Server": SERVER_NAME,
}
_GRPC_HEADERS: Final[Mapping[str, str]] = {**BASE_HEADERS, "Grpc-Metadata-Content-Type": "application/grpc"}


_LOG = logging.getLogger(__name__)


class RestFault(Exception):
    """Raised to answer with an error body; ``code`` is a gRPC code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=lambda: BASE_HEADERS)


RPC_PATH: Final = "/v2/rpc/{id}"


def ok(body: JsonObject) -> Answer:
    """Return a 200 with a message."""
    return Answer(200, orjson.dumps(body), headers=_GRPC_HEADERS)


def error(code: int, message: str) -> Answer:
    """Return the usual error body with its HTTP status; the gateway repeats a 401's text in a header."""
    headers = {**BASE_HEADERS, "Www-Authenticate": message} if code == UNAUTHENTICATED else BASE_HEADERS
    return Answer(HTTP_STATUS[code], orjson.dumps({"code": code, "message": message}), headers=headers)


Parameters = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Request:
    """A REST request. ``headers`` has lower case names; ``query`` and ``body`` follow the route's schemas."""

    method: str
    path: str
    parameters: Parameters
    headers: Mapping[str, str]
    content: bytes
    path_values: Mapping[str, str] = field(default_factory=dict)
    query: Fields = field(default_factory=Fields)
    body: Fields = field(default_factory=Fields)
    claims: SessionClaims | None = None
    raw_query: str = ""

    @property
    def caller(self) -> SessionClaims:
        """The claims of the session token; only with ``session`` authorization."""
        assert self.claims is not None
        return self.claims


RestHandler = Callable[[Core, Request], JsonObject | Answer | Awaitable[Answer]]
Authorize = Callable[[Core, Request], None]


def public(_: Core, __: Request) -> None:
    """Require no authorization."""


def server_key(core: Core, request: Request) -> None:
    """Require ``Basic`` with the server key as user name and any password."""
    header = request.headers.get("authorization")
    if header is None:
        raise RestFault(UNAUTHENTICATED, "Server key required")
    if not same(basic_user(header), core.options.server_key):
        raise RestFault(UNAUTHENTICATED, "Server key invalid")


def session(core: Core, request: Request) -> None:
    """Require ``Bearer`` with a valid session token."""
    header = request.headers.get("authorization")
    if header is None:
        raise RestFault(UNAUTHENTICATED, "Auth token required")
    request.claims = bearer(core, header)
    if request.claims is None:
        raise RestFault(UNAUTHENTICATED, "Auth token invalid")


def bearer(core: Core, header: str) -> SessionClaims | None:
    """Return the claims of the session token in an ``Authorization`` header, if valid."""
    scheme, _, token = header.partition(" ")
    claims = core.session_claims(token) if scheme == "Bearer" else None
    return claims if claims is not None and core.session_cache.session_valid(claims) else None


def basic_user(header: str) -> str | None:
    """Return the user name of a ``Basic`` header; None for any other."""
    scheme, _, encoded = header.partition(" ")
    try:
        user, colon, _ = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return user if scheme == "Basic" and colon else None


def same(given: str | None, key: str) -> bool:
    """Compare with a secret, in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), key.encode())


@dataclass(frozen=True, slots=True)
class QueryType:
    """A type of URL parameter; ``repeated``: it may occur more than once."""

    go: str
    parse: Callable[[str], object]
    repeated: bool = False


_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def go_bool(text: str) -> bool:
    """Read a boolean as Go's ``strconv.ParseBool``; ``KeyError`` for anything else."""
    return _BOOLEANS[text]


_NO_NUMBER: Final = "invalid syntax"
_OUT_OF_RANGE: Final = "value out of range"
# The most digits of an int64; longer numbers are out of range unread.
_MOST_DIGITS: Final = 19


def _go_int(low: int, high: int, text: str) -> int:
    # Go accepts a sign only for types with negative numbers.
    sign = "[+-]?" if low < 0 else ""
    if not re.fullmatch(sign + r"\d+", text, re.ASCII):
        raise ValueError(_NO_NUMBER)
    digits = text.lstrip("+-0")
    if len(digits) > _MOST_DIGITS or not low <= int(text) < high:
        raise ValueError(_OUT_OF_RANGE)
    return int(text)


BOOL: Final = QueryType("ParseBool", go_bool)
INT: Final = QueryType("ParseInt", partial(_go_int, -(2**31), 2**31))
INT64: Final = QueryType("ParseInt", partial(_go_int, -(2**63), 2**63))
UINT: Final = QueryType("ParseUint", partial(_go_int, 0, 2**32))
TEXT: Final = QueryType("", str)
TEXTS: Final = QueryType("", str, repeated=True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row: method and path template, authorization, schemas and handler.

    ``body`` None: the handler reads the raw bytes, or the method has no body.
    """

    method: str
    template: str
    authorize: Authorize
    handler: RestHandler
    query: Mapping[str, QueryType] = field(default_factory=dict)
    body: Schema | None = None


class Router:
    """Finds the route of a request, runs it and returns the answer."""

    def __init__(self, core: Core, routes: tuple[Endpoint, ...]) -> None:
        self._core = core
        self._static: dict[str, dict[str, Endpoint]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Endpoint]]] = []
        by_template: dict[str, dict[str, Endpoint]] = {}
        for route in routes:
            by_template.setdefault(route.template, {})[route.method] = route
        for template, methods in by_template.items():
            if "{" not in template:
                self._static[template] = methods
                continue
            # The last value may be empty; any other empty one has been redirected. An RPC's id has slashes.
            value = ".*" if template == RPC_PATH else "[^/]*"
            source = re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{value})", re.escape(template))
            self._patterns.append((re.compile(source), methods))

    def find(self, path: str) -> tuple[dict[str, Endpoint], Mapping[str, str]] | None:
        """Return the routes of a path by method, and the values in the path."""
        methods = self._static.get(path)
        if methods is not None:
            return methods, {}
        for pattern, candidates in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                return candidates, match.groupdict()
        return None

    async def answer(self, request: Request) -> Answer:
        """Answer a request. Never raises, whatever a client sends."""
        self._core.tracker.begin()
        try:
            result = self._run(self._route(request), request)
        except RestFault as fault:
            return error(fault.code, fault.message)
        except Full as full:
            _LOG.warning("%s", full)
            return error(RESOURCE_EXHAUSTED, str(full))
        if isinstance(result, Answer):
            return result
        return ok(result) if isinstance(result, dict) else await result

    def _route(self, request: Request) -> Endpoint:
        found = self.find(request.path)
        # The root is outside the gateway, which would answer 501 for a wrong method.
        if found is None or (request.path == "/" and request.method not in found[0]):
            raise RestFault(NOT_FOUND, "Not Found")
        methods, request.path_values = found
        route = methods.get(request.method)
        if route is None:
            raise RestFault(UNIMPLEMENTED, "Method Not Allowed")
        return route

    def _run(self, route: Endpoint, request: Request) -> JsonObject | Answer | Awaitable[Answer]:
        if route.body is not None and request.content:
            check_size(self._core, request)
            try:
                request.body = route.body(loads_first(request.content))
            except Malformed as fault:
                raise RestFault(INVALID_ARGUMENT, str(fault)) from None
        if route.query and (wrong := _malformed(request.raw_query)):
            raise RestFault(INVALID_ARGUMENT, wrong)
        request.query = _read_query(route.query, request.parameters)
        route.authorize(self._core, request)
        hooks, key = self._core.hooks, operation(route.method, route.template)
        if key in hooks.req_before:
            _before(hooks.req_before[key], key, route, request)
        result = route.handler(self._core, request)
        if key in hooks.req_after:
            answer = result if isinstance(result, dict) else {}
            if request.claims is None and isinstance(answer.get("token"), str):
                # An authentication: hooks see who it was.
                request.claims = self._core.session_claims(str(answer["token"]))
            _after(hooks.req_after[key], key, request, answer)
        return result


_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}")


def _malformed(query: str) -> str:
    """Return what is wrong with a query string, in the words of Go's ``url.ParseQuery``; "" if nothing is."""
    for part in query.split("&"):
        if ";" in part:
            return "invalid semicolon separator in query"
        for text in part.split("=", 1):
            found = _BAD_ESCAPE.search(text)
            if found is not None:
                return f'invalid URL escape "{found[0]}"'
    return ""


def check_size(core: Core, request: Request) -> None:
    """Refuse a body that is too large, unless nothing reads it."""
    if len(request.content) > core.options.max_request_size:
        raise RestFault(INVALID_ARGUMENT, "http: request body too large")


def _context(request: Request, mode: str) -> RpcContext:
    claims = request.claims
    if claims is None:
        return RpcContext(mode=mode)
    return RpcContext(claims.user_id, claims.username, vars=claims.vars, expiry=claims.expires_at, mode=mode)


# Fields that hooks see although they have their default, in some messages all; and those of 64 bits.
_WRAPPERS: Final = frozenset(
    ("create", "sync", "reset", "permission_read", "permission_write", "limit", "state", "forward", "persist")
)
_WRAPPED: Final = frozenset(("UpdateAccount", "UpdateGroup"))
_LONG: Final = frozenset(("score", "subscore"))


def _message(key: str, request: Request) -> JsonObject:
    """Return the request's message: body, query and path values."""
    body = _shown(key, plain(request.body))
    whole = {BODY_FIELDS[key]: body} if key in BODY_FIELDS else body
    return {**plain(request.query), **whole, **request.path_values}


def _shown(key: str, value: Any, name: str = "") -> Any:
    """Return a body as the server shows it to hooks: without defaults, and with 64-bit integers as text."""
    if isinstance(value, dict):
        kept = {field: _shown(key, item, field) for field, item in value.items()}
        wrapped = key in _WRAPPED
        return {field: item for field, item in kept.items() if item or wrapped or field in _WRAPPERS}
    if isinstance(value, list):
        return [_shown(key, item) for item in value]
    return str(value) if value and name in _LONG else value


def _before(hook: Before, key: str, route: Endpoint, request: Request) -> None:
    """Let the hook see and change the request."""
    try:
        body = hook(_context(request, "before"), _message(key, request))
    except RuntimeFunctionError as error:
        raise RestFault(error.code, error.message) from None
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        _LOG.exception("hook before %s %s", route.method, route.template)
        raise RestFault(INTERNAL, str(error)) from None
    if body is None:
        if key in MESSAGELESS:
            return
        raise RestFault(NOT_FOUND, "Requested resource was not found.")
    if route.body is not None:
        try:
            request.body = route.body(body.get(BODY_FIELDS[key], {}) if key in BODY_FIELDS else body)
        except Malformed:
            raise RestFault(INTERNAL, "Could not complete runtime Before function.") from None
    changed = {name: value for name, value in body.items() if name in route.query}
    request.query = Fields(changed)
    request.path_values = {name: str(body.get(name, value)) for name, value in request.path_values.items()}


def _after(hook: After, key: str, request: Request, answer: JsonObject) -> None:
    run(f"after {key}", hook, _context(request, "after"), answer, _message(key, request))


def _read_query(types: Mapping[str, QueryType], parameters: Parameters) -> Fields:
    fields = Fields()
    for name, kind in types.items():
        values = [*parameters.get(name, ()), *(parameters.get(camel(name), ()) if "_" in name else ())]
        if not values:
            continue
        if kind.repeated:
            fields[name] = values
            continue
        if len(values) > 1:
            message = f'too many values for field "{name}": {", ".join(values)}'
            raise RestFault(INVALID_ARGUMENT, message)
        try:
            fields[name] = kind.parse(values[0])
        except (ValueError, KeyError) as error:
            why = _OUT_OF_RANGE if str(error) == _OUT_OF_RANGE else _NO_NUMBER
            reason = f'strconv.{kind.go}: parsing "{values[0]}": {why}'
            raise RestFault(INVALID_ARGUMENT, f'parsing field "{name}": {reason}') from None
    return fields
