"""A connected socket of gevent's own: name, proxy, TCP and TLS within one limit of time."""

from __future__ import annotations

import socket as stdlib_socket
from contextlib import suppress
from functools import lru_cache
from typing import Any

import gevent.monkey
import gevent.socket
import gevent.ssl

from nakama_bots.net.failures import DIAL_ERRORS, mapped
from nakama_bots.net.time_limit import TimeLimit
from nakama_bots.net.tls import TlsStream, ssl_context
from nakama_bots.net.tunnel import open_tunnel
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target

_original_socket = gevent.monkey.get_original("socket", "socket")


def dial(target: Target, network: Network, seconds: float, *, in_memory: bool = False) -> Any:
    """A connection to ``target``, TLS included; other greenlets run meanwhile, patched or not.

    With ``in_memory`` it is a ``TlsStream`` where there is TLS, otherwise a socket.

    Raises ``HostNotFound``, ``ConnectionRefused``, ``TlsError``, ``RequestTimeout`` or ``ConnectionFailed``,
    and a ``ConfigError`` for a CA file or a proxy that cannot be used.
    """
    context = ssl_context(gevent.ssl.SSLContext, network.tls) if target.ssl else None
    proxy = network.proxy_for(target.host, ssl=target.ssl)
    try:
        with TimeLimit(seconds, "no connection"):
            first: Target | Any = proxy or target
            sock = _connected(first.host, first.port)
            try:
                sock.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NODELAY, 1)
                if proxy is not None:
                    open_tunnel(
                        sock.sendall, sock.recv, target.authority, proxy, network.limits.headers, gevent.sleep
                    )
                if context is not None:
                    sock = _secured(sock, context, target.host, in_memory=in_memory)
            except BaseException:
                sock.close()
                raise
    except (OSError, UnicodeError) as error:
        raise mapped(DIAL_ERRORS, error) from error
    return sock


def non_blocking(sock: Any) -> stdlib_socket.socket:
    """The connection of a gevent socket, patched or not, as one of the standard library that never blocks."""
    family, kind, protocol = sock.family, sock.type, sock.proto
    connection: stdlib_socket.socket = _original_socket(family, kind, protocol, fileno=sock.detach())
    connection.setblocking(False)  # noqa: FBT003
    return connection


def _connected(host: str, port: int) -> Any:
    """A connection to a name or an address."""
    family = _family(host)
    if family is None:
        return gevent.socket.create_connection((host, port))
    # The resolver asks a thread, which an address does not need: it takes as long as the connection itself.
    sock = gevent.socket.socket(family, stdlib_socket.SOCK_STREAM)
    try:
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


@lru_cache(maxsize=16)
def _family(host: str) -> int | None:
    """The family of an address; None for a name."""
    for family in (stdlib_socket.AF_INET, stdlib_socket.AF_INET6):
        with suppress(OSError):
            stdlib_socket.inet_pton(family, host)
            return family
    return None


def _secured(sock: Any, context: Any, host: str, *, in_memory: bool) -> Any:
    if in_memory:
        stream = TlsStream(sock, context, host)
        stream.handshake()
        return stream
    secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        secured.do_handshake()
    except BaseException:
        secured.close()  # it has taken the descriptor from ``sock``
        raise
    return secured
