"""Hooks into Locust; importing ``nakama_bots.load`` installs them."""

from __future__ import annotations

import signal
from typing import Any

import gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner

from nakama_bots.load import arguments, bucketing
from nakama_bots.load.conductor import Conductor
from nakama_bots.load.run import Run


def on_init_command_line_parser(parser: LocustArgumentParser, **_: Any) -> None:
    """Add our arguments."""
    arguments.add_arguments(parser)


def on_init(environment: Environment, **_: Any) -> None:
    """Set up this process's part of the run."""
    interrupt_this_greenlet()
    run = Run(environment)
    if not isinstance(environment.runner, WorkerRunner):
        Conductor(environment, run)


def interrupt_this_greenlet() -> None:
    """Let Ctrl-C reach the main greenlet, which Locust calls this in and which waits for it.

    Python raises ``KeyboardInterrupt`` in whichever greenlet runs: under load that is a user in the middle of a
    task, who would die with a traceback, or the event loop.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        main = gevent.getcurrent()
        gevent.signal_handler(signal.SIGINT, gevent.kill, main, KeyboardInterrupt)


def install() -> None:
    """Register with Locust's global events and refine its buckets."""
    bucketing.install()
    events.init_command_line_parser.add_listener(on_init_command_line_parser)
    events.init.add_listener(on_init)
