"""The control port: reads and changes faults while the emulator runs, from this machine only.

``GET /faults`` returns ``{"faults": [..]}``, ``PUT /faults`` accepts it and replaces all, ``DELETE /faults``
ends all. An invalid fault is answered by 400 with ``{"error": ".."}``, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import web

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.server.faults import FaultError, Faults, read

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LARGEST: Final = 2**20
_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")


def _json(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def local(handle: Handler) -> Handler:
    """Wrap a handler to answer only requests whose host is this machine.

    A web page whose name was rebound to this address (DNS rebinding) is refused.
    """

    async def checked(request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if (host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host) not in _HOSTS:
            return _json({"error": f"host {host!r} is not allowed; accepted: {', '.join(_HOSTS)}"}, 403)
        return await handle(request)

    return checked


class Control:
    """Answers the requests of the control port."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._methods: dict[str, Callable[[bytes], None]] = {
            "GET": lambda _: None,
            "PUT": self._put,
            "DELETE": lambda _: faults.replace(()),
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path != "/faults":
            return _json({"error": "the only path is /faults"}, 404)
        method = self._methods.get(request.method)
        if method is None:
            return _json({"error": f"accepted: {', '.join(self._methods)}"}, 405)
        try:
            method(await request.content.read(_LARGEST))
        except FaultError as error:
            return _json({"error": str(error)}, 400)
        return _json({"faults": self._faults.json()})

    def _put(self, content: bytes) -> None:
        try:
            given = orjson.loads(content)
        except orjson.JSONDecodeError:
            given = None
        faults = given.get("faults") if isinstance(given, dict) else None
        if not isinstance(faults, list):
            msg = 'the body is invalid; accepted: {"faults": [{"kind": "latency", "on": "rpc", "ms": 50}]}'
            raise FaultError(msg)
        self._faults.replace([read(fault) for fault in faults])
