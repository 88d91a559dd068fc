"""Adapts aiohttp's requests to the handlers, and does what HTTP requires before and after them."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import logging
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch import log
from nakama_bots.emulator.dispatch.gateway import preflight, redirect
from nakama_bots.emulator.dispatch.operations import operation
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher
from nakama_bots.emulator.dispatch.rest import (
    HTTP_STATUS,
    INTERNAL,
    INVALID_ARGUMENT,
    UNAVAILABLE,
    Answer,
    Request,
    Router,
    error,
)
from nakama_bots.emulator.formats.envelopes import FORMATS
from nakama_bots.emulator.handlers.matchmaker import run_interval
from nakama_bots.emulator.handlers.party import close_idle
from nakama_bots.emulator.runtime import loader
from nakama_bots.emulator.runtime.calendar import Calendar
from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.hooks import run
from nakama_bots.emulator.runtime.matches import RunningMatch
from nakama_bots.emulator.server.connection import SocketSession, handshake
from nakama_bots.emulator.server.faults import CONNECT, Fault, Faults, Plan, mangle
from nakama_bots.emulator.server.incoming import Protocol
from nakama_bots.emulator.server.metrics import Metrics
from nakama_bots.emulator.store import state
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.limits import Full
from nakama_bots.errors import ConfigError

# Bytes of all headers; Go's own slack of 4096 is on top of ``socket.max_header_size`` 5120.
_LARGEST_HEADERS: Final = 5120 + 4096
_GOING_AWAY: Final = 1001
# The faults that apply to the only answer of a request.
_SPOILS: Final = frozenset({"drop", "truncate", "oversize", "garble"})
# zlib's numbers for the gzip format and for bare deflate, each with the largest window.
_FORMATS: Final = {"gzip": 31, "deflate": -15}
_GZIP_MAGIC: Final = b"\x1f\x8b"
# The bytes that Go's reader consumes before it finds that a body is not gzip.
_LOOKED_AT: Final = 4096
# Seconds and turns of the event loop until everything that clients sent before has reached its handler.
_ARRIVAL: Final = 0.02
_TURNS: Final = 5
# Seconds between two checks of the modules' files.
_RELOAD_INTERVAL: Final = 0.25
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_LOG = logging.getLogger(__name__)


class Front:
    """Everything behind the port."""

    def __init__(
        self,
        core: Core,
        faults: Faults | None = None,
        make_core: Callable[[], Core] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics
        self.faults = faults or Faults(core.rng)
        self.faults.act = self._act
        self._make_core = make_core
        self._start(core)

    def _start(self, core: Core) -> None:
        self._core = core
        handlers.install(core)
        loader.load(core, core.options.modules, handlers.MESSAGES)
        self._calendar = Calendar(core)
        if core.options.load:
            state.load(core, Path(core.options.load))
        core.matches.started = self._start_match
        core.matches.later = _once_handled
        self._router = Router(core, handlers.ROUTES)
        self._dispatcher = MessageDispatcher(core, handlers.MESSAGES)

    def _act(self, fault: Fault) -> None:
        core = self._core
        if fault.kind == "expire_tokens":
            # Tokens signed with another key are refused with the same words as expired ones.
            core.options = dataclasses.replace(core.options, encryption_key=core.options.encryption_key + "'")
            return
        if self._make_core is None:
            return
        for match in core.matches.all():
            match.stop()
        for session in list(core.sessions.values()):
            session.disconnect(_GOING_AWAY, "server restart")
        self._start(self._make_core())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, or serve a websocket to its end."""
        if isinstance(request.protocol, Protocol):
            request.protocol.heard()
        early: web.StreamResponse | None = _early(request)
        if early is None and self.faults.active:
            early = await self._suffer(request)
        if early is not None:
            return early
        if request.path == "/ws" and request.method == "GET":
            return await self._serve_socket(request)
        return await self._rest(request)

    async def _rest(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a REST request, timed if metrics or the log need it."""
        if self._metrics is None and not self._core.options.log_requests:
            return _response(request, await self._answer(request))
        started = time.perf_counter()
        answer = await self._answer(request)
        seconds = time.perf_counter() - started
        if self._metrics is not None:
            self._measure(self._metrics, request, answer, seconds)
        if self._core.options.log_requests:
            log.rest(request.method, request.path, answer.status, seconds, self._caller(request))
        return _response(request, answer)

    async def _serve_socket(self, request: web.BaseRequest) -> web.StreamResponse:
        claims = handshake(self._core, request)
        if isinstance(claims, web.Response):
            return claims
        most = self._core.options.limits.sockets
        if len(self._core.sessions) >= most:
            return web.Response(status=503, text=f"{Full('sockets', most)}\n")
        lang = request.query.get("lang") or "en"
        form = FORMATS[request.query.get("format", "")]
        connection = SocketSession(self._core, self._dispatcher, self.faults, claims, lang, form, self._metrics)
        if self._metrics is not None:
            self._metrics.opened()
        try:
            return await connection.run(request)
        except Exception:
            _LOG.exception("a websocket")
            raise
        finally:
            if self._metrics is not None:
                self._metrics.closed()

    def _caller(self, request: web.BaseRequest) -> str:
        """The user id of a request's session token, "" without a valid one."""
        claims = self._core.session_claims(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return claims.user_id if claims is not None else ""

    def _measure(self, metrics: Metrics, request: web.BaseRequest, answer: Answer, seconds: float) -> None:
        found = self._router.find(request.path)
        route = found[0].get(request.method) if found else None
        name = operation(route.method, route.template) if route else ""
        rpc_id = found[1].get("id", "").lower() if found and name == "RpcFunc" else ""
        if rpc_id not in self._core.functions:
            rpc_id = ""  # as on the server, and clients cannot add labels without limit
        code = 0
        if answer.status >= 400:
            body = orjson.loads(answer.body) if answer.body.startswith(b"{") else {}
            code = body.get("code", INTERNAL) if isinstance(body, dict) else INTERNAL
        received = request.content_length or 0
        metrics.request("Rpc" if rpc_id else name, code, seconds, received, len(answer.body), rpc_id)

    async def handle_metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request of the metrics port."""
        if self._metrics is None or request.method != "GET":
            return web.Response(status=405)
        text = self._metrics.render(self._core)
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=text.encode(), headers=headers)

    def _named(self, request: web.BaseRequest) -> str:
        """Return the name of a request for faults."""
        if request.path == "/ws":
            return CONNECT
        found = self._router.find(request.path)
        route = found[0].get(request.method) if found else None
        return f"{request.method} {route.template}" if route else f"{request.method} {request.path}"

    async def _suffer(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Apply the faults in force to a request; None if it is answered as usual."""
        plan = self.faults.plan(self._named(request))
        if plan.delay:
            await asyncio.sleep(plan.delay)
        faults = plan.faults
        transport = request.transport
        assert transport is not None
        for kind in ("stop_reading", "stop_writing"):
            if kind in faults:
                await asyncio.sleep(faults[kind].seconds)
        if "refuse" in faults or "abort" in faults:
            transport.abort()
            return web.Response(status=500)
        if "error" in faults:
            code = faults["error"].code if faults["error"].code in HTTP_STATUS else INTERNAL
            return _response(request, error(code, faults["error"].message))
        if "close" in faults:
            response = _response(request, error(UNAVAILABLE, faults["close"].message))
            response.force_close()
            return response
        if not plan.mangles or request.path == "/ws":
            return None
        return await self._mangled(request, plan, transport)

    async def _mangled(
        self, request: web.BaseRequest, plan: Plan, transport: asyncio.Transport
    ) -> web.StreamResponse:
        """Handle a request and corrupt its answer: HTTP has no cid, and only one answer."""
        answer = await self._answer(request)
        frames = mangle(Plan(0.0, {k: f for k, f in plan.faults.items() if k in _SPOILS}), answer.body)
        if not frames:
            transport.close()  # handled, but not answered
            return web.Response(status=500)
        response = _response(request, dataclasses.replace(answer, body=frames[0]))
        if "truncate" in plan.faults:
            response.headers["Content-Length"] = str(len(answer.body))
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> Answer:
        try:
            content = await self._content(request)
        except TimeoutError:
            if request.transport is not None:
                request.transport.close()  # recorded: no answer to half a body
            return error(INVALID_ARGUMENT, "the body did not come in time")
        ours = Request(
            method=request.method,
            path=request.path,
            parameters={name: request.query.getall(name) for name in request.query},
            headers={name.lower(): value for name, value in request.headers.items()},
            content=content,
            raw_query=request.raw_path.partition("?")[2],
        )
        try:
            return await self._router.answer(ours)
        except Exception:  # noqa: BLE001 - a bug here must not look like an error of the client
            _LOG.exception("%s %s", request.method, request.path)
            return error(INTERNAL, "the emulator failed; its log has the details")

    async def _content(self, request: web.BaseRequest) -> bytes:
        """Return the unpacked body; one byte above the limit is enough to refuse it."""
        if not request.body_exists:
            return b""
        enough = self._core.options.max_request_size + 1
        parts = bytearray()
        async with asyncio.timeout(self._core.options.read_timeout):
            while len(parts) < enough:
                part = await request.content.readany()
                if not part:
                    break
                parts += part
        return unpacked(bytes(parts), request.headers.get("Content-Encoding", ""), enough)

    async def run_matchmaker(self) -> None:
        """Run the matchmaker on a fixed time grid, as the server does, independent of when tickets arrive."""
        loop = asyncio.get_running_loop()
        interval = self._core.options.matchmaker_interval
        due = loop.time() + interval
        while True:
            await asyncio.sleep(due - loop.time())
            started = time.perf_counter()
            try:
                run_interval(self._core)
            except Exception:  # noqa: BLE001 - the next interval must follow
                _LOG.exception("matchmaker")
            if self._metrics is not None:
                self._metrics.matchmaker(time.perf_counter() - started)
            due += interval

    async def run_idle_checks(self) -> None:
        """End parties found empty twice in a row, as the server does."""
        interval = self._core.options.party_idle_check_interval
        while interval:
            await asyncio.sleep(interval)
            close_idle(self._core)

    async def run_calendar(self) -> None:
        """Check the boards for due events once per server second."""
        while True:
            await asyncio.sleep(1.0 / self._core.options.speed)
            self._calendar.look()

    async def run_reload(self) -> None:
        """Reload the modules whenever one of their files has changed."""
        seen = loader.stamps(self._core.options.modules)
        while True:
            await asyncio.sleep(_RELOAD_INTERVAL)
            now = loader.stamps(self._core.options.modules)
            if now == seen:
                continue
            seen = now
            try:
                loader.reload(self._core, self._core.options.modules, handlers.MESSAGES)
            except ConfigError as error:
                _LOG.error("modules not reloaded: %s", error)
            else:
                _LOG.warning("modules reloaded")

    def _save(self, path: Path) -> None:
        try:
            state.save(self._core, path)
        except OSError as error:
            _LOG.error("--save: %s: %s", path, error.strerror)

    def _start_match(self, match: RunningMatch) -> None:
        """Tick a match at its rate until it stops, on a fixed grid; missed ticks are skipped."""
        loop = asyncio.get_running_loop()
        period = 1.0 / match.rate / self._core.options.speed
        due = loop.time()

        def tick() -> None:
            nonlocal due
            match.tracker.begin()
            match.tick()
            if not match.stopped:
                due += max(1, -(-(loop.time() - due) // period)) * period
                loop.call_at(due, tick)

        due += period
        loop.call_at(due, tick)

    def stop(self) -> None:
        """Notify every match, the modules and every socket that the server shuts down."""
        for match in self._core.matches.all():
            match.terminate(0)
        run("shutdown", self._core.hooks.shutdown, RpcContext(mode="shutdown"))
        if self._core.options.save:
            self._save(Path(self._core.options.save))
        for session in list(self._core.sessions.values()):
            session.disconnect(_GOING_AWAY, "server shutting down")


def _once_handled(call: Callable[[], None], turns: int = _TURNS) -> None:
    """Call a function once the event loop has handled what clients sent while it was blocked."""
    loop = asyncio.get_running_loop()
    if turns == _TURNS:
        loop.call_later(_ARRIVAL, _once_handled, call, turns - 1)
    elif turns:
        loop.call_soon(_once_handled, call, turns - 1)
    else:
        call()


def unpacked(content: bytes, encoding: str, most: int) -> bytes:
    """Decode the ``Content-Encoding`` of a body, truncated after ``most`` bytes.

    A body that is not gzip is returned as it is, without the consumed start; a corrupt one ends at the error.
    """
    if encoding not in _FORMATS:
        return content
    if encoding == "gzip" and not content.startswith(_GZIP_MAGIC):
        return content[_LOOKED_AT:]
    try:
        return zlib.decompressobj(_FORMATS[encoding]).decompress(content, most)
    except zlib.error:
        return b""


def _early(request: web.BaseRequest) -> web.Response | None:
    """Return the answer to a request that reaches no route: large headers, a preflight, an unclean path."""
    if sum(len(name) + len(value) + 4 for name, value in request.raw_headers) > _LARGEST_HEADERS:
        response = web.Response(status=431, text="431 Request Header Fields Too Large")
        response.force_close()
        return response
    if request.method == "OPTIONS":
        return _response(request, preflight({name.lower(): value for name, value in request.headers.items()}))
    path, _, query = request.raw_path.partition("?")
    if _BAD_ESCAPE.search(path):
        # Not even parsed as a request.
        response = web.Response(status=400, text="400 Bad Request")
        response.force_close()
        return response
    moved = redirect(request.path, query)
    return None if moved is None else _response(request, moved)


def _response(request: web.BaseRequest, answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    body = answer.body
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    if body and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, 1)
        headers["Content-Encoding"] = "gzip"
    if "Origin" in request.headers and request.method != "OPTIONS":
        headers["Access-Control-Allow-Origin"] = "*"
    return web.Response(status=answer.status, body=body, headers=headers)
