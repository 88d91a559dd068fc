"""A recording from an HAR file: requests, answers, and the websocket messages of browsers and mitmproxy."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nakama_bots.errors import ConfigError, file_errors
from nakama_bots.realtime.frames import BINARY, TEXT
from nakama_bots.record.capture.scribe import Scribe, SocketScribe
from nakama_bots.record.capture.tape import Tape

_FLAG: Final = "--har"
_ACCEPTED: Final = "an HAR file: JSON with log.entries"
_MILLISECONDS: Final = 1e11
"""A larger time is in milliseconds: in seconds it would be in the year 5138."""
_MESSAGES: Final = ("_webSocketMessages", "webSocketMessages")


def read_har(path: Path) -> Tape:
    """What an HAR file has; ``ConfigError`` if it is not one."""
    with file_errors(_FLAG, path, _ACCEPTED):
        content = path.read_bytes()
    try:
        # Not orjson: other tools' files have a byte order mark, or half of a surrogate pair.
        document = json.loads(content)
        entries = document["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(_FLAG, str(path), _ACCEPTED) from None
    starts = [start for entry in entries if (start := _start(entry)) is not None]
    first = min(starts, default=0.0)
    scribe = Scribe()
    for entry in entries:
        try:
            _entry(entry, first, scribe)
        except (KeyError, TypeError, ValueError, AttributeError):
            scribe.tape.note(f"an entry of {path.name} is not as HAR has it: left out")
    scribe.tape.sort()
    return scribe.tape


def _start(entry: Any) -> float | None:
    try:
        return _moment(entry["startedDateTime"])
    except (KeyError, TypeError, ValueError):
        return None


def _moment(value: Any) -> float:
    """Return seconds since 1970; some exporters write milliseconds, or the date as a text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    moment = float(value)
    return moment / 1000 if moment > _MILLISECONDS else moment


def _entry(entry: Mapping[str, Any], first: float, scribe: Scribe) -> None:
    request, response = entry["request"], entry.get("response") or {}
    start = _start(entry)
    at = 0.0 if start is None else start - first
    parts = urlsplit(request["url"])
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    messages = next((entry[name] for name in _MESSAGES if entry.get(name)), None)
    if messages is not None or parts.scheme in ("ws", "wss"):
        opened = scribe.socket(target, _headers(request), at)
        _socket(opened, messages or (), at, first)
        return
    if not parts.path.startswith(("/v2/", "/healthcheck")):
        scribe.tape.note("requests that are not to Nakama's API (/v2/..) are left out")
        return
    body = (request.get("postData") or {}).get("text") or ""
    status = int(response.get("status") or 0)
    answer = (status, _content(response.get("content") or {})) if status else None
    ended = at + max(0.0, float(entry.get("time") or 0)) / 1000
    scribe.rest(
        request["method"], target, _headers(request), body.encode("utf-8", "replace"), answer, at, ended
    )


def _content(content: Mapping[str, Any]) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        return base64.b64decode(text)
    return str(text).encode("utf-8", "replace")


def _headers(request: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"].lower(): one["value"] for one in request.get("headers", ())}


def _socket(opened: SocketScribe, messages: Any, at: float, first: float) -> None:
    last = at
    for message in messages:
        try:
            moment = message.get("time")
            last = _moment(moment) - first if moment is not None else last
            payloads = list(_payload(message))
        except (TypeError, ValueError, AttributeError):
            opened.tape.note("a websocket's message is not as HAR has it: left out")
            continue
        for opcode, payload in payloads:
            # Browsers write send and receive, some exporters outgoing and incoming.
            if message.get("type") in ("send", "request", "outgoing"):
                opened.outgoing(opcode, payload, last)
            else:
                opened.incoming(opcode, payload, last)
    opened.closed(last)


def _payload(message: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    opcode, data = int(message.get("opcode", TEXT)), message.get("data", "")
    if opcode == TEXT:
        yield opcode, str(data).encode("utf-8", "replace")
    elif opcode == BINARY:
        try:
            yield opcode, base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError):
            yield opcode, str(data).encode("latin-1", "replace")
