"""What a user may set, validated once: command line > environment (``NAKAMA_*``) > file (TOML) > default.

``SETTINGS`` is the one table: the Locust arguments, the environment variables and the file's keys all come
from it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nakama_bots.errors import ConfigError
from nakama_bots.settings import health_limits, locales
from nakama_bots.settings.health_limits import HealthLimits
from nakama_bots.settings.load_profile import PROFILE_FLAG, Profile

DEFAULT_PORT: Final = 7350
DEFAULT_SERVER_KEY: Final = "defaultkey"

# What may stand in a URL's place for it; a space or a line break would end up in a request line.
_HOST = re.compile(r"[^\s/?#@\\\[\]\x00-\x1f\x7f]+")
_PATH = re.compile(r"(?:/[\w\-.~!$&'()*+,;=:@%]+)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Nakama server is: from parts, or from a URL with ``Target.parse``. ``path`` has no end slash."""

    host: str
    port: int = DEFAULT_PORT
    ssl: bool = False
    path: str = ""

    def __post_init__(self) -> None:
        if not self.host or not _HOST.fullmatch(self.host):
            raise ConfigError("host", self.host, "a host name or an IP address, without scheme and port")
        try:
            # What a resolver makes of the name: no label is empty or over 63 bytes (RFC 1035 section 2.3.4).
            self.host.encode("idna")
        except UnicodeError:
            raise ConfigError("host", self.host, "a host name with labels of 1 to 63 bytes") from None
        if not 1 <= self.port <= 65535:
            raise ConfigError("port", self.port, "1 to 65535")
        if self.path and not _PATH.fullmatch(self.path):
            raise ConfigError("path", self.path, "/PATH without an end slash, percent-encoded")

    @classmethod
    def parse(cls, url: str, *, name: str = "host") -> Target:
        """A target from ``http(s)://host[:port][/path]``; ``ConfigError`` says what is wrong with ``name``."""
        text = url.strip()
        # Neither a password nor a key in the query may be shown.
        shown = re.sub(r"\?.*", "?...", re.sub(r"//[^/?#]*@", "//<user>@", text))
        refused = ConfigError(
            name, shown, "http://HOST[:PORT] or https://HOST[:PORT], without user, query or fragment"
        )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise refused from None
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise refused
        if parts.query or parts.fragment or port == 0:
            raise refused
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
    http_key: str = field(default="defaulthttpkey", repr=False)


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


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server's certificate is verified: by the system's CAs, by the file ``ca``, or not at all."""

    ca: str = ""
    insecure: bool = False


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _any_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _id_prefix(value: object) -> str:
    text = _text(value)
    # The prefix starts device ids (10 to 128 bytes on the server) and user names.
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum() or len(text) > 40:
        raise ValueError
    return text


def _locales(value: object) -> str:
    text = _text(value)
    locales.parse(text)
    return text


def _seed(value: object) -> int:
    number = int(str(value))
    if not 0 <= number < 2**32:
        raise ValueError
    return number


def _positive(value: object) -> float:
    number = float(str(value))
    if not 0 < number < 1e6:  # False for NaN as well
        raise ValueError
    return number


def _seconds(value: object) -> float:
    return 0.0 if float(str(value)) == 0 else _positive(value)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[str(value).lower()]


def _transport(value: object) -> str:
    if value not in ("geventhttpclient", "requests"):
        raise ValueError
    return str(value)


def _file(value: object) -> str:
    text = _any_text(value)
    if text and not Path(text).is_file():
        raise ValueError
    return text


def _folder(value: object) -> str:
    text = _any_text(value)
    path = Path(text)
    # It may have to be made, by each worker on its machine.
    if text and any(part.exists() and not part.is_dir() for part in (path, *path.parents)):
        raise ValueError
    return text


def _url(value: object) -> str:
    text = _any_text(value)
    if text:
        Target.parse(text, name="host")
    return text


def _host(value: object) -> str:
    text = _any_text(value)
    if text:
        Target(text)
    return text


def _hosts(value: object) -> str:
    # A list in the file, a text with commas elsewhere.
    parts = value if isinstance(value, list) else _any_text(value).split(",")
    hosts = [_text(part).strip() for part in parts] if value else []
    for host in hosts:
        try:
            Target(host.replace("*", "any"))
        except ConfigError:
            raise ValueError from None
    return ",".join(hosts)


def _whole(value: object) -> int:
    number = int(str(value))
    if not 0 <= number < 10**6:
        raise ValueError
    return number


def _health_limits(value: object) -> str:
    text = _any_text(value)
    health_limits.parse(text)
    return text


def _load(value: object) -> str:
    text = _any_text(value)
    return Profile.parse(text).text if text else ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing a user may set: ``--nakama-<name>``, ``NAKAMA_<NAME>``, or ``name`` in the file."""

    name: str
    parse: Callable[[object], Any]
    default: Any
    accepted: str
    help: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """The command line's name of it."""
        return "--nakama-" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment's name of it."""
        return "NAKAMA_" + self.name.upper()

    def read(self, name: str, value: object) -> Any:
        """The checked value, or a ``ConfigError`` under the ``name`` that the user gave it by."""
        try:
            return self.parse(value)
        except ConfigError as error:
            raise ConfigError(name, error.value, error.accepted) from None
        except (ValueError, KeyError):
            raise ConfigError(name, "<hidden>" if self.secret else value, self.accepted) from None


SECONDS: Final = "a number of seconds above 0 and below 1000000"

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("url", _url, "", "http://HOST[:PORT] or https://HOST[:PORT]",
            "server to test (Locust's --host wins)"),
    Setting("server_key", _text, DEFAULT_SERVER_KEY, "a non-empty text",
            "the server's socket.server_key", secret=True),
    Setting("http_key", _text, "defaulthttpkey", "a non-empty text",
            "the server's runtime.http_key", secret=True),
    Setting("id_prefix", _id_prefix, "nbots", "1 to 40 letters, digits, - or _",
            "start of every bot's device id and user name; the same prefix and seed reuse the accounts"),
    Setting("seed", _seed, 1, "a whole number from 0 to 4294967295", "seed of identities and personas"),
    Setting("locales", _locales, locales.DEFAULT_TEXT, locales.ACCEPTED, "where the personas come from"),
    Setting("connect_timeout", _positive, 10.0, SECONDS, "seconds for a connect, handshake included"),
    Setting("request_timeout", _positive, 10.0, SECONDS, "seconds for a REST request or a socket round trip"),
    Setting("heartbeat_interval", _positive, 10.0, SECONDS, "seconds between application pings"),
    Setting("heartbeat_timeout", _positive, 10.0, SECONDS, "seconds without a pong that end a connection"),
    Setting("rest_transport", _transport, "geventhttpclient", "geventhttpclient or requests",
            "the library that sends REST requests"),
    Setting("tls_ca", _file, "", "the path of a PEM file", "CA file to verify the server's certificate with"),
    Setting("tls_insecure", _flag, default=False, accepted="true or false",
            help="do not verify the server's certificate"),
    Setting("tick_rate", _positive, 10.0, "a number of ticks a second above 0 and below 1000000",
            "match state sends a second"),
    Setting("match_seconds", _positive, 15.0, SECONDS, "seconds a match is played"),
    Setting("matchmaker_timeout", _positive, 60.0, SECONDS, "seconds a ticket is waited for"),
    Setting("matchmaker_interval", _seconds, 0.0, "a number of seconds from 0 to 999999",
            "the server's matchmaker.interval_sec, to hold the time to match against (0: unknown)"),
    Setting("hold_seconds", _positive, 200.0, SECONDS, "seconds that an idle socket is held"),
    Setting("go_rpc", _text, "echo_go", "the id of an RPC",
            "the server's Go function that answers with its payload, for the benchmark of it"),
    Setting("emulator_matchmaker_interval", _positive, 2.0, SECONDS,
            "the embedded emulator's matchmaker interval (a real server's default is 15)"),
    Setting("load", _load, "", "stages:.., steps:.., spike:.., soak:.. or open:.. (docs/load-models.md)",
            "load model in place of --users and --spawn-rate, such as stages:50/30s,50/2m,0/30s"),
    Setting("profile", _file, "", "the path of a TOML file with a [load] table",
            "file with the load model"),
    Setting("reports", _text, "reports", "a folder's path", "folder in which run folders are made"),
    Setting("gate", _file, "", "the path of a TOML file", "rules that the run has to keep (docs/gates.md)"),
    Setting("allow_emulator", _flag, default=False, accepted="true or false",
            help="let a run against the emulator pass its gate"),
    Setting("health_limits", _health_limits, "", health_limits.ACCEPTED,
            "limits beyond which a run's generator was too slow, as cpu=0.95,hub_lag=0.1 (docs/live.md)"),
    Setting("metrics", _url, "", "http://HOST[:PORT][/PATH] or https://..",
            "the server's Prometheus endpoint, read into the time line (docs/live.md)"),
    Setting("metrics_interval", _positive, 5.0, SECONDS, "seconds between two reads of the server's metrics"),
    Setting("live_interval", _seconds, 5.0, "a number of seconds from 0 to 999999, 0 for none",
            "seconds between two lines on a headless run as it goes on"),
    Setting("request_samples", _whole, 0, "a whole number from 0 to 999999",
            "requests a second and process that are written down one by one"),
    Setting("wait_for_server", _seconds, 0.0, "a number of seconds from 0 to 999999",
            "seconds that a headless run waits at its start for a server that does not answer yet"),
    Setting("worker_logs", _folder, "", "a folder's path",
            "folder in which each worker writes down its own figures, to compare with the run's"),
    Setting("allowed_hosts", _hosts, "", "host names with commas between, as a.example.com,*.b.example.com",
            "the only remote hosts that may be used (this machine always may)"),
    Setting("max_users", _whole, 0, "a whole number from 0 to 999999, 0 for no cap", "the most users of a run"),
    Setting("confirm_target", _host, "", "the target's host name, without scheme and port",
            "use this remote host in spite of its production-looking name or its default server key"),
)  # fmt: skip

CONFIG_FLAG: Final = "--nakama-config"
CONFIG_VARIABLE: Final = "NAKAMA_CONFIG"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. Made by ``Settings.resolve``; ``target`` is None when no server was named."""

    target: Target | None
    credentials: Credentials
    timeouts: Timeouts
    tls: Tls
    id_prefix: str
    seed: int
    locales: locales.Locales
    rest_transport: str
    tick_rate: float
    match_seconds: float
    matchmaker_timeout: float
    matchmaker_interval: float
    hold_seconds: float
    go_rpc: str
    emulator_matchmaker_interval: float
    load: Profile | None
    reports: Path
    worker_logs: Path | None
    gate: str
    allow_emulator: bool
    health_limits: HealthLimits
    metrics: Target | None
    metrics_interval: float
    live_interval: float
    request_samples: int
    wait_for_server: float
    allowed_hosts: tuple[str, ...]
    max_users: int
    confirm_target: str

    @classmethod
    def resolve(
        cls,
        command_line: Mapping[str, object],
        environment: Mapping[str, str],
        file: Path | None = None,
    ) -> Settings:
        """Merge and check; ``command_line`` holds what was given there, by setting name (None: not given)."""
        return cls.from_values(resolve_values(command_line, environment, file))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from checked values by name, as ``resolve_values`` gives them."""
        return cls(
            target=Target.parse(values["url"]) if values["url"] else None,
            credentials=Credentials(values["server_key"], values["http_key"]),
            timeouts=Timeouts(
                values["connect_timeout"],
                values["request_timeout"],
                values["heartbeat_interval"],
                values["heartbeat_timeout"],
            ),
            tls=Tls(values["tls_ca"], values["tls_insecure"]),
            id_prefix=values["id_prefix"],
            seed=values["seed"],
            locales=locales.parse(values["locales"]),
            rest_transport=values["rest_transport"],
            tick_rate=values["tick_rate"],
            match_seconds=values["match_seconds"],
            matchmaker_timeout=values["matchmaker_timeout"],
            matchmaker_interval=values["matchmaker_interval"],
            hold_seconds=values["hold_seconds"],
            go_rpc=values["go_rpc"],
            emulator_matchmaker_interval=values["emulator_matchmaker_interval"],
            load=Profile.parse(values["load"]) if values["load"] else None,
            reports=Path(values["reports"]),
            worker_logs=Path(values["worker_logs"]) if values["worker_logs"] else None,
            gate=values["gate"],
            allow_emulator=values["allow_emulator"],
            health_limits=health_limits.parse(values["health_limits"]),
            metrics=Target.parse(values["metrics"]) if values["metrics"] else None,
            metrics_interval=values["metrics_interval"],
            live_interval=values["live_interval"],
            request_samples=values["request_samples"],
            wait_for_server=values["wait_for_server"],
            allowed_hosts=tuple(host for host in values["allowed_hosts"].split(",") if host),
            max_users=values["max_users"],
            confirm_target=values["confirm_target"],
        )


def resolve_values(
    command_line: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None
) -> dict[str, Any]:
    """Every setting's checked value by name; the first of command line, environment, file and default wins."""
    from_file = read_file(file) if file is not None else {}
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        given = command_line.get(setting.name)
        if given is not None:
            values[setting.name] = setting.read(setting.flag, given)
        elif setting.variable in environment:
            values[setting.name] = setting.read(setting.variable, environment[setting.variable])
        elif setting.name in from_file:
            values[setting.name] = setting.read(f"{file}: {setting.name}", from_file[setting.name])
        else:
            values[setting.name] = setting.default
    if values["profile"]:
        if values["load"]:
            raise ConfigError(PROFILE_FLAG, values["profile"], f"nothing beside --nakama-load {values['load']}")
        values["load"] = Profile.read(Path(values["profile"])).text
    return values


def read_file(path: Path) -> dict[str, Any]:
    """The ``[nakama]`` table of a TOML file; unknown keys are errors, or a typing slip would go unnoticed."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("nakama")
    except OSError as error:
        raise ConfigError(CONFIG_FLAG, str(path), f"a readable TOML file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(CONFIG_FLAG, str(path), f"a TOML file ({error})") from None
    if not isinstance(table, dict):
        raise ConfigError(CONFIG_FLAG, str(path), "a TOML file with a [nakama] table")
    names = [setting.name for setting in SETTINGS]
    for key in table:
        if key not in names:
            raise ConfigError(f"{path}: [nakama]", key, ", ".join(names))
    return table
