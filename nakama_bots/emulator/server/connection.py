"""A websocket connection, as a ``Session`` for the handlers.

Outgoing frames wait in a queue for the socket's writer task. A real server's writers run in parallel to its
readers, so a queue fills up if the client does not read, or if a burst of requests has more answers than the
queue has room for (recorded: 1000 pings in one write close the socket, 64 never did).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from typing import Final

import orjson
from aiohttp import WSMsgType, web

from nakama_bots.emulator.dispatch.realtime import MessageDispatcher, NoMessage
from nakama_bots.emulator.dispatch.rest import go_bool
from nakama_bots.emulator.formats.envelopes import FORMATS, Format
from nakama_bots.emulator.formats.protojson import JsonObject, Malformed
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.handlers.status import appear
from nakama_bots.emulator.server.faults import PUSH, UNHARMED, Fault, Faults, key_of, mangle
from nakama_bots.emulator.server.incoming import Protocol
from nakama_bots.emulator.server.metrics import Metrics
from nakama_bots.emulator.store.core import Core

_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_PROTOCOL_ERROR: Final = 1002
# The client has closed or disconnected: nothing more is sent.
_CLIENT_CLOSED: Final = 0
# The most frames that a match may send at once: a real server's writer runs meanwhile (recorded: 60 broadcasts
# in one tick arrive, 1000 close the socket after 110), here it runs only afterwards.
_AT_ONCE: Final = 8
_TEXT_HEADERS: Final = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


def handshake(core: Core, request: web.BaseRequest) -> SessionClaims | web.Response:
    """Return the claims of a valid handshake, or the answer that refuses it."""
    if request.query.get("format", "") not in FORMATS:
        return web.Response(status=400, text="Invalid format parameter\n", headers=_TEXT_HEADERS)
    header = request.headers.get("Authorization")
    if header is None:
        token = request.query.get("token", "")
    else:  # it takes precedence over the query, and must be exactly this
        scheme, _, token = header.partition(" ")
        token = token if scheme == "Bearer" else ""
    claims = core.session_claims(token)
    # Recorded: a logout of the token has no effect here, a logout of all sessions does.
    if claims is None or not core.session_cache.user_valid(claims):
        return web.Response(status=401, text="Missing or invalid token\n", headers=_TEXT_HEADERS)
    if not _upgrades(request):
        headers = {**_TEXT_HEADERS, "Sec-Websocket-Version": "13"}
        return web.Response(status=400, text="Bad Request\n", headers=headers)
    return claims


def _upgrades(request: web.BaseRequest) -> bool:
    """True if a request has all that a websocket handshake needs."""
    headers = request.headers
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except ValueError:
        return False
    tokens = [one.strip().lower() for one in headers.get("Connection", "").split(",")]
    return (
        len(key) == 16
        and "upgrade" in tokens
        and headers.get("Upgrade", "").lower() == "websocket"
        and headers.get("Sec-WebSocket-Version") == "13"
    )


class SocketSession:
    """A session over a websocket, from the handshake to its end."""

    def __init__(
        self,
        core: Core,
        dispatcher: MessageDispatcher,
        faults: Faults,
        claims: SessionClaims,
        lang: str,
        form: Format,
        metrics: Metrics | None = None,
    ) -> None:
        self.id = core.new_id(version=1)
        self.user_id = claims.user_id
        self.username = claims.username
        self.vars = claims.vars
        self.lang = lang
        self._core = core
        self._options = core.options
        self._dispatcher = dispatcher
        self._faults = faults
        self._form = form
        self._metrics = metrics
        # The faults of the message being handled.
        self._plan = UNHARMED
        self._muted_until = 0.0
        self._socket = web.WebSocketResponse(
            timeout=core.options.close_ack_wait,
            autoclose=False,
            autoping=False,
            compress=False,
            # aiohttp refuses at the limit, Nakama only above it.
            max_msg_size=core.options.max_message_size + 1,
            # Wait as soon as the transport requests it, so that the queue is the only buffer.
            writer_limit=1,
            decode_text=False,
        )
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._burst = 0
        self._sending = False
        self._ping_due = False
        self._ending: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ping_at = self._read_until = 0.0
        self._received = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """True once the connection is being closed."""
        return self._ending is not None

    async def run(self, request: web.BaseRequest) -> web.StreamResponse:
        """Perform the handshake, then serve until either side closes."""
        await self._socket.prepare(request)
        protocol = request.protocol
        assert isinstance(protocol, Protocol)
        protocol.mask_guard.watch(self._unmasked)
        self._transport = request.transport
        self._core.open_session(self)
        self._alive()
        self._tick()
        if _flag(request.query.get("status", "")):
            appear(self._core, self, "")
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._core.close_session(self)
            self._ending = self._ending or (_CLIENT_CLOSED, "")
            self._wake.set()
            await writer
        return self._socket

    def reply(self, envelope: JsonObject) -> None:
        """Queue an answer; a burst with more answers than the queue holds ends the session."""
        self._burst += 1
        if self._metrics is not None and "error" in envelope:
            self._metrics.message_error()
        if self._burst > self._options.outgoing_queue_size:
            self._overflow()
        elif self._plan.mangles:
            for payload in mangle(self._plan, orjson.dumps(envelope), self._form):
                self._enqueue(payload)
        else:
            self._enqueue(self._form.write(orjson.dumps(envelope)))

    def push(self, frame: bytes) -> None:
        """Queue a frame that is not an answer."""
        if self._faults.pushes:
            for payload in mangle(self._faults.plan(PUSH + key_of(frame)), frame, self._form):
                self._enqueue(payload)
        else:
            self._enqueue(self._form.write(frame))

    def _enqueue(self, payload: bytes) -> None:
        """Queue a payload; a full queue behind a blocked writer ends the session."""
        if self._ending is not None:
            return
        waiting = len(self._queue)
        if waiting >= self._options.outgoing_queue_size and (
            self._sending or waiting >= _AT_ONCE * self._options.outgoing_queue_size
        ):
            self._overflow()
            return
        if self._metrics is not None:
            self._metrics.sent(len(payload))
        self._queue.append(payload)
        self._wake.set()

    def disconnect(self, code: int, reason: str) -> None:
        """Close from the server's side: queued frames are still sent, and no more messages handled."""
        if self._ending is None:
            self._ending = (code, reason)
            self._wake.set()
            if self._sending:
                # Recorded: a client that does not read gets no close frame; TCP just ends.
                self._abort()

    def _unmasked(self) -> None:
        self.disconnect(_PROTOCOL_ERROR, "bad MASK")

    def _overflow(self) -> None:
        self._queue.clear()  # recorded: no queued frame arrives
        self.disconnect(_NORMAL, "session outgoing queue full")

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _read(self) -> None:
        socket, dispatch, form = self._socket, self._dispatcher.dispatch, self._form
        kind = form.opcode
        while self._ending is None:
            message = await socket.receive()
            if message.type is kind:
                self._count()
                if self._metrics is not None:
                    self._metrics.message(len(message.data))
                try:
                    content = form.read(message.data)
                    if self._faults.active and not await self._suffer(content):
                        continue
                    pending = dispatch(self, content)
                    if pending is not None:
                        await pending
                except Malformed:
                    self.disconnect(_NORMAL, "received malformed payload")
                except NoMessage:
                    self.disconnect(_NORMAL, "error processing message")
            elif message.type is WSMsgType.PONG:
                self._alive()
            elif message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self.disconnect(_NORMAL, "received unexpected WebSocket message type")
            else:
                if message.type is WSMsgType.CLOSE:
                    await self._answer_close(message.data or 0)
                return

    async def _suffer(self, content: bytes) -> bool:
        """Apply the faults in force to a message; False if there is nothing left to handle."""
        self._plan = plan = self._faults.plan(key_of(content))
        if plan.delay:
            await asyncio.sleep(plan.delay)
        faults = plan.faults
        if "stop_reading" in faults and self._transport is not None:
            self._transport.pause_reading()
            await asyncio.sleep(faults["stop_reading"].seconds)
            self._transport.resume_reading()
        if "stop_writing" in faults:
            self._muted_until = self._loop.time() + faults["stop_writing"].seconds
        if "abort" in faults:
            self._ending = self._ending or (_CLIENT_CLOSED, "")
            self._abort()
        elif "close" in faults:
            fault = faults["close"]
            self.disconnect(fault.code or _GOING_AWAY, fault.message)
        elif "error" in faults:
            self.reply(_fault_envelope(content, faults["error"]))
            self._plan = UNHARMED
        return faults.keys().isdisjoint(("abort", "close", "error"))

    async def _answer_close(self, code: int) -> None:
        """Answer with the same code, without a reason, then end the stream."""
        with contextlib.suppress(ConnectionError):
            await self._socket.send_frame(code.to_bytes(2, "big") if code else b"", WSMsgType.CLOSE)
        if self._transport is not None:
            self._transport.close()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self._ending is None:
                await self._flush()
                self._burst = 0
                self._wake.clear()
                if self._ending is None:
                    await self._wake.wait()
        if self._ending is not None and self._ending[0] != _CLIENT_CLOSED:
            with contextlib.suppress(ConnectionError):
                await self._flush()
            await self._close(*self._ending)

    async def _flush(self) -> None:
        socket, queue, transport, opcode = self._socket, self._queue, self._transport, self._form.opcode
        if self._muted_until:
            await asyncio.sleep(self._muted_until - self._loop.time())
            self._muted_until = 0.0
        if self._ping_due:
            self._ping_due = False
            await socket.ping()
        while queue and transport is not None:
            payload = queue.popleft()
            self._sending = True
            if transport.get_write_buffer_size():
                # The client lags: it has this long to catch up.
                try:
                    async with asyncio.timeout(self._options.write_wait):
                        await socket.send_frame(payload, opcode)
                except TimeoutError:
                    self._overflow()
            else:
                await socket.send_frame(payload, opcode)
            self._sending = False

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.close(code=code, message=reason.encode())

    def _count(self) -> None:
        self._received += 1
        if self._received % self._options.ping_backoff_threshold == 0:
            self._alive()

    def _alive(self) -> None:
        """Note activity of the client: postpone the next ping and the read deadline."""
        now = self._loop.time()
        self._ping_at = now + self._options.ping_period
        self._read_until = now + self._options.pong_wait

    def _tick(self) -> None:
        now = self._loop.time()
        if now >= self._read_until:
            self.disconnect(_NORMAL, f"read tcp {self._peers()}: i/o timeout")
            return
        if now >= self._ping_at:
            self._ping_at = now + self._options.ping_period
            self._ping_due = True
            self._wake.set()
        self._timer = self._loop.call_at(min(self._ping_at, self._read_until), self._tick)

    def _peers(self) -> str:
        names = (
            [self._transport.get_extra_info(name) for name in ("sockname", "peername")]
            if self._transport
            else []
        )
        return "->".join(f"{name[0]}:{name[1]}" for name in names if name)


def _fault_envelope(content: bytes, fault: Fault) -> JsonObject:
    given = orjson.loads(content)
    error: JsonObject = {"code": fault.code, "message": fault.message}
    if not fault.code:
        del error["code"]  # code 0 is omitted, like every default
    cid = given.get("cid") if isinstance(given, dict) else None
    return {"cid": cid, "error": error} if isinstance(cid, str) and cid else {"error": error}


def _flag(text: str) -> bool:
    try:
        return go_bool(text)
    except KeyError:
        return False
