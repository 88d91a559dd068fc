"""The emulator's options under a real server's own names, so that a server's command line can be reused."""

from __future__ import annotations

import argparse
from typing import Any, Final

from nakama_bots.cli.inputs import argument
from nakama_bots.settings.values import TEXT, Kind, number, whole

_SECONDS: Final = whole(0, 10**9, of="seconds")
_POSITIVE_SECONDS: Final = whole(1, 10**9, of="seconds")
_COUNT: Final = whole(1)
_MOST_MS: Final = 10**9
_WORDS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def _milliseconds(low: int) -> Any:
    parse = argument(whole(low, _MOST_MS, of="milliseconds"))
    return lambda text: parse(text) / 1000


def _flag(text: str) -> bool:
    if text not in _WORDS:
        msg = f"{text!r} is not a flag; accepted: true, false"
        raise argparse.ArgumentTypeError(msg)
    return _WORDS[text]


# The server's name -> the field of Options, and how its text is read.
_KINDS: Final[dict[str, tuple[str, Kind]]] = {
    "match.call_queue_size": ("match_call_queue_size", _COUNT),
    "match.deferred_queue_size": ("match_deferred_queue_size", _COUNT),
    "match.input_queue_size": ("match_input_queue_size", _COUNT),
    "match.join_attempt_queue_size": ("match_join_attempt_queue_size", _COUNT),
    "match.max_empty_sec": ("match_max_empty", _SECONDS),
    "match.signal_queue_size": ("match_signal_queue_size", _COUNT),
    "matchmaker.interval_sec": ("matchmaker_interval", number(low=0.001)),
    "matchmaker.max_intervals": ("matchmaker_max_intervals", _COUNT),
    "matchmaker.max_tickets": ("matchmaker_max_tickets", _COUNT),
    "matchmaker.rev_threshold": ("matchmaker_rev_threshold", whole(0)),
    "runtime.http_key": ("http_key", TEXT),
    "session.encryption_key": ("encryption_key", TEXT),
    "session.refresh_encryption_key": ("refresh_encryption_key", TEXT),
    "session.refresh_token_expiry_sec": ("refresh_token_expiry", _POSITIVE_SECONDS),
    "session.token_expiry_sec": ("token_expiry", _POSITIVE_SECONDS),
    "socket.address": ("host", TEXT),
    "socket.max_message_size_bytes": ("max_message_size", whole(64, 2**24, of="bytes")),
    "socket.outgoing_queue_size": ("outgoing_queue_size", _COUNT),
    "socket.port": ("port", whole(0, 65535)),
    "socket.server_key": ("server_key", TEXT),
    "tracker.event_queue_size": ("tracker_event_queue_size", _COUNT),
}
# The server's name in milliseconds -> the field in seconds, and the least number.
_MILLISECONDS: Final[dict[str, tuple[str, int]]] = {
    "match.join_marker_deadline_ms": ("match_join_marker_deadline", 1),
    "match.label_update_interval_ms": ("label_update_interval", 1),
    "party.idle_check_interval_ms": ("party_idle_check_interval", 0),
    "party.label_update_interval_ms": ("label_update_interval", 1),
    "socket.idle_timeout_ms": ("idle_timeout", 1),
    "socket.ping_period_ms": ("ping_period", 1),
    "socket.pong_wait_ms": ("pong_wait", 1),
    "socket.read_timeout_ms": ("read_timeout", 1),
}
_SWITCHES: Final[dict[str, str]] = {
    "matchmaker.rev_precision": "matchmaker_rev_precision",
    "session.single_match": "single_match",
    "session.single_party": "single_party",
    "session.single_socket": "single_socket",
}

SERVER_FLAGS: Final = (*_KINDS, *_MILLISECONDS, *_SWITCHES)


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add every flag of a server that has an option here; the last one given of both wins."""
    names = ", ".join(sorted(SERVER_FLAGS))
    group = parser.add_argument_group("a server's own flags", f"accepted too: {names}")

    def add(name: str, field: str, **more: Any) -> None:
        group.add_argument(f"--{name}", dest=field, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **more)

    for name, (field, kind) in _KINDS.items():
        add(name, field, type=argument(kind))
    for name, (field, low) in _MILLISECONDS.items():
        add(name, field, type=_milliseconds(low))
    for name, field in _SWITCHES.items():
        add(name, field, type=_flag, nargs="?", const=True)
