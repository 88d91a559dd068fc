"""The address of a server, its keys and timeouts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from nakama_bots.errors import ConfigError

DEFAULT_PORT: Final = 7350
DEFAULT_SERVER_KEY: Final = "defaultkey"
DEFAULT_HTTP_KEY: Final = "defaulthttpkey"
URL_FORM: Final = "http://HOST[:PORT] or https://HOST[:PORT], without user, query or fragment"

# What may stand in a URL's place for it; a space or a line break would end up in a request line.
_HOST: Final = re.compile(r"[^\s/?#@%:\\\[\]\x00-\x1f\x7f]+|[0-9A-Fa-f:.]+(?:%\w+)?")
_PATH: Final = re.compile(r"(?:/[\w\-.~!$&'()*+,;=:@%]+)+", re.ASCII)
_API: Final = re.compile(r"/v2(?:/|$)")


def ascii_host(host: str) -> str:
    """``host`` as a resolver looks it up: in ASCII, lower case, without what is invisible (RFC 3490).

    ``UnicodeError`` when a label is empty or longer than 63 bytes.
    """
    return host.encode("idna").decode("ascii").lower()


def without_userinfo(url: str) -> str:
    """``url`` for an error: without user and password, in whatever form, and without its query."""
    shown = re.sub(r"^(\s*[a-z]*:?//)?.*(?:@|%40)", r"\1<user>@", url, flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"[?#].*", "?...", shown, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Nakama server is: from parts, or from a URL with ``Target.parse``. ``path`` has no end slash.

    ``host`` is kept as a resolver looks it up, so that no other spelling of it stands for another host.
    """

    host: str
    port: int = DEFAULT_PORT
    ssl: bool = False
    path: str = ""

    def __post_init__(self) -> None:
        if not self.host or not _HOST.fullmatch(self.host):
            accepted = "a host name or an IP address, without scheme and port"
            raise ConfigError("host", without_userinfo(self.host), accepted)
        try:
            host = ascii_host(self.host)
        except UnicodeError:
            raise ConfigError("host", self.host, "a host name with labels of 1 to 63 bytes") from None
        if not _HOST.fullmatch(host):
            raise ConfigError("host", self.host, "a host name or an IP address")
        object.__setattr__(self, "host", host)
        if not 1 <= self.port <= 65535:
            raise ConfigError("port", self.port, "1 to 65535")
        if self.path and not _PATH.fullmatch(self.path):
            raise ConfigError("path", self.path, "/PATH without an end slash, percent-encoded")

    @classmethod
    def parse(cls, url: str, *, name: str = "host", any_path: bool = False) -> Target:
        """A target from ``http(s)://host[:port][/path]``; ``ConfigError`` says what is wrong with ``name``.

        A path of Nakama's API is refused, unless ``any_path``: what is given is in front of every route.
        """
        text = url.strip()
        shown = without_userinfo(text)
        refused = ConfigError(name, shown, URL_FORM)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise refused from None
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise refused
        if parts.query or parts.fragment or port == 0:
            raise refused
        if not any_path and _API.search(parts.path):
            raise ConfigError(name, shown, "the server's URL without /v2, which is added to it")
        ssl = parts.scheme == "https"
        try:
            return cls(parts.hostname, port or (443 if ssl else 80), ssl, parts.path.rstrip("/"))
        except ConfigError:
            raise refused from None

    @property
    def authority(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def http_url(self) -> str:
        """The base of every REST route."""
        return f"http{'s' if self.ssl else ''}://{self.authority}{self.path}"

    @property
    def ws_url(self) -> str:
        """The realtime endpoint, without its query."""
        return f"ws{'s' if self.ssl else ''}://{self.authority}{self.path}/ws"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The server's two keys; neither is ever shown."""

    server_key: str = field(default=DEFAULT_SERVER_KEY, repr=False)
    http_key: str = field(default=DEFAULT_HTTP_KEY, repr=False)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``connect`` and ``request`` are for the whole operation, whatever its steps.

    ``read`` is from a REST request written to its answer read whole; None leaves it to ``request``.
    The application ping goes out every ``heartbeat_interval``; a connection that has not answered one within
    ``heartbeat_timeout`` is ended.
    """

    connect: float = 10.0
    request: float = 10.0
    heartbeat_interval: float = 10.0
    heartbeat_timeout: float = 10.0
    read: float | None = None
