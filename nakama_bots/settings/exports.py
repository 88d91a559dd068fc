"""Where a run's figures go besides its folder: a port, a file or descriptor, a collector, a webhook."""

from __future__ import annotations

import importlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nakama_bots.errors import ConfigError
from nakama_bots.settings.network import FROM_ENVIRONMENT
from nakama_bots.settings.target import Target

LISTEN_ACCEPTED: Final = "PORT or HOST:PORT, as 9646 or 0.0.0.0:9646 (0: any free port)"
SINK_ACCEPTED: Final = "the path of a file in an existing folder, or fd:N for an open file descriptor"
OTLP_ACCEPTED: Final = (
    f"http://HOST[:PORT][/PATH] or https://.., or {FROM_ENVIRONMENT} for OTEL_EXPORTER_OTLP_*"
)
WEBHOOK_ACCEPTED: Final = "http://HOST[:PORT]/PATH or https://.."

_LISTEN: Final = re.compile(r"(?:(?P<host>[^\s:]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")
_OTLP_LIBRARY: Final = "opentelemetry.exporter.otlp.proto.http"
_OTLP_PROTOCOL: Final = "http/protobuf"
_OTLP_PROTOCOLS: Final = tuple(f"OTEL_EXPORTER_OTLP_{of}PROTOCOL" for of in ("", "METRICS_", "TRACES_"))
_OTLP_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_DESCRIPTOR: Final = re.compile(r"fd:(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on: this machine only if no host is named. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """From ``PORT`` or ``HOST:PORT``; ``ValueError`` for anything else."""
        found = _LISTEN.fullmatch(text)
        if not found or int(found["port"]) > 65535:
            raise ValueError
        return cls((found["host"] or "127.0.0.1").strip("[]"), int(found["port"]))


@dataclass(frozen=True, slots=True)
class Sink:
    """Where lines are written: the file ``path``, or the open ``descriptor`` if ``path`` is None."""

    path: Path | None
    descriptor: int = -1

    @classmethod
    def parse(cls, text: str) -> Sink:
        """From a path or ``fd:N``; ``ValueError`` for anything else."""
        found = _DESCRIPTOR.fullmatch(text)
        if found:
            return cls(None, int(found[1]))
        if not text or text.startswith("fd:") or "\0" in text:
            raise ValueError
        return cls(Path(text))

    @property
    def name(self) -> str:
        return f"fd:{self.descriptor}" if self.path is None else str(self.path)


def sink_refusal(text: str) -> str:
    """Return what is accepted instead of ``text``, as far as is known without writing to it; or ""."""
    if not text:
        return ""
    sink = Sink.parse(text)
    try:
        if sink.path is None:
            os.write(sink.descriptor, b"")
            return ""
        reason = "it is a folder" if sink.path.is_dir() else ""
        if not reason and not sink.path.parent.is_dir():
            reason = f"no folder {sink.path.parent}"
    except OSError as error:
        reason = error.strerror or str(error)
    return f"{SINK_ACCEPTED} ({reason})" if reason else ""


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector for OTLP over HTTP: ``url`` without ``/v1/..``, or "" for the SDK's environment variables."""

    url: str

    @classmethod
    def parse(cls, text: str) -> Collector:
        """From a URL or ``environment``; ``ConfigError`` for anything else."""
        if text == FROM_ENVIRONMENT:
            return cls("")
        try:
            return cls(Target.parse(text, any_path=True).http_url)
        except ConfigError as error:
            raise ConfigError("otlp", error.value, OTLP_ACCEPTED) from None

    def endpoint(self, signal: str) -> str | None:
        """Return the URL for ``metrics`` or ``traces``; None if the environment has it."""
        return f"{self.url}/v1/{signal}" if self.url else None


def otlp_refusal(text: str) -> str:
    """Return what is accepted instead of ``text``, given the environment and what is installed; or ""."""
    if not text:
        return ""
    for name in _OTLP_PROTOCOLS:
        if os.environ.get(name, _OTLP_PROTOCOL) != _OTLP_PROTOCOL:
            return f"{OTLP_ACCEPTED} with {name}={_OTLP_PROTOCOL} (it is {os.environ[name]!r})"
    try:
        otlp_interval(os.environ)
    except ValueError:
        given = os.environ[_OTLP_INTERVAL]
        return f"{OTLP_ACCEPTED} with {_OTLP_INTERVAL} in milliseconds above 0 (it is {given!r})"
    try:
        importlib.import_module(_OTLP_LIBRARY)
    except ImportError as error:
        return f"{OTLP_ACCEPTED} with the extra otel: pip install 'nakama_bots[otel]' ({error})"
    return ""


def otlp_interval(environment: Mapping[str, str]) -> float:
    """Return the seconds between two exports of metrics; ``ValueError`` if the environment has no number."""
    seconds = float(environment.get(_OTLP_INTERVAL) or 10_000) / 1e3
    if not 0 < seconds < math.inf:
        raise ValueError
    return seconds


@dataclass(frozen=True, slots=True)
class Webhook:
    """The URL that a message is posted to. Its path is often a secret: only ``target``'s host may be shown."""

    target: Target
    path: str

    @classmethod
    def parse(cls, text: str) -> Webhook:
        """From a URL with a path, and maybe a query; ``ValueError`` for anything else."""
        try:
            parts = urlsplit(text.strip())
            target = Target.parse(f"{parts.scheme}://{parts.netloc}")
        except ConfigError:
            raise ValueError from None
        if parts.fragment or not re.fullmatch(r"/[!-~]*", parts.path or "/"):
            raise ValueError
        query = f"?{parts.query}" if parts.query else ""
        if not re.fullmatch(r"[!-~]*", query):
            raise ValueError
        return cls(target, (parts.path or "/") + query)
