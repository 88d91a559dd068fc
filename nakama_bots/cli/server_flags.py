"""The emulator's options under a real server's own names, so that a server's command line can be reused."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from typing import Any, Final

from nakama_bots.cli.inputs import argument
from nakama_bots.settings.values import Kind, whole

_NAMES: Final = (
    "match.call_queue_size", "match.deferred_queue_size", "match.input_queue_size",
    "match.join_attempt_queue_size", "match.join_marker_deadline_ms", "match.label_update_interval_ms",
    "match.max_empty_sec", "match.signal_queue_size", "matchmaker.interval_sec", "matchmaker.max_intervals",
    "matchmaker.max_tickets", "matchmaker.rev_precision", "matchmaker.rev_threshold",
    "party.idle_check_interval_ms", "party.label_update_interval_ms", "runtime.http_key",
    "session.encryption_key", "session.refresh_encryption_key", "session.refresh_token_expiry_sec",
    "session.single_match", "session.single_party", "session.single_socket", "session.token_expiry_sec",
    "socket.address", "socket.idle_timeout_ms", "socket.max_message_size_bytes", "socket.outgoing_queue_size",
    "socket.ping_period_ms", "socket.pong_wait_ms", "socket.port", "socket.read_timeout_ms",
    "socket.server_key", "tracker.event_queue_size",
)  # fmt: skip
_FIELDS: Final = {
    "socket.address": "host",
    "match.label_update_interval_ms": "label_update_interval",
    "party.label_update_interval_ms": "label_update_interval",
}
"""The fields whose names do not follow from the server's."""
_MAY_BE_0: Final = "party.idle_check_interval_ms"
_WORDS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def _field(name: str) -> str:
    """The field of ``Options`` for a server's name."""
    room, _, rest = name.partition(".")
    for unit in ("_sec", "_ms", "_bytes"):
        rest = rest.removesuffix(unit)
    return _FIELDS.get(name, rest if room in ("runtime", "session", "socket") else f"{room}_{rest}")


def _milliseconds(low: int) -> Any:
    parse = argument(whole(low, 10**9, of="milliseconds"))
    return lambda text: parse(text) / 1000


def _flag(text: str) -> bool:
    if text not in _WORDS:
        msg = f"{text!r} is not a flag; accepted: true, false"
        raise argparse.ArgumentTypeError(msg)
    return _WORDS[text]


def add_server_flags(
    parser: argparse.ArgumentParser, kinds: Mapping[str, Kind], switches: Collection[str]
) -> None:
    """Add every flag of a server that has an option here; the last one given of both wins.

    ``kinds`` and ``switches`` are the options with a value and those without, by field of ``Options``.
    """
    group = parser.add_argument_group("a server's own flags", f"accepted too: {', '.join(_NAMES)}")
    for name in _NAMES:
        field = _field(name)
        how: dict[str, Any]
        if field in switches:
            how = {"type": _flag, "nargs": "?", "const": True}
        elif name.endswith("_ms"):
            how = {"type": _milliseconds(int(name != _MAY_BE_0))}
        else:
            how = {"type": argument(kinds[field])}
        group.add_argument(f"--{name}", dest=field, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **how)
