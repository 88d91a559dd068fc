"""One websocket connection in the gevent hub.

websocket-client makes the connection (name, proxy, TLS, upgrade) and hands over its socket. From then on
frames are read by an io watcher of the hub: one non-blocking recv for all that has arrived, every whole
frame handled in the callback. No greenlet waits a socket. Nothing that runs in the callback may block.
"""

from __future__ import annotations

import contextlib
import fcntl
import random
import socket
import ssl
import sys
import termios
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, Protocol

import gevent
import websocket
from gevent import monkey
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.clock import Deadline
from nakama_bots.realtime import frames
from nakama_bots.settings.target import Tls

OPERATION: Final = "connect"
# More than the 16 KiB of a TLS record: OpenSSL reads one at a time, so nothing decrypted is left behind that no
# readiness would announce.
RECEIVE_SIZE: Final = 65536
HIGH_WATER: Final = 1024 * 1024
"""Bytes that may wait for the peer to read before a sender has to wait as well."""

_READ: Final = 1  # libev's EV_READ and EV_WRITE
_WRITE: Final = 2
_FOREIGN: Final = {
    frames.TEXT: "the server sent a text message on a protobuf socket",
    frames.BINARY: "the server sent a binary message on a JSON socket",
}
# Nothing now: a send goes on when the descriptor is writable (it never needs a read: no renegotiation).
_WANTS: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Receiver(Protocol):
    """Who owns the connection. Both methods run in the hub, or where a send fails, and must not block."""

    def on_message(self, payload: bytes, now: float) -> None:
        """One whole message, read at ``now``; ``ProtocolError`` ends the connection."""

    def on_lost(self, error: errors.CallError) -> None:
        """The connection has ended, once, whoever ended it."""


class Connection:
    """An open websocket. Made by ``open_connection``; ``error`` says how it ended, None while it is open."""

    __slots__ = (
        "_drained", "_ended", "_opcode", "_outgoing", "_outgoing_size", "_raw", "_read_wants_write", "_reader",
        "_receiver", "_recv", "_send", "_socket", "_watcher", "_write_watcher", "backlogged", "closing",
        "error",
    )  # fmt: skip

    def __init__(self, ws: websocket.WebSocket, receiver: Receiver, opcode: int = frames.TEXT) -> None:
        self.error: errors.CallError | None = None
        self.closing = False
        # Whether so much waits for the peer that a sender should ``wait_drained`` first.
        self.backlogged = False
        # Only the socket is kept: websocket-client's own parser and locks would weigh more than all of this.
        self._socket: Any = ws.sock
        self._receiver = receiver
        self._opcode = opcode
        self._reader = frames.FrameReader()
        self._raw = _non_blocking(self._socket)
        self._recv: Callable[[int], bytes] = self._raw.recv
        self._send: Callable[[bytes], int] = self._raw.send
        self._outgoing: deque[bytes] = deque()
        self._outgoing_size = 0
        self._read_wants_write = False
        self._drained = Event()
        self._ended = Event()
        loop = gevent.get_hub().loop
        descriptor = self._raw.fileno()
        self._watcher = loop.io(descriptor, _READ)
        self._write_watcher = loop.io(descriptor, _WRITE)
        self._watcher.start(self._on_readable)
        if isinstance(self._raw, ssl.SSLSocket) and self._raw.pending():
            # Read from the descriptor during the handshake already: no readiness will announce it.
            loop.run_callback(self._on_readable)

    def write_message(self, payload: bytes) -> None:
        """Send one message without blocking; what the kernel does not take is sent by the hub."""
        self._write(frames.encode(self._opcode, payload, _mask()))

    def wait_drained(self, deadline: Deadline) -> bool:
        """When ``backlogged``, wait until all that waits for the peer is on its way; False at the deadline."""
        return bool(self._drained.wait(deadline.left(perf_counter())))

    @property
    def unread(self) -> int:
        """Bytes that the kernel has received and nobody has read yet; encrypted ones with TLS."""
        if self.error is not None:
            return 0
        return int.from_bytes(fcntl.ioctl(self._raw.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    def close(self, code: int, reason: str, timeout: float) -> None:
        """Close handshake: our frame, then the peer's or ``timeout`` seconds. Idempotent, never raises."""
        if self.error is None and not self.closing:
            self.closing = True
            self._write(frames.encode_close(code, reason, _mask()))
        try:
            self._ended.wait(timeout)
        finally:
            self.abort(errors.ConnectionClosed(code, reason or "closed by us"))

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        if self.error is None:
            self._watcher.stop()

    def resume(self) -> None:
        """Read again."""
        if self.error is None:
            self._watcher.start(self._on_readable)

    def abort(self, error: errors.CallError) -> None:
        """End the connection at once, without a handshake. Callable from the hub; idempotent."""
        if self.error is not None:
            return
        self.error = error
        self.closing = True
        for watcher in (self._watcher, self._write_watcher):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._outgoing.clear()
        self._on_drained()
        self._ended.set()
        self._receiver.on_lost(error)

    def _on_readable(self) -> None:
        if self.error is not None:
            return
        try:
            data = self._recv(RECEIVE_SIZE)
            if data:
                self._handle(data)
            else:
                self.abort(errors.ConnectionClosed(1006, "the server ended the stream"))
        except ssl.SSLWantWriteError:
            self._read_wants_write = True
            self._write_watcher.start(self._on_writable)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except errors.ProtocolError as error:
            self._violation(error)
        except OSError as error:
            self.abort(errors.ConnectionClosed(1006, _os_text(error)))

    def _handle(self, data: bytes) -> None:
        """Act on the frames in ``data``."""
        now = perf_counter()
        reader = self._reader
        on_message = self._receiver.on_message
        expected = self._opcode
        for opcode, payload in reader.feed(data):
            if opcode == expected:
                on_message(payload, now)
            elif opcode == frames.PING:
                # RFC 6455 section 5.5.3 lets pongs be left out; a peer that pings and never reads gets no more.
                if not self.backlogged:
                    self._write(frames.encode(frames.PONG, payload, _mask()))
            elif opcode == frames.CLOSE:
                self._on_close(payload)
            elif opcode in _FOREIGN:
                raise errors.ProtocolError(_FOREIGN[opcode], 1003)
            if self.error is not None:
                return
        if reader.error is not None:
            raise reader.error

    def _on_close(self, payload: bytes) -> None:
        code, reason = frames.decode_close(payload)
        self._part(errors.ConnectionClosed(code, reason), frames.echo_code(code), "")

    def _violation(self, error: errors.ProtocolError) -> None:
        if self.error is None:
            self._part(error, error.close_code, str(error.args[0]))

    def _part(self, error: errors.CallError, code: int, reason: str) -> None:
        """End with ``error`` after a close frame of ours, where the peer still takes one.

        It may have reset the stream already, as Nakama does right behind a 1009: that is not why it ended.
        """
        if not self.closing and not self._outgoing:
            self.closing = True
            with contextlib.suppress(OSError):
                self._send(frames.encode_close(code, reason, _mask()))
        self.abort(error)

    def _write(self, data: bytes) -> None:
        if self.error is not None:
            return
        if not self._outgoing:
            try:
                sent = self._send(data)
            except _WANTS:
                sent = 0
            except OSError as error:
                self.abort(errors.ConnectionClosed(1006, _os_text(error)))
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._write_watcher.start(self._on_writable)
        self._outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size > HIGH_WATER and not self.backlogged:
            self.backlogged = True
            self._drained = Event()

    def _on_writable(self) -> None:
        if self.error is not None:
            return
        self._flush()
        if self._read_wants_write and self.error is None:
            self._read_wants_write = False
            self._on_readable()

    def _flush(self) -> None:
        try:
            while self._outgoing:
                data = self._outgoing[0]
                sent = self._send(data)
                self._outgoing_size -= sent
                if sent < len(data):
                    self._outgoing[0] = data[sent:]
                    return
                self._outgoing.popleft()
        except _WANTS:
            return
        except OSError as error:
            self.abort(errors.ConnectionClosed(1006, _os_text(error)))
            return
        self._write_watcher.stop()
        self._on_drained()

    def _on_drained(self) -> None:
        # Until the last byte is gone it stays backlogged, or new senders would overtake those that wait.
        self._outgoing_size = 0
        self.backlogged = False
        self._drained.set()


def open_connection(
    url: str,
    headers: Mapping[str, str],
    tls: Tls,
    timeout: float,
    receiver: Receiver,
    opcode: int = frames.TEXT,
) -> Connection:
    """Connect and upgrade within ``timeout`` seconds, all steps together; messages are of ``opcode``.

    Raises ``HostNotFound``, ``ConnectionRefused``, ``TlsError``, ``HandshakeRefused`` (with the HTTP status),
    ``RequestTimeout`` or ``ConnectionFailed``.
    """
    started = perf_counter()
    ws = websocket.WebSocket(
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        sslopt={"context": _ssl_context(tls)} if url.startswith("wss:") else {},
        enable_multithread=False,
        skip_utf8_validation=True,
    )

    def attempt() -> Exception | None:
        # Given back, not raised: gevent prints what a greenlet or a thread of its pool raises.
        try:
            ws.connect(url, timeout=timeout, header=dict(headers), redirect_limit=0)
        except Exception as error:  # noqa: BLE001
            return error
        return None

    error: Exception | None
    try:
        with gevent.Timeout(timeout, _WholeTimeout):
            error = _beside(attempt, ws)
    except _WholeTimeout as timed_out:
        error = timed_out
    if error is not None:
        failure = _connect_failure(error, ws, timeout)
        failure.elapsed = perf_counter() - started
        # websocket-client quotes the answer, which may quote the request and its token.
        raise failure from (None if isinstance(error, websocket.WebSocketException) else error)
    return Connection(ws, receiver, opcode)


class _WholeTimeout(Exception):
    """The connect as a whole took too long."""


class _Stopped(gevent.GreenletExit, OSError):
    """Thrown into a connect that nobody waits for any more.

    websocket-client closes a socket that is still connecting on an OSError only; gevent says nothing of a
    greenlet that ended by a GreenletExit before it began.
    """


def _beside(attempt: Callable[[], Exception | None], ws: websocket.WebSocket) -> Exception | None:
    """Run ``attempt`` and wait for it; whatever ends the wait ends the attempt and closes its socket.

    Without monkey-patching it runs in the hub's thread pool, or the handshake would stop every greenlet.
    """
    patched = monkey.is_module_patched("socket")
    worker: Any = gevent.spawn(attempt) if patched else gevent.get_hub().threadpool.spawn(attempt)
    try:
        error: Exception | None = worker.get()
    except BaseException:
        worker.rawlink(lambda _: ws.shutdown())
        if patched:
            worker.kill(_Stopped, block=False)
        elif ws.sock is not None:
            with contextlib.suppress(OSError):
                ws.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread from its read
        raise
    return error


def _mask() -> bytes:
    return random.getrandbits(32).to_bytes(4, "little")


def _non_blocking(sock: Any) -> Any:
    """The object whose recv and send never wait.

    A gevent socket wraps a plain one that is non-blocking already and has less on the way; where that private
    attribute is missing, or for TLS, a timeout of 0 makes the public methods raise instead of waiting.
    """
    sock.settimeout(0)
    raw = getattr(sock, "_sock", None)
    if not isinstance(sock, ssl.SSLSocket) and hasattr(raw, "recv") and hasattr(raw, "send"):
        return raw
    return sock


@lru_cache(maxsize=8)
def _ssl_context(tls: Tls) -> ssl.SSLContext:
    # Kept: reading the CAs costs more CPU than the rest of a connect.
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
    except OSError:
        raise errors.TlsError(f"the CA file {tls.ca} cannot be used", operation=OPERATION) from None
    context.options |= ssl.OP_NO_RENEGOTIATION
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _os_text(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _connect_failure(error: Exception, ws: websocket.WebSocket, timeout: float) -> errors.CallError:
    """Map what websocket-client and the sockets raise; no text of theirs that could hold the token."""
    answer = ws.handshake_response
    if answer is not None and answer.status != 101:  # a redirect, which is not followed
        return errors.HandshakeRefused(answer.status, "redirect", operation=OPERATION)
    make = next((make for kind, make in _CONNECT_FAILURES if isinstance(error, kind)), None)
    failure = make(error, timeout) if make else errors.ConnectionFailed(type(error).__name__)
    failure.operation = OPERATION
    return failure


def _timed_out(_: Any, timeout: float) -> errors.CallError:
    return errors.RequestTimeout(f"no connection within {timeout:g} s")


def _refused_handshake(error: Any, _: float) -> errors.CallError:
    text = (error.resp_body or b"")[:4096].decode(errors="replace")
    return errors.HandshakeRefused(error.status_code, errors.scrub(text)[:200])


_CONNECT_FAILURES: Final[tuple[tuple[type[Exception], Callable[[Any, float], errors.CallError]], ...]] = (
    (_WholeTimeout, _timed_out),
    (websocket.WebSocketTimeoutException, _timed_out),
    (TimeoutError, _timed_out),
    (websocket.WebSocketBadStatusException, _refused_handshake),
    (websocket.WebSocketAddressException, lambda _, __: errors.HostNotFound("the host's name is unknown")),
    (socket.gaierror, lambda _, __: errors.HostNotFound("the host's name is unknown")),
    (UnicodeError, lambda _, __: errors.HostNotFound("the host's name is no name")),
    (ssl.SSLCertVerificationError, lambda e, _: errors.TlsError(f"certificate: {e.verify_message}")),
    (ssl.SSLError, lambda e, _: errors.TlsError(e.reason or "the TLS handshake failed")),
    (ConnectionRefusedError, lambda _, __: errors.ConnectionRefused("nothing listens there")),
    (websocket.WebSocketProxyException, lambda _, __: errors.ConnectionFailed("the proxy refused")),
    (
        websocket.WebSocketConnectionClosedException,
        lambda _, __: errors.ConnectionFailed("the server ended the stream in the handshake"),
    ),
    (
        websocket.WebSocketException,
        lambda _, __: errors.ConnectionFailed("the server's answer is no websocket upgrade"),
    ),
    (OSError, lambda e, _: errors.ConnectionFailed(_os_text(e))),
)
