"""One websocket connection in the gevent hub.

``net.dial`` makes the connection and websocket-client the upgrade. From then on frames are read by an io
watcher of the hub: one non-blocking recv of at most ``RECEIVE_SIZE`` bytes per turn of the
loop, and every whole frame is handled in the callback. No greenlet waits on a socket. Code in the
callback must not block.
"""

from __future__ import annotations

import contextlib
import fcntl
import random
import sys
import termios
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol

import gevent
import websocket
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.clock import Deadline
from nakama_bots.net.arrival import CLOCK, CONTROL_SIZE, Control, Received, TcpPath, read_apart, tcp_path
from nakama_bots.net.dial import dial, non_blocking
from nakama_bots.net.failures import text_of
from nakama_bots.net.time_limit import TimeLimit
from nakama_bots.net.tls import TlsStream, record_sizes
from nakama_bots.realtime import frames
from nakama_bots.realtime.handshake import OPERATION, HandshakeStream
from nakama_bots.settings.network import Limits, Network
from nakama_bots.settings.target import Target

RECEIVE_SIZE: Final = 65536
HIGH_WATER: Final = 1024 * 1024
"""Send backlog in bytes beyond which a sender waits."""

_PAUSES: Final = 8
"""Pauses of reading that are remembered."""
_APART: Final = 32
"""Number of reads that keep messages apart, after one that returned an answer together with other messages."""
_LATE: Final = 0.001
"""Messages are always read apart if those of the last read had waited for this many seconds."""
_FULL: Final = RECEIVE_SIZE // 2
"""Unread bytes from which on a receive buffer may have been full: Linux offers 64 KiB at first."""

_DEFAULT_LIMITS: Final = Limits()
_TOO_BIG: Final = 1009
_LIMIT_HINT: Final = ", and the server's socket.max_message_size_bytes is 4,096 by default"
_READ: Final = 1  # libev's EV_READ and EV_WRITE
_WRITE: Final = 2
_FOREIGN: Final = {
    frames.TEXT: "the server sent a text message on a protobuf socket",
    frames.BINARY: "the server sent a binary message on a JSON socket",
}

# As ``socket.recvmsg``.
_Receive = Callable[[int, int], Received]


class Reading(NamedTuple):
    """How an answer was read.

    ``unread``: seconds before, in which the connection was not read on purpose. ``late``: the stamp may be too
    late, as it is that of a later frame, of the last part of a large answer, or of an answer that the server
    could send only when its socket was read again, as the buffer was full.
    """

    unread: float
    late: bool


class _Pause(NamedTuple):
    begin: float
    end: float
    full: bool


class Receiver(Protocol):
    """The owner of the connection. Its methods run in the hub, or where a send fails, and must not block."""

    @property
    def awaiting(self) -> int:
        """Answers whose arrival is timed, and one more if other messages are expected."""

    def on_message(self, payload: bytes, arrived: float, waited: float | None) -> None:
        """One whole message; ``ProtocolError`` ends the connection.

        ``arrived`` is when the kernel received it (``time.perf_counter``), ``waited`` seconds before the read.
        Where the kernel has no stamp ``waited`` is None, and ``arrived`` is when it was read.
        """

    def on_slack(self, seconds: float) -> None:
        """From now on ``arrived`` may be too late by up to ``seconds``, as it is that of a later message."""

    def on_lost(self, error: errors.CallError) -> None:
        """The connection has ended. Called once, whichever side ended it."""


class Connection:
    """An open websocket. Created by ``open_connection``; ``error`` says how it ended, None while it is open."""

    __slots__ = (
        "_after", "_apart", "_drained", "_ended", "_opcode", "_outgoing", "_outgoing_size", "_paused_at",
        "_pauses", "_raw", "_reader", "_receive", "_receiver", "_send", "_stamped", "_tls",
        "_watcher", "_write_watcher", "backlogged", "closing", "error", "largest_sent", "slack",
    )  # fmt: skip

    def __init__(
        self,
        sock: Any,
        receiver: Receiver,
        opcode: int = frames.TEXT,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        early: bytes = b"",
    ) -> None:
        self.error: errors.CallError | None = None
        self.closing = False
        # True if the backlog is so large that a sender should ``wait_drained`` first.
        self.backlogged = False
        # Bytes of the largest message sent: the likely cause when the server closes with 1009.
        self.largest_sent = 0
        # Seconds by which the stamp of the message that is handled may be too late: it is a later one's.
        self.slack = 0.0
        self._receiver = receiver
        self._opcode = opcode
        self._reader = frames.FrameReader(limits.received)
        self._tls = sock if isinstance(sock, TlsStream) else None
        self._raw = non_blocking(sock.sock if isinstance(sock, TlsStream) else sock)
        self._stamped = stamped = CLOCK.enable(self._raw)
        # Reads that still look for messages to read apart, which costs a call of the kernel.
        self._apart = 0
        # What is unread has arrived after that time.
        self._after = float("-inf")
        self._receive: _Receive = self._raw.recvmsg if stamped else _unstamped(self._raw.recv)
        self._send: Callable[[bytes], int] = self._raw.send
        # Created when it is needed, as the write watcher and the events: a process holds thousands of sockets.
        self._outgoing: deque[bytes] | None = None
        self._outgoing_size = 0
        self._paused_at: float | None = None
        self._pauses: tuple[_Pause, ...] = ()
        self._drained: Event | None = None
        self._ended: Event | None = None
        loop = gevent.get_hub().loop
        descriptor = self._raw.fileno()
        self._watcher = loop.io(descriptor, _READ)
        self._write_watcher: Any = None
        self._watcher.start(self._on_readable)
        # Already read during the handshake: no readiness event will announce it.
        if self._tls is not None:
            self._tls.put_back(early)
            early = b""
        if early or self._tls is not None:
            loop.run_callback(self._on_readable, (early, (), 0, None))

    def write_message(self, payload: bytes) -> None:
        """Send one message without blocking; the hub sends what the kernel does not accept now."""
        if len(payload) > self.largest_sent:  # noqa: PLR1730 - max() costs more than all the rest here
            self.largest_sent = len(payload)
        self._write(frames.encode(self._opcode, payload, _mask()))

    def wait_drained(self, deadline: Deadline) -> bool:
        """If ``backlogged``, wait until the backlog is sent; False at the deadline."""
        return self._drained is None or bool(self._drained.wait(deadline.left(perf_counter())))

    @property
    def unread(self) -> int:
        """Bytes that the kernel has received and that are not read yet; encrypted ones with TLS."""
        if self.error is not None:
            return 0
        return int.from_bytes(fcntl.ioctl(self._raw.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    @property
    def path(self) -> TcpPath | None:
        """TCP's own measurements of the network; None if there are none."""
        return tcp_path(self._raw) if self.error is None else None

    def close(self, code: int, reason: str, timeout: float) -> None:
        """Close handshake: our frame, then the peer's or ``timeout`` seconds. Idempotent, never raises."""
        if self.error is None and not self.closing:
            self.closing = True
            self._write(frames.encode_close(code, reason, _mask()))
        try:
            if self.error is None:
                self._ended = self._ended or Event()
                self._ended.wait(timeout)
        finally:
            self.abort(errors.ConnectionClosed(code, reason or "closed by us"))

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        if self.error is None and self._paused_at is None:
            self._watcher.stop()
            self._paused_at = perf_counter()

    def resume(self) -> None:
        """Read again."""
        if self.error is None and self._paused_at is not None:
            pause = _Pause(self._paused_at, perf_counter(), self.unread >= _FULL)
            self._pauses = (*self._pauses[1 - _PAUSES :], pause)
            self._paused_at = None
            self._watcher.start(self._on_readable)

    def reading(self, first: float, last: float, size: int) -> Reading:
        """Return how an answer of ``size`` bytes was read, of a call from ``first`` to ``last``.

        The times are those of ``perf_counter``. Call it while the answer is handled.
        """
        pauses = self._pauses
        if self._paused_at is not None:
            pauses = (*pauses, _Pause(self._paused_at, last, full=True))
        inside = [pause for pause in pauses if pause.begin < last and pause.end > first]
        unread = sum(min(last, pause.end) - max(first, pause.begin) for pause in inside)
        return Reading(unread, self.slack > 0.0 or size > RECEIVE_SIZE or any(pause.full for pause in inside))

    def abort(self, error: errors.CallError) -> None:
        """End the connection at once, without a handshake. Callable from the hub; idempotent."""
        if self.error is not None:
            return
        self.error = error
        self.closing = True
        for watcher in (self._watcher, self._write_watcher):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._raw.close()
        self._on_drained()
        if self._ended is not None:
            self._ended.set()
        self._receiver.on_lost(error)

    def _on_readable(self, part: Received | None = None) -> None:
        """Read what has arrived; or act on ``part``, which has been read, apart or with the handshake."""
        if self.error is not None:
            return
        try:
            if part is not None:
                received: Received | None = part
            elif self._apart or CLOCK.last > _LATE:
                received = self._received_apart()
            else:
                received = self._receive(RECEIVE_SIZE, CONTROL_SIZE)
            if received is None:
                return
            data, control, _, _ = received
            drained = part is None and len(data) < RECEIVE_SIZE
            ended = part is None and not data
            if self._tls is not None:
                data = self._opened(data)
                ended = ended or self._tls.ended
            if data:
                self._handle(data, control, drained)
            if ended:
                self.abort(errors.ConnectionClosed(1006, "the server ended the stream"))
        except BlockingIOError:
            pass
        except errors.ProtocolError as error:
            self._violation(error)
        except OSError as error:
            self.abort(errors.ConnectionClosed(1006, text_of(error)))

    def _received_apart(self) -> Received | None:
        """Read; if several messages wait, one by one, act on each, and return None.

        That helps only if a message is timed, others may come with it, and one begins with the next byte.
        """
        if self._receiver.awaiting < 2 or self._reader.kept or not self._stamped:
            return self._receive(RECEIVE_SIZE, CONTROL_SIZE)
        reads = read_apart(self._raw, RECEIVE_SIZE, frames.frame_sizes if self._tls is None else record_sizes)
        if len(reads) == 1:
            self._apart = max(0, self._apart - 1)
            return reads[0]
        self._apart = _APART
        for read in reads:
            self._on_readable(read)
        return None

    def _opened(self, data: bytes) -> bytes:
        """Decrypt ``data``, and send what TLS itself has to answer."""
        assert self._tls is not None
        plain = self._tls.opened(data)
        if self._tls.has_answer:
            self._write(b"")
        return plain

    def _handle(self, data: bytes, control: Control, drained: bool) -> None:
        """Act on the frames in ``data``. ``drained``: the kernel had no more at the time of the read."""
        read_at = arrived = perf_counter()
        waited = CLOCK.waited(control, arrived) if control else None
        if waited is not None:
            arrived -= waited
        after, self._after = self._after, read_at if drained else arrived
        reader = self._reader
        expected = self._opcode
        text = reader.whole_text(data) if expected == frames.TEXT else None
        if text is not None:  # nearly every read
            CLOCK.note(1, waited)
            self._receiver.on_message(text, arrived, waited)
            return
        messages = 0
        on_message = self._receiver.on_message
        ping: bytes | None = None
        frames_read = reader.feed(data)
        shared = (len(frames_read) > 1 or reader.kept) and waited is not None and self._receiver.awaiting
        for opcode, payload in self._sharing(frames_read, arrived - after) if shared else frames_read:
            if opcode == expected:
                messages += 1
                on_message(payload, arrived, waited)
            elif opcode == frames.PING:
                ping = payload
            elif opcode == frames.CLOSE:
                self._on_close(payload)
            elif opcode in _FOREIGN:
                raise errors.ProtocolError(_FOREIGN[opcode], 1003)
            if self.error is not None:
                return
        CLOCK.note(messages, waited)
        # RFC 6455 section 5.5.3 allows a pong for the newest ping only: thousands of pings fit into one
        # read. A peer that pings and never reads gets no pong.
        if ping is not None and not self.backlogged:
            self._write(frames.encode(frames.PONG, ping, _mask()))
        if reader.error is not None:
            raise reader.error

    def _sharing(self, frames_read: list[frames.Frame], slack: float) -> Iterator[frames.Frame]:
        """The frames of one read, whose stamp may be too late by ``slack`` seconds for all but the last."""
        exact = len(frames_read) if self._reader.kept else len(frames_read) - 1
        self._apart = self._apart or _APART
        self._set_slack(max(0.0, slack))
        yield from frames_read[:exact]
        self._set_slack(0.0)
        yield from frames_read[exact:]

    def _set_slack(self, slack: float) -> None:
        self.slack = slack
        self._receiver.on_slack(slack)

    def _on_close(self, payload: bytes) -> None:
        code, reason = frames.decode_close(payload)
        if code == _TOO_BIG and self.largest_sent:
            reason = f"message too big: the largest that was sent had {self.largest_sent:,} bytes{_LIMIT_HINT}"
        self._part(errors.ConnectionClosed(code, reason), frames.echo_code(code), "")

    def _violation(self, error: errors.ProtocolError) -> None:
        if self.error is None:
            self._part(error, error.close_code, str(error.args[0]))

    def _part(self, error: errors.CallError, code: int, reason: str) -> None:
        """End with ``error`` after sending a close frame, if the peer still accepts one.

        The peer may have reset the stream already, as Nakama does right after a 1009; that is not the cause.
        """
        if not self.closing and not self._outgoing:
            self.closing = True
            with contextlib.suppress(OSError):
                close = frames.encode_close(code, reason, _mask())
                self._send(close if self._tls is None else self._tls.sealed(close))
        self.abort(error)

    def _write(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            if self._tls is not None:
                data = self._tls.sealed(data)
            sent = 0 if self._outgoing else self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.abort(errors.ConnectionClosed(1006, text_of(error)))
            return
        if sent == len(data):
            return
        if self._outgoing is None:
            self._outgoing = deque()
            data = data[sent:]
            if self._write_watcher is None:
                self._write_watcher = gevent.get_hub().loop.io(self._raw.fileno(), _WRITE)
            self._write_watcher.start(self._on_writable)
        self._outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size > HIGH_WATER and not self.backlogged:
            self.backlogged = True
            self._drained = Event()

    def _on_writable(self) -> None:
        if self.error is None:
            self._flush()

    def _flush(self) -> None:
        try:
            outgoing = self._outgoing
            while outgoing:
                data = outgoing[0]
                sent = self._send(data)
                self._outgoing_size -= sent
                if sent < len(data):
                    outgoing[0] = data[sent:]
                    return
                outgoing.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            self.abort(errors.ConnectionClosed(1006, text_of(error)))
            return
        self._write_watcher.stop()
        self._on_drained()

    def _on_drained(self) -> None:
        # It stays backlogged until the last byte is sent, or new senders would overtake waiting ones.
        self._outgoing = None
        self._outgoing_size = 0
        self.backlogged = False
        if self._drained is not None:
            self._drained.set()


def open_connection(
    target: Target,
    query: str,
    headers: Mapping[str, str],
    network: Network,
    timeout: float,
    receiver: Receiver,
    opcode: int = frames.TEXT,
) -> Connection:
    """Connect and upgrade within ``timeout`` seconds in total; messages have ``opcode``.

    Raises ``HostNotFound``, ``ConnectionRefused``, ``TlsError``, ``HandshakeRefused`` (with the HTTP status),
    ``AnswerTooLarge``, ``RequestTimeout`` or ``ConnectionFailed``.
    """
    started = perf_counter()
    sock: Any = None
    try:
        with TimeLimit(timeout, "no connection"):
            sock = dial(target, network, timeout, in_memory=True)
            stream = HandshakeStream(sock, network.limits.headers)
            _upgrade(stream, f"{target.ws_url}?{query}", headers)
        return Connection(sock, receiver, opcode, limits=network.limits, early=stream.rest)
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, errors.CallError):
            failure = error
        elif isinstance(error, websocket.WebSocketException):
            failure = errors.ConnectionFailed("the server's answer is not a websocket upgrade")
        elif isinstance(error, OSError):
            failure = errors.ConnectionFailed(text_of(error))
        else:
            raise
        failure.operation = OPERATION
        failure.elapsed = perf_counter() - started
        if failure is error:
            raise
        # websocket-client quotes the answer, which may quote the request and its token.
        raise failure from (None if isinstance(error, websocket.WebSocketException) else error)


def _upgrade(stream: HandshakeStream, url: str, headers: Mapping[str, str]) -> None:
    """Let websocket-client request the upgrade and check the answer. It is not used afterwards:
    its parser and locks need more memory than a whole ``Connection``.
    """
    ws = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
    # With a given socket it neither looks for a proxy nor opens a connection.
    ws.connect(url, socket=stream, header=dict(headers), redirect_limit=0)


def _unstamped(recv: Callable[[int], bytes]) -> _Receive:
    """``recv`` in the form of ``recvmsg``."""
    return lambda size, _: (recv(size), (), 0, None)


_mask: Final = partial(random.getrandbits, 32)
