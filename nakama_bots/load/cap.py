"""Limits the users of a run, whether the command line, the web UI, a key or a shape asks for more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from nakama_bots.errors import ConfigError

log = logging.getLogger(__name__)


def cap_users(environment: Environment, check: Callable[[int], None], ended: Callable[[str], object]) -> None:
    """Make this process's runner refuse a number of users that ``check`` rejects with ``ConfigError``.

    A shape that asks for more ends the run and calls ``ended``: the run cannot show what it was meant to.
    """
    runner = environment.runner
    if runner is None:
        return
    start = runner.start

    def start_checked(user_count: int, *rest: Any, **options: Any) -> Any:
        try:
            check(user_count)
        except ConfigError as error:
            if environment.shape_class is None:
                log.error("%s", error)
            else:
                ended(str(error))
                # The way in which Locust ends a finished shape.
                headless = environment.parsed_options is not None and environment.parsed_options.headless
                (runner.quit if headless else runner.stop)()
            return None
        return start(user_count, *rest, **options)

    # On this instance only. Every start of users passes through here.
    runner.start = start_checked  # type: ignore[method-assign]
