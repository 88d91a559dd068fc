"""The table of all settings: Locust arguments, environment variables and keys of the file."""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nakama_bots.errors import ConfigError
from nakama_bots.settings import health_limits, locales
from nakama_bots.settings.database import DATABASE_ACCEPTED, Database, database_refusal
from nakama_bots.settings.exports import (
    LISTEN_ACCEPTED,
    OTLP_ACCEPTED,
    SINK_ACCEPTED,
    WEBHOOK_ACCEPTED,
    Collector,
    Listen,
    Sink,
    Webhook,
    otlp_refusal,
    sink_refusal,
)
from nakama_bots.settings.load_profile import LoadProfile
from nakama_bots.settings.network import FROM_ENVIRONMENT, PROXY_ACCEPTED, Limits, Proxy
from nakama_bots.settings.target import (
    DEFAULT_HTTP_KEY,
    DEFAULT_SERVER_KEY,
    Target,
    without_userinfo,
)
from nakama_bots.settings.values import (
    Kind,
    choice,
    duration,
    file_of,
    number,
    or_nothing,
    some_text,
    text_that,
    whole,
)

# It starts device ids (10 to 128 bytes on the server) and user names.
_PREFIX: Final = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,40}")


def _any_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[str(value).lower()]


def _items(value: object) -> list[str]:
    """A list in the file and of a repeated flag, a text with commas elsewhere."""
    parts = value if isinstance(value, list) else _any_text(value).split(",")
    return [some_text(part).strip() for part in parts] if value else []


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _modules(value: object) -> str:
    paths = _items(value)
    if not all(Path(path).exists() and "," not in path for path in paths):
        raise ValueError
    return ",".join(paths)


def _may_be_folder(text: str) -> bool:
    # It may have to be created, by each worker on its machine.
    path = Path(text)
    return all(part.is_dir() or not part.exists() for part in (path, *path.parents))


def _metrics_target(url: str) -> Target:
    return Target.parse(url, any_path=True)


def _hosts(value: object) -> str:
    hosts = _items(value)
    for host in hosts:
        try:
            Target(host.replace("*", "any"))
        except ConfigError:
            raise ConfigError("", without_userinfo(host), _HOSTS) from None
    return ",".join(hosts)


def _parsed(parse: Callable[[str], object], accepted: str) -> Kind:
    """Return the kind of text that ``parse`` accepts."""

    def read(value: object) -> str:
        # Kubernetes keeps the line end of a file that a secret was made from.
        text = _any_text(value).rstrip("\r\n")
        parse(text)
        return text

    return Kind(read, accepted)


def _proxy(text: str) -> object:
    return Proxy.parse(text) if text not in ("", FROM_ENVIRONMENT) else None


def _or_none(make: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: make(text) if text else None


def _writable(folder: str) -> str:
    """A folder that cannot be written to must not cost the results of a whole run."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except (OSError, ValueError) as error:
        return f"a writable folder ({getattr(error, 'strerror', None) or error})"


def _certificates(file: str) -> str:
    """Every connection would fail because of it."""
    try:
        if file:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:  # ssl.SSLError is one
        return "the path of a PEM file of CA certificates"
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a user may set: ``--nakama-<name>``, ``NAKAMA_<NAME>``, or ``name`` in the file.

    ``kind`` reads a plain value that can be sent to workers, ``make`` makes of it what ``Settings`` holds.
    ``attempt`` tries whether the value works where it is used; it returns what would be accepted, or "".
    ``many``: the flag may be repeated.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    secret: bool = False
    make: Callable[[Any], Any] = lambda value: value
    attempt: Callable[[Any], str] = lambda _: ""
    many: bool = False

    @property
    def flag(self) -> str:
        return "--nakama-" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "NAKAMA_" + self.name.upper()

    def read(self, name: str, value: object) -> Any:
        """The checked value, or a ``ConfigError`` under the ``name`` that the user gave it by."""
        try:
            return self.kind.read(value)
        except ConfigError as error:
            raise self.refused(name, error.value, error.accepted) from None
        except (ValueError, KeyError, OverflowError):
            raise self.refused(name, value, self.kind.accepted) from None

    def refused(self, name: str, value: object, accepted: str) -> ConfigError:
        """Return the error for a value, which a secret does not show."""
        return ConfigError(name, "<hidden>" if self.secret else value, accepted)


_SECRET: Final = _parsed(some_text, "a non-empty text; on the command line also @FILE, or - for standard input")
_BOOLEAN: Final = Kind(_flag, "true or false")
_HOSTS: Final = "host names with commas between, as a.example.com,*.b.example.com"
_SPAN: Final = duration(above=0)
_METRICS: Final = _parsed(_or_none(_metrics_target), "http://HOST[:PORT][/PATH] or https://..")
_LOAD: Final = or_nothing(Kind(
    lambda value: LoadProfile.parse(some_text(value)).text,
    "stages:.., steps:.., spike:.., soak:.., open:.. or search:.. (docs/load-models.md)",
))  # fmt: skip
_LISTEN: Final = _parsed(_or_none(Listen.parse), LISTEN_ACCEPTED)
_BYTES: Final = whole(1024, 2**30, of="bytes")

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("url", _parsed(_or_none(Target.parse), "http://HOST[:PORT] or https://HOST[:PORT]"), "",
            "server to test (Locust's --host has precedence)", make=_or_none(Target.parse)),
    Setting("server_key", _SECRET, DEFAULT_SERVER_KEY, "the server's socket.server_key", secret=True),
    Setting("http_key", _SECRET, DEFAULT_HTTP_KEY, "the server's runtime.http_key", secret=True),
    Setting("id_prefix", text_that(_PREFIX.fullmatch, "1 to 40 letters, digits, - or _"), "nbots",
            "start of every bot's device id and user name; the same prefix and seed reuse the accounts"),
    Setting("seed", whole(0, 2**32 - 1), 1, "seed of identities and personas"),
    Setting("locales", _parsed(locales.parse, locales.ACCEPTED), locales.DEFAULT_TEXT,
            "locales of the personas", make=locales.parse),
    Setting("connect_timeout", _SPAN, 10.0, "seconds for a connect, handshake included"),
    Setting("request_timeout", _SPAN, 10.0, "seconds for a REST request or a socket round trip"),
    Setting("heartbeat_interval", _SPAN, 10.0, "seconds between application pings"),
    Setting("heartbeat_timeout", _SPAN, 10.0, "seconds without a pong that end a connection"),
    Setting("rest_transport", choice("geventhttpclient", "requests"), "geventhttpclient",
            "the library that sends REST requests"),
    Setting("tls_ca", file_of("a PEM file"), "",
            "CA file to verify the server's certificate with", attempt=_certificates),
    Setting("tls_insecure", _BOOLEAN, default=False, help="do not verify the server's certificate"),
    Setting("proxy", _parsed(_proxy, PROXY_ACCEPTED), "",
            "HTTP proxy for REST and sockets; none by default, whatever the environment has (docs/network.md)",
            secret=True),
    Setting("max_headers", _BYTES, Limits().headers,
            "the most bytes of headers in an HTTP answer or a websocket handshake"),
    Setting("max_body", _BYTES, Limits().body, "the most bytes of a REST answer's body, unpacked"),
    Setting("max_received", _BYTES, Limits().received, "the most bytes of a message from the server"),
    Setting("max_sent", whole(0, 2**30, of="bytes"), Limits().sent,
            "the server's socket.max_message_size_bytes: a message above it is not sent; 0: unknown"),
    Setting("tick_rate", number(above=0, of="ticks a second"), 10.0, "match state sends a second"),
    Setting("match_seconds", _SPAN, 15.0, "seconds that a match is played"),
    Setting("matchmaker_timeout", _SPAN, 60.0, "seconds that a player waits to be matched"),
    Setting("matchmaker_interval", duration(), 0.0,
            "the server's matchmaker.interval_sec, to hold the time to match against (0: unknown)"),
    Setting("hold_seconds", _SPAN, 200.0, "seconds that an idle socket is held"),
    Setting("go_rpc", Kind(some_text, "the id of an RPC"), "echo_go",
            "the server's Go function that answers with its payload, for the benchmark of it"),
    Setting("emulator_matchmaker_interval", _SPAN, 2.0,
            "the embedded emulator's matchmaker interval (a real server's default is 15)"),
    Setting("emulator_module",
            Kind(_modules, "paths of Lua or Python files, or of folders, with commas between"), "",
            "server module or folder that the embedded emulator loads; may be repeated (docs/emulator.md)",
            make=_split, many=True),
    Setting("load", _LOAD, "",
            "load model in place of --users and --spawn-rate, such as stages:50/30s,50/2m,0/30s",
            make=_or_none(LoadProfile.parse)),
    Setting("profile", file_of("a TOML file with a [load] table"), "",
            "file with the load model"),
    Setting("require", whole(), 0,
            "the least capacity that a search must find: exit code 3 below it (docs/capacity.md); 0 for none"),
    Setting("reports", Kind(some_text, "a folder's path"), "reports", "folder in which run folders are created",
            make=Path, attempt=_writable),
    Setting("gate", file_of("a TOML file"), "", "rules that the run must pass (docs/gates.md)",
            make=_or_none(Path)),
    Setting("allow_emulator", _BOOLEAN, default=False, help="let a run against the emulator pass its gate"),
    Setting("allow_handler_failures", _BOOLEAN, default=False,
            help="let a run pass whose push handlers or taps raised exceptions"),
    Setting("health_limits", _parsed(health_limits.parse, health_limits.ACCEPTED), "",
            "limits above which the generator was too slow, such as cpu=0.95,hub_lag=0.1 (docs/live.md)",
            make=health_limits.parse),
    Setting("metrics", _METRICS, "",
            "the server's Prometheus endpoint, read into the time line (docs/live.md)",
            make=_or_none(_metrics_target)),
    Setting("metrics_interval", _SPAN, 5.0, "seconds between two reads of the server's metrics"),
    Setting("node_metrics", _METRICS, "",
            "a Prometheus node exporter on the server's machine, read with the server's metrics",
            make=_or_none(_metrics_target)),
    Setting("db", _parsed(_or_none(Database.parse), DATABASE_ACCEPTED), "",
            "the server's PostgreSQL, whose statistics are read with the server's metrics; or @FILE",
            secret=True, make=_or_none(Database.parse), attempt=database_refusal),
    Setting("server_log", file_of("the server's log as JSON lines"), "",
            "the server's own lines about limits are read from it at the end of a run (docs/bottlenecks.md)",
            make=_or_none(Path)),
    Setting("live", or_nothing(choice("table", "lines", "off")), "",
            "how a headless run shows itself: a table on a terminal and lines elsewhere by default; "
            "off leaves it to Locust's tables (docs/live.md)"),
    Setting("live_interval", duration(), 5.0,
            "seconds between two lines of --nakama-live lines, 0 for none"),
    Setting("prometheus", Kind(lambda value: _LISTEN.read(str(value) if type(value) is int else value),
                               LISTEN_ACCEPTED), "",
            "serve the run's figures to Prometheus on this port of the master (docs/dashboards.md)",
            make=_or_none(Listen.parse)),
    Setting("timeline", _parsed(_or_none(Sink.parse), SINK_ACCEPTED), "",
            "file or fd:N that the time line is written to, as JSON lines, during the run",
            make=_or_none(Sink.parse), attempt=sink_refusal),
    Setting("otlp", _parsed(_or_none(Collector.parse), OTLP_ACCEPTED), "",
            "send the run's figures and traces to this OpenTelemetry collector (docs/dashboards.md)",
            make=_or_none(Collector.parse), attempt=otlp_refusal),
    Setting("webhook", _parsed(_or_none(Webhook.parse), WEBHOOK_ACCEPTED), "",
            "URL of a Slack-compatible webhook that gets the verdict", secret=True,
            make=_or_none(Webhook.parse)),
    Setting("request_samples", whole(), 0, "requests per second and process to record one by one"),
    # With 100 names a process has at most 40,200 events, fewer than a run keeps.
    Setting("traces", whole(0, 100), 0,
            "keep the N slowest and the first N failed calls of each name, and all calls of N players "
            "(at most 10)"),
    Setting("wait_for_server", duration(), 0.0,
            "seconds that a headless run waits at its start for a server that does not answer yet"),
    Setting("worker_logs", or_nothing(text_that(_may_be_folder, "a folder's path")), "",
            "folder in which each worker writes its own figures, to compare with those of the run",
            make=_or_none(Path)),
    Setting("allowed_hosts", Kind(_hosts, _HOSTS), "",
            "the only remote hosts that may be used (this machine always may)",
            make=_split),
    Setting("max_users", whole(), 0, "the most users of a run, 0 for no cap"),
    Setting("confirm_target", _parsed(_or_none(Target), "the target's host name, without scheme and port"), "",
            "use this remote host despite its production-looking name or its default server key"),
)  # fmt: skip

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
