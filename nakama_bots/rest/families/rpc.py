"""Calls of the server's own runtime functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar, overload

import orjson

from nakama_bots.errors import ProtocolError
from nakama_bots.rest.caller import A, Family, any_value, basic, same
from nakama_bots.rest.route import Query, Route
from nakama_bots.types.common import D
from nakama_bots.types.rpc import Rpc as RpcAnswer

R = TypeVar("R")

CALL: Final = Route[RpcAnswer[Any]]("POST", "/v2/rpc/{id}")
# A function may do anything: no retry, although the method is GET.
GET: Final = Route[RpcAnswer[Any]]("GET", "/v2/rpc/{id}", repeatable=False)


class RpcFamily(Family[A], Generic[A, D]):
    """Call a registered function by its id; ids are not case sensitive.

    An unknown function is ``NotFound``. A function that raises answers with the code and text of its error,
    ``InternalError`` by default. An HTTP key is sent as basic credentials, not as ``?http_key=``, because
    addresses end up in logs.
    """

    @overload
    def rpc(
        self, session: A, id: str, input: object = None, *, unwrap: Literal[False] = False
    ) -> RpcAnswer[D]: ...

    @overload
    def rpc(self, session: A, id: str, input: object = None, *, unwrap: bool) -> Any: ...

    def rpc(self, session: A, id: str, input: object = None, *, unwrap: bool = False) -> Any:
        """Call function ``id`` as the session's user.

        ``input`` is any JSON value, None for no payload. The function gets it as JSON text, and the text that
        it returns is ``payload`` of the answer. With ``unwrap`` both are sent without an envelope
        (``?unwrap``), and the result is the function's JSON value, its text if that is not JSON, None if empty.
        """
        if unwrap:
            return self._unwrapped(CALL, "Bearer " + self._bearer(CALL, session), id, input)
        return self._by_token(CALL, session, (id,), body=_payload(input))

    @overload
    def rpc_http_key(
        self,
        http_key: str,
        id: str,
        input: object = None,
        *,
        unwrap: Literal[False] = False,
    ) -> RpcAnswer[D]: ...

    @overload
    def rpc_http_key(self, http_key: str, id: str, input: object = None, *, unwrap: bool) -> Any: ...

    def rpc_http_key(
        self,
        http_key: str,
        id: str,
        input: object = None,
        *,
        unwrap: bool = False,
    ) -> Any:
        """Call function ``id`` as a server would, without a user; otherwise like ``rpc``."""
        if unwrap:
            return self._unwrapped(CALL, basic(http_key), id, input)
        return self._by_http_key(CALL, http_key, id, body=_payload(input))

    def rpc_func(
        self,
        session: A,
        id: str,
        body: str | None = None,
        http_key: str | None = None,
    ) -> RpcAnswer[D]:
        """Call function ``id`` with the text ``body``, as it is; with ``http_key`` the session is not used."""
        if http_key is not None:
            return self._by_http_key(CALL, http_key, id, body=body)
        return self._by_token(CALL, session, (id,), body=body)

    def rpc_func2(
        self,
        session: A,
        id: str,
        payload: str | None = None,
        http_key: str | None = None,
    ) -> RpcAnswer[D]:
        """Call function ``id`` with GET: it finds ``payload`` in its context's query, never as its payload."""
        query = {"payload": payload}
        if http_key is not None:
            return self._by_http_key(GET, http_key, id, query)
        return self._by_token(GET, session, (id,), query)

    def call_rpc(
        self,
        session: A,
        id: str,
        input: object,
        read: Callable[[Any], R],
    ) -> R | None:
        """What ``read`` makes of the function's JSON answer, or None when it answered nothing.

        A payload that is not JSON, or that ``read`` refuses with a ``ProtocolError``, is that one failed call.
        """

        def result(answer: RpcAnswer[str]) -> R | None:
            text = answer.get("payload", "")
            return read(_json(text)) if text else None

        return self._authorized(CALL, session, result, CALL.path((id,)), _payload(input))

    def _unwrapped(self, route: Route[Any], authorization: str, id: str, body: object) -> Any:
        path = route.path((id,), {"unwrap": ""})
        return self._caller.call(route, same, authorization, path, body, any_value)

    def _by_http_key(
        self,
        route: Route[RpcAnswer[Any]],
        http_key: str,
        id: str,
        query: Query | None = None,
        body: str | None = None,
    ) -> RpcAnswer[D]:
        return self._caller.call(route, self._read, basic(http_key), route.path((id,), query), body)


def _payload(value: object) -> str | None:
    # The body is one JSON string that holds the JSON text.
    return None if value is None else orjson.dumps(value).decode()


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"the function's payload is not JSON: {error.msg}") from None
