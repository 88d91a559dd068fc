"""Runtime functions, called over REST and over the socket."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from typing import Final

import orjson

from nakama_bots.emulator.dispatch.realtime import (
    BAD_INPUT,
    RUNTIME_FUNCTION_EXCEPTION,
    RUNTIME_FUNCTION_NOT_FOUND,
    Call,
    MessageRow,
    RealtimeFault,
)
from nakama_bots.emulator.dispatch.rest import (
    HTTP_STATUS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    RPC_PATH,
    UNAUTHENTICATED,
    Answer,
    Endpoint,
    Request,
    basic_user,
    bearer,
    check_size,
    public,
    same,
)
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, text
from nakama_bots.emulator.runtime.functions import RpcContext, RpcResult, RuntimeFunctionError
from nakama_bots.emulator.store.core import Core

_NOT_A_STRING: Final = "json: cannot unmarshal object into Go value of type string"


class _RpcRefused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _refusal(code: int, message: str) -> Answer:
    # This endpoint is not behind the gateway: its errors contain the text twice.
    body = {"error": message, "message": message, "code": code}
    return Answer(HTTP_STATUS[code], orjson.dumps(body))


def _failure(error: RuntimeFunctionError) -> Answer:
    body: JsonObject = {"code": error.code, "error": {}, "message": error.message}
    return Answer(HTTP_STATUS[error.code], orjson.dumps(body))


def _authorize(core: Core, request: Request) -> None:
    """Check an HTTP key in the query, then as ``Basic``, then a session token."""
    key = request.parameters.get("http_key")
    if key and key[0]:
        if not same(key[0], core.options.http_key):
            raise _RpcRefused(UNAUTHENTICATED, "HTTP key invalid")
        return
    header = request.headers.get("authorization")
    if header is None:
        raise _RpcRefused(UNAUTHENTICATED, "Auth token or HTTP key required")
    basic = basic_user(header)
    if basic is not None:
        if not same(basic, core.options.http_key):
            raise _RpcRefused(UNAUTHENTICATED, "HTTP key invalid")
        return
    request.claims = bearer(core, header)
    if request.claims is None:
        raise _RpcRefused(UNAUTHENTICATED, "Auth token invalid")


def _context(request: Request) -> RpcContext:
    query = {name: list(values) for name, values in request.parameters.items() if name != "http_key"}
    claims = request.claims
    headers = {name: [value] for name, value in request.headers.items()}
    if claims is None:
        return RpcContext(query=query, headers=headers)
    return RpcContext(
        claims.user_id,
        claims.username,
        vars=claims.vars,
        query=query,
        headers=headers,
        expiry=claims.expires_at,
    )


def _payload(request: Request, *, unwrap: bool) -> str:
    content = request.content if request.method == "POST" else b""
    text = content.decode(errors="replace")
    if unwrap or not content:
        return text
    try:
        payload = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        payload = 0
    if payload is None:
        return ""
    if not isinstance(payload, str):
        raise _RpcRefused(INVALID_ARGUMENT, _NOT_A_STRING)
    # Go replaces half of a surrogate pair.
    return re.sub("[\ud800-\udfff]", "\ufffd", payload)


def _rest(core: Core, request: Request) -> Answer | Awaitable[Answer]:
    unwrap = "unwrap" in request.parameters
    try:
        _authorize(core, request)
        identifier = request.path_values.get("id", "").lower()
        if not identifier:
            raise _RpcRefused(INVALID_ARGUMENT, "RPC ID must be set")
        function = core.functions.get(identifier)
        if function is None:
            raise _RpcRefused(NOT_FOUND, "RPC function not found")
        if request.method == "POST":
            check_size(core, request)
        result = function(_context(request), _payload(request, unwrap=unwrap))
    except _RpcRefused as refused:
        return _refusal(refused.code, refused.message)
    except RuntimeFunctionError as error:
        return _failure(error)
    if isinstance(result, str):
        return _answer(result, request, unwrap=unwrap)
    return _rest_later(result, request, unwrap=unwrap)


async def _rest_later(pending: Awaitable[str], request: Request, *, unwrap: bool) -> Answer:
    try:
        return _answer(await pending, request, unwrap=unwrap)
    except RuntimeFunctionError as error:
        return _failure(error)


def _answer(result: str, request: Request, *, unwrap: bool) -> Answer:
    if not unwrap:
        return Answer(200, orjson.dumps({"payload": result}))
    # The answer has the content type of the request, as the function received and returned raw bytes.
    content_type = request.headers.get("content-type") or "text/plain"
    return Answer(200, result.encode(), content_type)


def _call(call: Call) -> Awaitable[None] | None:
    session, identifier = call.session, call.fields.text("id")
    if not identifier:
        raise RealtimeFault(BAD_INPUT, "RPC ID must be set")
    function = call.core.functions.get(identifier.lower())
    if function is None:
        raise RealtimeFault(RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found")
    context = RpcContext(session.user_id, session.username, session.id, session.lang, session.vars)
    try:
        result: RpcResult = function(context, call.fields.text("payload"))
    except RuntimeFunctionError as error:
        raise RealtimeFault(RUNTIME_FUNCTION_EXCEPTION, error.message) from None
    if isinstance(result, str):
        _reply(call, identifier, result)
        return None
    return _call_later(call, identifier, result)


async def _call_later(call: Call, identifier: str, pending: Awaitable[str]) -> None:
    try:
        result = await pending
    except RuntimeFunctionError as error:
        raise RealtimeFault(RUNTIME_FUNCTION_EXCEPTION, error.message) from None
    _reply(call, identifier, result)


def _reply(call: Call, identifier: str, result: str) -> None:
    call.reply("rpc", {"id": identifier, "payload": result} if result else {"id": identifier})


# ``public``: this endpoint does its own authorization, with other refusals; it also answers for an empty id.
ROUTES: Final = tuple(Endpoint(method, RPC_PATH, public, _rest) for method in ("POST", "GET"))

MESSAGES: Final = (
    MessageRow("rpc", Schema({"id": text, "payload": text, "http_key": text}, strict=True), _call),
)
