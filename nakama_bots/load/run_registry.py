"""What a Locust environment has from ``init`` on: its runner, its options, and our run.

Apart from ``run``, whose recorder and time line ``locust --list`` and the import of a scenario do not need.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Final

from gevent.event import Event
from locust.env import Environment
from locust.runners import Runner

if TYPE_CHECKING:
    from nakama_bots.load.run import Run

INIT_TIMEOUT: Final = 10.0
"""Seconds that a worker's first users wait for Locust's ``init``."""

_runs: Final[dict[Environment, Run]] = {}
_registered: Final = Event()


def runner_of(environment: Environment) -> Runner:
    """Return Locust's runner of this process."""
    assert environment.runner is not None
    return environment.runner


def options_of(environment: Environment) -> Namespace:
    """Return Locust's options, which include ours."""
    options: Namespace | None = environment.parsed_options
    assert options is not None
    return options


def register(environment: Environment, run: Run) -> None:
    """Let ``run_of`` return ``run`` for ``environment``."""
    _runs[environment] = run
    _registered.set()


def run_of(environment: Environment) -> Run:
    """Return the run of this process."""
    if environment not in _runs and getattr(environment.parsed_options, "worker", False):
        # It joined a running test, and its users are started before Locust's ``init``.
        _registered.wait(INIT_TIMEOUT)
    try:
        return _runs[environment]
    except KeyError:
        msg = "this Locust environment is not set up: call nakama_bots.load.plugin.on_init with it"
        raise RuntimeError(msg) from None
