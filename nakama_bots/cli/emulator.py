"""``nakama-bots emulator``: a stand-in for a Nakama server, for tests and for trying things out."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nakama_bots.emulator.options import Options
from nakama_bots.emulator.server import faults
from nakama_bots.errors import ConfigError

HELP: Final = "serve a stand-in for a Nakama server (behaviour only: neither its speed nor its durability)"


def _bounded(kind: Callable[[str], Any], low: float, high: float, accepted: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            msg = f"{text!r} cannot be used; accepted: {accepted}"
            raise argparse.ArgumentTypeError(msg)
        return number

    return parse


def _fault(text: str) -> faults.Fault:
    try:
        fault = faults.parse(text)
    except faults.FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if fault.kind in faults.ACTIONS:
        msg = f"{fault.kind} happens while the emulator runs; accepted: over --control-port only"
        raise argparse.ArgumentTypeError(msg)
    return fault


def _key(text: str) -> str:
    if not text:
        msg = "it cannot be empty; accepted: a non-empty text"
        raise argparse.ArgumentTypeError(msg)
    return text


def _file(text: str) -> str:
    if not Path(text).is_file():
        msg = f"{text!r} cannot be used; accepted: the path of a PEM file"
        raise argparse.ArgumentTypeError(msg)
    return text


_PORT = _bounded(int, 0, 65535, "a port from 0 to 65535, 0 for a free one")
_FD = _bounded(int, 0, 2**20, "the number of an open file descriptor")
_SECONDS = _bounded(float, 0.001, 1e6, "a number of seconds from 0.001 to 1000000")
_SPEED = _bounded(float, 0.01, 1000.0, "a number from 0.01 to 1000")
_WHOLE_SECONDS = _bounded(int, 1, 10**9, "a whole number of seconds above 0")
_COUNT = _bounded(int, 1, 10**6, "a whole number from 1 to 1000000")
_SIZE = _bounded(int, 64, 2**24, "a number of bytes from 64 to 16777216")
_SEED = _bounded(int, 0, 2**32 - 1, "a whole number from 0 to 4294967295")

# One row an option: its field of Options, how its text is read, what it is.
_ARGUMENTS: Final[tuple[tuple[str, Callable[[str], Any], str], ...]] = (
    ("host", _key, "address to listen on"),
    ("port", _PORT, "port to listen on, 0 for a free one"),
    ("ready_fd", _FD, "descriptor to write the ready line to (one JSON object); without it: stdout"),
    ("lifeline_fd", _FD, "descriptor of a pipe: the emulator stops when its other end is closed"),
    ("server_key", _key, "as Nakama's socket.server_key (or NAKAMA_SERVER_KEY)"),
    ("http_key", _key, "as Nakama's runtime.http_key (or NAKAMA_HTTP_KEY)"),
    ("token_expiry", _WHOLE_SECONDS, "seconds a session token is valid"),
    ("refresh_token_expiry", _WHOLE_SECONDS, "seconds a refresh token is valid"),
    ("matchmaker_interval", _SECONDS, "seconds between two runs of the matchmaker"),
    ("matchmaker_max_intervals", _COUNT, "runs after which a ticket accepts fewer than its maximum"),
    ("max_message_size", _SIZE, "largest message a socket may send"),
    ("outgoing_queue_size", _COUNT, "messages that may wait for a socket before it is closed"),
    ("ping_period", _SECONDS, "seconds between two websocket pings"),
    ("pong_wait", _SECONDS, "seconds without a pong after which a socket is closed"),
    ("read_timeout", _SECONDS, "seconds in which a connection's first request, or a body, must have come"),
    ("idle_timeout", _SECONDS, "seconds between two requests after which a connection is closed"),
    ("speed", _SPEED, "how many seconds of the server pass in one, for its clock, intervals and matches"),
    ("label_update_interval", _SECONDS, "seconds until lists of matches and parties show a change"),
    ("control_port", _PORT, "port on 127.0.0.1 where faults are seen and changed (/faults), 0 for a free one"),
    ("metrics_port", _PORT, "port on 127.0.0.1 of a Prometheus endpoint with Nakama's names, 0 for a free one"),
    ("seed", _SEED, "seed of ids and choices, for repeatable runs"),
    ("tls_cert", _file, "PEM file with the certificate (chain); serves TLS"),
    ("tls_key", _file, "PEM file with the certificate's private key"),
)


_KEYS: Final = ("server_key", "http_key")

_FLAGS: Final[tuple[tuple[str, str], ...]] = (
    ("single_socket", "as Nakama's session.single_socket: a user's new socket closes the old one"),
    ("single_match", "as Nakama's session.single_match: joining a match leaves the last one"),
    ("single_party", "as Nakama's session.single_party: joining a party leaves the last one"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand; their defaults are those of ``Options``."""
    defaults = Options()
    for name, parse, text in _ARGUMENTS:
        default = getattr(defaults, name)
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=parse,
            # No "(default: ..)" for what has none, nor for the keys, which the environment may give.
            default=argparse.SUPPRESS if default in ("", None) or name in _KEYS else default,
            metavar=name.rsplit("_", 1)[-1].upper(),
            help=text,
        )
    for name, text in _FLAGS:
        parser.add_argument("--" + name.replace("_", "-"), action="store_true", help=text)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="KIND:name=value,..",
        help="something that goes wrong, as latency:on=rpc,ms=50,jitter=20 or error:on=*,code=13,rate=0.01 "
        f"(kinds: {', '.join(faults.KINDS)}); may be repeated",
    )
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="FILE.py",
        help="a runtime module: a Python file with init_module(nk, initializer); may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or the end of the lifeline; returns the exit code."""
    given = {name: getattr(arguments, name, None) for name, _, _ in _ARGUMENTS}
    for name in _KEYS:
        if given[name] is None:
            given[name] = os.environ.get(f"NAKAMA_{name.upper()}") or None
    options = dataclasses.replace(
        Options(), **{name: value for name, value in given.items() if value is not None}
    )
    flags: dict[str, Any] = {name: getattr(arguments, name) for name, _ in _FLAGS}
    options = dataclasses.replace(
        options, modules=tuple(arguments.module), faults=tuple(arguments.fault), **flags
    )
    if bool(options.tls_cert) != bool(options.tls_key):
        missing = "--tls-cert" if options.tls_key else "--tls-key"
        raise ConfigError(missing, "", "--tls-cert and --tls-key go together")
    if options.pong_wait <= options.ping_period:
        raise ConfigError("--pong-wait", options.pong_wait, f"more than --ping-period {options.ping_period}")
    # Late: aiohttp is wanted by this subcommand only.
    from nakama_bots.emulator.server import server  # noqa: PLC0415

    print(
        "nakama-bots emulator: a stand-in for Nakama's behaviour, not for its speed or durability; "
        "all state is in memory",
        file=sys.stderr,
        flush=True,
    )
    return server.serve(options)
