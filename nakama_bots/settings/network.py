"""How connections are made: TLS, a proxy, and how much a peer may send on one."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from nakama_bots.errors import ConfigError

MIB: Final = 1024 * 1024
PROXY_ACCEPTED: Final = "http://[USER:PASSWORD@]HOST[:PORT], or environment for http_proxy and its like"
FROM_ENVIRONMENT: Final = "environment"


@dataclass(frozen=True, slots=True)
class Tls:
    """How to verify the server certificate: by the CAs of the system, by the file ``ca``, or not at all."""

    ca: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes. What a server sends beyond them ends its connection with a typed error that names the limit.

    ``headers`` is for all heads of one HTTP answer together, interim (1xx) ones included, and for the websocket
    handshake; ``body`` for the body of a REST answer, unpacked; ``received`` for one message on the socket, all
    fragments together. ``sent`` is the server's own ``socket.max_message_size_bytes`` (4096 by default): a
    message above it is refused before it is sent. 0: not known, nothing is refused.
    """

    headers: int = 64 * 1024
    body: int = 16 * MIB
    received: int = 16 * MIB
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is asked for a tunnel (CONNECT) to the server, for http as well as for https."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str, name: str = "proxy") -> Self:
        """A proxy from ``http://[user:password@]host[:port]``; the error shows neither user nor password."""
        refused = ConfigError(name, re.sub(r"//[^/?#]*@", "//<user>@", text), PROXY_ACCEPTED)
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port or 80
        except ValueError:
            raise refused from None
        host = parts.hostname or ""
        # A space or a line break in the host would end up in the request for the tunnel.
        if parts.scheme != "http" or not host or not host.isprintable() or " " in host:
            raise refused
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise refused
        return cls(host, port, unquote(parts.username or ""), unquote(parts.password or ""))

    @classmethod
    def from_environment(cls, host: str, *, ssl: bool) -> Self | None:
        """Return the proxy in ``http_proxy`` or, with ``ssl``, ``https_proxy``; None if in ``no_proxy``."""
        name = "https" if ssl else "http"
        text = urllib.request.getproxies_environment().get(name)
        if not text or urllib.request.proxy_bypass(host):
            return None
        return cls.parse(text, f"{name}_proxy")


@dataclass(frozen=True, slots=True)
class Network:
    """How the connections of a process are made. ``proxy`` is a URL, ``environment``, or "" for none.

    The proxies of the environment are not used unless ``proxy`` says so: a proxy would be measured with the
    server, and it would see every token of a connection without TLS.
    """

    tls: Tls = Tls()
    limits: Limits = Limits()
    proxy: str = field(default="", repr=False)

    def proxy_for(self, host: str, *, ssl: bool) -> Proxy | None:
        """Return the proxy to ``host``, None for a direct connection."""
        if self.proxy == FROM_ENVIRONMENT:
            return Proxy.from_environment(host, ssl=ssl)
        return Proxy.parse(self.proxy) if self.proxy else None
