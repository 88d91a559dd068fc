"""The most users of a run, whoever asks for more: the command line, the web UI, a key, a shape."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from nakama_bots.errors import ConfigError

log = logging.getLogger(__name__)


def cap_users(environment: Environment, check: Callable[[int], None], ended: Callable[[str], object]) -> None:
    """Have this process's runner refuse to start users whose number ``check`` refuses with a ``ConfigError``.

    A shape that asks for more ends the run, and ``ended`` is called: what it was made to show cannot be shown.
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
                # As Locust ends a shape that has come to its end.
                headless = environment.parsed_options is not None and environment.parsed_options.headless
                (runner.quit if headless else runner.stop)()
            return None
        return start(user_count, *rest, **options)

    # Of this instance only. Whatever starts users comes through here.
    runner.start = start_checked  # type: ignore[method-assign]
