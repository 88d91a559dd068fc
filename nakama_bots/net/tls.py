"""A client's TLS: how every connection verifies a certificate, and a stream through memory.

An ``SSLSocket`` reads from the kernel by itself, and so the kernel's stamps of what arrives are lost. The user
of a ``TlsStream`` passes the bytes: ``recv`` and ``sendall`` for greenlets that wait, ``opened`` and ``sealed``
for those that read and write the socket themselves.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from nakama_bots.errors import ConfigError
from nakama_bots.settings.network import Tls

_RECORD: Final = 65536
"""Bytes that are read at once; a TLS record has at most 16 KiB."""

_RECORD_TYPES: Final = range(20, 24)
"""RFC 8446 section 5.1."""


@lru_cache(maxsize=16)
def ssl_context(kind: Callable[[int], Any], tls: Tls) -> Any:
    """The client context of ``kind``, the same one every time; ``ConfigError`` when ``tls.ca`` cannot be used.

    It is kept because reading the system's CAs takes some 10 ms and a megabyte, too much for each player.
    ``kind`` is ``ssl.SSLContext``, or ``gevent.ssl.SSLContext`` where the hub must go on during a handshake:
    ``gevent.ssl.create_default_context`` would make a standard one in a process that is not patched.
    """
    context = kind(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    # The hub's watchers rely on it: a send never has to read, nor a read to write.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        try:
            context.load_verify_locations(tls.ca)
        except OSError:  # ssl.SSLError is one
            raise ConfigError("tls_ca", tls.ca, "the path of a PEM file of CA certificates") from None
    else:
        context.load_default_certs()
    return context


def record_sizes(data: bytes) -> list[int]:
    """The sizes in bytes of the whole TLS records at the beginning of ``data``, heads included.

    Nothing if ``data`` does not begin with a record.
    """
    sizes: list[int] = []
    position = 0
    while data[position + 1 : position + 2] == b"\x03" and data[position] in _RECORD_TYPES:
        if position + 5 > len(data):
            break
        size = 5 + int.from_bytes(data[position + 3 : position + 5], "big")
        position += size
        if position > len(data):
            break
        sizes.append(size)
    return sizes


class TlsStream:
    """The client's end. ``sock`` is the plain gevent socket; ``handshake`` comes first.

    Every method may raise ``ssl.SSLError``.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "_unread", "ended", "sock")

    def __init__(self, sock: Any, context: ssl.SSLContext, host: str) -> None:
        self.sock = sock
        # True when the server has ended the stream as TLS prescribes: nothing follows.
        self.ended = False
        self._unread = b""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self) -> None:
        """Agree on keys, and check the server's certificate. Waits for the server."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert that says why
                raise
            else:
                self._flush()
                return

    def recv(self, size: int) -> bytes:
        """At least one byte; waits for it. Nothing at the end of the stream."""
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLEOFError:
                self.ended = True
                return b""
            else:
                self.ended = not data
                return data

    def sendall(self, data: bytes) -> None:
        """Encrypt and send all of it; waits until the kernel has it."""
        self.sock.sendall(self.sealed(data))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def put_back(self, data: bytes) -> None:
        """Return ``data`` again, before all that follows."""
        self._unread = data

    def opened(self, received: bytes) -> bytes:
        """Everything that can be decrypted now that ``received`` has arrived; nothing before a whole record."""
        self._incoming.write(received)
        parts = [self._unread] if self._unread else []
        self._unread = b""
        try:
            parts.append(self._tls.read(_RECORD))
            # Another read that finds nothing costs more than the first one. Nothing is the end of the stream.
            while parts[-1] and (self._incoming.pending or self._tls.pending()):
                parts.append(self._tls.read(_RECORD))
            self.ended = not parts[-1]
        except ssl.SSLWantReadError:
            pass
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def has_answer(self) -> bool:
        """True if TLS itself has something to send, such as new keys."""
        return self._outgoing.pending > 0

    def sealed(self, data: bytes) -> bytes:
        """What has to be sent for ``data``; with none, what TLS itself has to say."""
        if data:
            self._tls.write(data)
        return self._outgoing.read()

    def _fill(self) -> None:
        received = self.sock.recv(_RECORD)
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        waiting = self._outgoing.read()
        if waiting:
            self.sock.sendall(waiting)
