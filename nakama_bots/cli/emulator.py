"""``nakama-bots emulator``: a stand-in for a Nakama server, for tests and experiments."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import Any, Final

from nakama_bots.cli.inputs import add_rows, argument
from nakama_bots.cli.server_flags import add_server_flags
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.server import faults, server
from nakama_bots.emulator.store.limits import StoreLimits
from nakama_bots.errors import ConfigError
from nakama_bots.settings.resolve import read_secret
from nakama_bots.settings.values import TEXT, Kind, duration, file_of, number, whole


def _fault(text: str) -> faults.Fault:
    try:
        fault = faults.parse(text)
    except faults.FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if fault.kind in faults.ACTIONS:
        msg = f"{fault.kind} happens while the emulator runs; accepted: over --control-port only"
        raise argparse.ArgumentTypeError(msg)
    return fault


_FILE = file_of("a PEM file")
_PORT = whole(0, 65535)
_COUNT = whole(1)
_SPAN = duration(low=0.001)
_EXPIRY = whole(1, 10**9, of="seconds")
_DESCRIPTOR = whole(0, 2**20)
_SPEED = number(low=0.01, high=1000)

# The field of Options, and the server's own name.
_KEYS: Final = {
    "server_key": "socket.server_key",
    "http_key": "runtime.http_key",
    "encryption_key": "session.encryption_key",
    "refresh_encryption_key": "session.refresh_encryption_key",
}

# One row per option: the field of Options, how its text is parsed, its help.
_ARGUMENTS: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("host", TEXT, "address to listen on"),
    ("port", _PORT, "port to listen on, 0 for a free one"),
    ("ready_fd", _DESCRIPTOR, "descriptor to write the ready line to (one JSON object); default: stdout"),
    ("lifeline_fd", _DESCRIPTOR, "descriptor of a pipe: the emulator stops when the other end is closed"),
    *(
        (name, TEXT, f"as Nakama's {theirs}; @FILE, - for standard input, or NAKAMA_{name.upper()}")
        for name, theirs in _KEYS.items()
    ),
    ("token_expiry", _EXPIRY, "seconds that a session token is valid"),
    ("refresh_token_expiry", _EXPIRY, "seconds that a refresh token is valid"),
    ("matchmaker_interval", _SPAN, "seconds between two runs of the matchmaker"),
    ("matchmaker_max_intervals", _COUNT, "runs after which a ticket accepts fewer than its maximum"),
    ("matchmaker_max_tickets", _COUNT, "most tickets of a session or a party at once"),
    (
        "matchmaker_rev_threshold",
        whole(0),
        "intervals that a run may take until it stops heeding --matchmaker-rev-precision, 0 for no limit",
    ),
    ("match_max_empty", whole(0, 10**9), "seconds after which an empty authoritative match stops, 0 for never"),
    (
        "match_input_queue_size",
        _COUNT,
        "most messages that wait for the next tick of a match; more are dropped",
    ),
    (
        "match_call_queue_size",
        _COUNT,
        "most calls that wait for a function of a match to return; more end the match",
    ),
    ("match_deferred_queue_size", _COUNT, "most broadcasts that a function of a match may defer"),
    (
        "match_join_attempt_queue_size",
        _COUNT,
        "most players who wait to join a match while one of its functions runs; more are rejected",
    ),
    (
        "match_signal_queue_size",
        _COUNT,
        "most signals that wait while a function of a match runs; more are refused",
    ),
    (
        "match_join_marker_deadline",
        _SPAN,
        "seconds after which an admitted player who has not shown up leaves the match",
    ),
    (
        "tracker_event_queue_size",
        _COUNT,
        "most presence events that one message, request or tick may cause; more are lost",
    ),
    (
        "party_idle_check_interval",
        duration(low=0),
        "seconds between two searches for empty parties, 0 for none",
    ),
    ("max_message_size", whole(64, 2**24, of="bytes"), "largest message a socket may send"),
    ("outgoing_queue_size", _COUNT, "most messages that wait for a socket; more close it"),
    ("ping_period", _SPAN, "seconds between two websocket pings"),
    ("pong_wait", _SPAN, "seconds without a pong after which a socket is closed"),
    ("read_timeout", _SPAN, "seconds within which the first request of a connection, or a body, must arrive"),
    ("idle_timeout", _SPAN, "seconds without a request after which a connection is closed"),
    ("speed", _SPEED, "server seconds per real second, for the clock, intervals and matches"),
    ("label_update_interval", _SPAN, "seconds until the lists of matches and parties show a change"),
    ("control_port", _PORT, "port on 127.0.0.1 for reading and changing faults (/faults), 0 for a free one"),
    ("metrics_port", _PORT, "port on 127.0.0.1 of a Prometheus endpoint with Nakama's names, 0 for a free one"),
    ("seed", whole(0, 2**32 - 1), "seed of ids and choices, for repeatable runs"),
    ("load", TEXT, "JSON file with the initial state (accounts, storage, groups, ..)"),
    ("save", TEXT, "JSON file to write the state to at the end"),
    ("module_instructions", whole(1000, 10**12), "most Lua instructions per call into a module"),
    ("module_seconds", whole(1, 3600, of="seconds"), "most seconds that a call into a module may take"),
    ("module_memory", whole(2**20, 2**40), "most bytes that the Lua code of a game may use"),
    ("tls_cert", _FILE, "PEM file with the certificate (chain); enables TLS"),
    ("tls_key", _FILE, "PEM file with the private key of the certificate"),
)


# What happens beyond the limit, where new ones are not refused.
_BEYOND: Final = {
    "messages": "beyond it the oldest are dropped",
    "notifications": "beyond it the oldest are dropped",
    "records": "beyond it records of the oldest ended period are dropped; without one, more are refused",
}
_LIMITS: Final = {field.name: field.default for field in dataclasses.fields(StoreLimits)}

_FLAGS: Final[tuple[tuple[str, str], ...]] = (
    (
        "matchmaker_rev_precision",
        "as Nakama's matchmaker.rev_precision: all players of a match must accept each other",
    ),
    (
        "reload",
        "reload modules when their files change; if one has an error, it is logged and the old modules stay",
    ),
    ("single_socket", "as Nakama's session.single_socket: a user's new socket closes the old one"),
    ("single_match", "as Nakama's session.single_match: joining a match leaves the previous one"),
    ("single_party", "as Nakama's session.single_party: joining a party leaves the previous one"),
)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        msg = f"{text!r} cannot be used; accepted: NAME=VALUE"
        raise argparse.ArgumentTypeError(msg)
    return name, value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand, with the defaults of ``Options``."""
    # The environment may set a key: it has no default to show.
    add_rows(parser, _ARGUMENTS, Options(), unset=_KEYS)
    for name, most in _LIMITS.items():
        parser.add_argument(
            f"--max-{name}",
            type=argument(_COUNT),
            default=most,
            metavar="NUMBER",
            help=f"most {name} that are kept; {_BEYOND.get(name, 'more are refused')}",
        )
    for name, text in _FLAGS:
        parser.add_argument("--" + name.replace("_", "-"), action="store_true", help=text)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="KIND:name=value,..",
        help="fault to inject, such as latency:on=rpc,ms=50,jitter=20 or error:on=*,code=13,rate=0.01 "
        f"(kinds: {', '.join(faults.KINDS)}); may be repeated",
    )
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="PATH",
        help="server code of the game: a Lua file, a folder of Lua files, or a Python file with "
        "init_module(nk, initializer); may be repeated",
    )
    parser.add_argument(
        "--allow-http",
        action="append",
        default=[],
        metavar="HOST",
        help="host that modules may send HTTP requests to, 'loopback' for this machine; may be repeated",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        type=_variable,
        metavar="NAME=VALUE",
        help="variable that modules read from context.env, as Nakama's runtime.env; may be repeated",
    )
    kinds = {name: kind for name, kind, _ in _ARGUMENTS}
    add_server_flags(parser, kinds, [name for name, _ in _FLAGS])
    parser.add_argument(
        "--log", action="append", default=[], choices=("requests",), help="what to log on stderr"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or the end of the lifeline, and return the exit code."""
    names = [name for name, _, _ in _ARGUMENTS] + [name for name, _ in _FLAGS]
    given: dict[str, Any] = {name: getattr(arguments, name, None) for name in names}
    for name in _KEYS:
        if given[name] is None:
            given[name] = os.environ.get(f"NAKAMA_{name.upper()}") or None
        else:
            given[name] = read_secret("--" + name.replace("_", "-"), given[name])
    options = Options(
        limits=StoreLimits(**{name: getattr(arguments, f"max_{name}") for name in _LIMITS}),
        modules=tuple(arguments.module),
        faults=tuple(arguments.fault),
        allow_http=tuple(arguments.allow_http),
        env=tuple(arguments.env),
        log_requests="requests" in arguments.log,
        **{name: value for name, value in given.items() if value is not None},
    )
    if bool(options.tls_cert) != bool(options.tls_key):
        missing = "--tls-cert" if options.tls_key else "--tls-key"
        raise ConfigError(missing, "", "--tls-cert and --tls-key go together")
    if options.pong_wait <= options.ping_period:
        raise ConfigError("--pong-wait", options.pong_wait, f"more than --ping-period {options.ping_period}")
    return server.serve(options)
