"""Runs a fleet until it is stopped: its lease, metrics, display and shutdown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import gevent
from gevent import socket
from gevent.pywsgi import WSGIServer

from nakama_bots.errors import CallError, ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.fill.fleet import Fleet
from nakama_bots.fill.options import FillOptions
from nakama_bots.fill.roster import SlotLease
from nakama_bots.fill.view import metrics, show


def say(text: str) -> None:
    """Print a line on stderr."""
    print(f"nakama-bots fill: {text}", file=sys.stderr, flush=True)  # noqa: T201


def serve(fleet: Fleet, options: FillOptions, lease: SlotLease | None, goal: str) -> ExitCode:
    """Fill until ``fleet`` is stopped, then make every bot leave. ``goal`` is logged at the start."""
    started = time.monotonic()
    with ExitStack() as stack:
        if options.metrics_port is not None:
            stack.callback(_serve_metrics(fleet, options.metrics_port).stop)
        say(goal)
        shown = gevent.spawn(show, fleet, say, json_lines=options.json_lines)
        stack.callback(shown.kill)
        if options.seconds is not None:
            gevent.spawn_later(options.seconds, fleet.stop)
        if lease is not None:
            gevent.spawn(_renew, fleet, lease)
        fleet.run()
        clean = fleet.drain(options.drain)
    if lease is not None and not fleet.gave_up:
        try:
            lease.release()
        except CallError as error:
            fleet.problems.note("release the lease", error)
    for text, number in fleet.problems.counts.items():
        say(f"{number} x {text}")
    if not clean:
        say(f"some bots were cut off after {options.drain:g} s")
    if fleet.refused is not None:
        raise fleet.refused
    failed = fleet.gave_up or fleet.useless
    why = "; no bot ever had a seat" if fleet.useless else ""
    seconds = time.monotonic() - started
    say(f"ended after {seconds:.0f} s: {fleet.visits} visits, {fleet.seated} with a seat{why}")
    return ExitCode.FAILURES if failed else ExitCode.PASSED


def _renew(fleet: Fleet, lease: SlotLease) -> None:
    renewed = time.monotonic()
    while True:
        gevent.sleep(lease.seconds / 3)
        try:
            kept = lease.renew()
            renewed = time.monotonic() if kept else renewed
        except CallError as error:
            fleet.problems.note("renew the lease", error)
            kept = time.monotonic() - renewed < lease.seconds * 0.8
        if not kept:
            fleet.problems.say("the lease was lost: another filler may use these bots now; stopping")
            fleet.gave_up = True
            fleet.stop()
            return


def _serve_metrics(fleet: Fleet, port: int) -> Any:
    def answer(_: Any, start: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain; version=0.0.4")])
        return [metrics(fleet).encode()]

    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError("--metrics-port", port, f"a free port ({error.strerror})") from None
    server = WSGIServer(listener, answer, log=None)
    server.start()
    say(f"metrics on http://127.0.0.1:{server.server_port}/metrics")
    return server
