"""Where a run's figures go besides its folder: an address to listen on, a file or descriptor, a webhook."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from nakama_bots.errors import ConfigError
from nakama_bots.settings.target import Target

LISTEN_ACCEPTED: Final = "PORT or HOST:PORT, as 9646 or 0.0.0.0:9646 (0: any free port)"
SINK_ACCEPTED: Final = "the path of a file in an existing folder, or fd:N for an open file descriptor"
WEBHOOK_ACCEPTED: Final = "http://HOST[:PORT]/PATH or https://.."

_LISTEN: Final = re.compile(r"(?:(?P<host>[^\s:]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")
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
        """The name to show."""
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
