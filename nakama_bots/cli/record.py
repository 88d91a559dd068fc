"""``nakama-bots record URL``: play a game through a proxy once, and get the scenario."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Final

from gevent.event import Event

from nakama_bots.cli.inputs import argument
from nakama_bots.cli.interrupts import Interrupted, notified, raised
from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.record.capture.har import read_har
from nakama_bots.record.capture.proxy import RecordingProxy, server_tls
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.verify import verify
from nakama_bots.record.writing import scenario
from nakama_bots.record.writing.write import RecordOptions
from nakama_bots.settings import options
from nakama_bots.settings.exports import LISTEN_ACCEPTED, Listen
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import URL_FORM
from nakama_bots.settings.values import Kind, duration, file_of

SETTINGS: Final = (
    "server_key", "http_key", "connect_timeout", "request_timeout", "matchmaker_timeout", "tls_ca",
    "tls_insecure",
)  # fmt: skip
_OUTPUT: Final = "scenarios/recorded.py"
_ADDRESS: Final = Kind(lambda text: astuple(Listen.parse(text)), LISTEN_ACCEPTED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="URL", nargs="?", default=argparse.SUPPRESS, help="the server")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", type=argument(_ADDRESS), default="127.0.0.1:7450",
        help="where the game client connects to instead of the server",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE.py", default=_OUTPUT, help="the scenario")
    parser.add_argument("--force", action="store_true", help="replace a file of the same name")
    parser.add_argument(
        "--pace", choices=("thinking", "recorded"), default="thinking",
        help="pauses from the distribution of the recorded ones, or as they were",
    )  # fmt: skip
    parser.add_argument(
        "--state", choices=("replay", "model"), default="replay",
        help="match state: sent again on its own clock, or modelled by op codes, sizes and rate",
    )  # fmt: skip
    parser.add_argument("--keep-texts", action="store_true", help="keep chat, display names and other texts")
    parser.add_argument("--har", metavar="FILE", default=argparse.SUPPRESS, help="read an HAR file, no proxy")
    parser.add_argument(
        "--verify", action="store_true", help="play the scenario once, and compare it with the recording"
    )
    span = argument(duration(above=0, high=86_400))
    parser.add_argument(
        "--seconds", metavar="SECONDS", type=span, default=argparse.SUPPRESS,
        help="record for so long, without Ctrl-C",
    )  # fmt: skip
    pem = argument(file_of("a PEM file"))
    parser.add_argument(
        "--tls-cert", metavar="CERT", type=pem, default="", help="PEM file: clients connect with TLS"
    )
    parser.add_argument("--tls-key", metavar="KEY", type=pem, default="", help="its private key")
    options.add_arguments(parser, SETTINGS, unset=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Record until Ctrl-C, SIGTERM or ``--seconds``; or read an HAR file; or verify a scenario."""
    har = getattr(arguments, "har", None)
    settings = options.resolve(arguments, SETTINGS, host="URL")
    if settings.target is None and har is None:
        raise ConfigError("URL", "", f"{URL_FORM}; or --har FILE")
    if har is not None and arguments.verify:
        raise ConfigError("--verify", "with --har", "one of them at a time")
    if arguments.tls_key and not arguments.tls_cert:
        raise ConfigError("--tls-key", arguments.tls_key, "with --tls-cert, the certificate of this key")
    if settings.target is not None and (settings.target.host, settings.target.port) == arguments.listen:
        raise ConfigError("--listen", "{}:{}".format(*arguments.listen), "another address than the server's")
    wanted = RecordOptions(
        Path(arguments.output), arguments.pace, arguments.state, keep_texts=arguments.keep_texts
    )
    if arguments.verify:
        return _verify(settings, wanted.output)
    scenario.check_output(wanted.output, replace=arguments.force)

    def finish(tape: Tape) -> ExitCode:
        return ExitCode.PASSED if scenario.finish(tape, wanted, _say) else ExitCode.FAILURES

    return finish(read_har(Path(har))) if har is not None else _proxied(arguments, settings, finish)


def _proxied(arguments: argparse.Namespace, settings: Settings, finish: Callable[[Tape], ExitCode]) -> int:
    assert settings.target is not None
    tls = server_tls(arguments.tls_cert, arguments.tls_key) if arguments.tls_cert else None
    proxy = RecordingProxy(
        settings.target, arguments.listen, network=settings.network, timeout=settings.timeouts.connect,
        tls=tls, say=_say,
    )  # fmt: skip
    ended = Event()
    with notified(lambda _: ended.set()):
        proxy.start()
        _say(f"recording: let the game client connect to {proxy.url} instead of {settings.target.http_url}")
        _say("play, then press Ctrl-C")
        ended.wait(getattr(arguments, "seconds", None))
        proxy.stop()
        # Inside the block: a second Ctrl-C must not end the writing, as the session cannot be repeated.
        return finish(proxy.kept.tape())


def _verify(settings: Settings, path: Path) -> int:
    try:
        with raised():
            return ExitCode.PASSED if verify(path, settings, print) else ExitCode.FAILURES
    except Interrupted as interrupted:
        _say(f"nakama-bots record: stopped by {interrupted}")
        return interrupted.exit_code


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
