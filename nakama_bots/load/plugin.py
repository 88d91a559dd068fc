"""Listeners of Locust's events; importing ``nakama_bots.load`` installs them."""

from __future__ import annotations

import gc
from typing import Any, Final

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from nakama_bots.load.figures.locust_stats import install_buckets
from nakama_bots.load.generator.stall_guard import StallGuard
from nakama_bots.load.process.faults import contain_exits
from nakama_bots.load.process.logs import make_logs_safe, mend_locust_logs
from nakama_bots.load.process.signals import Signals
from nakama_bots.load.process.stopping import bound_stop, stop_once
from nakama_bots.load.process.user_limits import raise_soft_limit
from nakama_bots.load.run_registry import runner_of
from nakama_bots.settings.options import add_arguments

_COLLECT_AFTER: Final = (5_000, 10, 4)
"""Python's default, 700 new objects, makes the collector search all players many times while they connect: a
twentieth of the CPU of 4,000 logins. Much larger numbers keep the cycles that ended matches leave behind: with
ten times as many, 100 players of Duel grew by 40 MB in a minute. A master has few objects, and large ones.
"""


def on_init_command_line_parser(parser: LocustArgumentParser, **_: Any) -> None:
    """Add ``--nakama-...`` for every setting. The web UI shows none of them: some are secret."""
    add_arguments(parser.add_argument_group("Nakama options"))


def on_init(environment: Environment, **_: Any) -> None:
    """Set up the part of this process in the run."""
    # The recorder and the time line, which ``locust --list`` does not need.
    from nakama_bots.load.run import Run  # noqa: PLC0415

    runner = runner_of(environment)
    is_master = isinstance(runner, MasterRunner)
    raise_soft_limit()
    if not is_master:
        gc.set_threshold(*_COLLECT_AFTER)
    make_logs_safe()
    signals = Signals(environment)
    contain_exits(environment)
    guard = StallGuard()
    environment.events.test_start.add_listener(guard.reset)
    bound_stop(environment, guard.hasten)
    if not is_master:
        stop_once(runner)
    run = Run(environment)
    if not isinstance(runner, WorkerRunner):
        # Gates, reports and the pages of the web UI, which a worker does not need.
        from nakama_bots.load.conductor import Conductor  # noqa: PLC0415

        Conductor(environment, run)
    guard.start()
    signals.initialised()


def install() -> None:
    """Register with Locust's global events and install finer buckets."""
    install_buckets()
    mend_locust_logs()
    events.init_command_line_parser.add_listener(on_init_command_line_parser)
    events.init.add_listener(on_init)
