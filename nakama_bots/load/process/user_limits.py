"""Limits the users of a run, and refuses those that need more open files than allowed (every socket is one).

Without a free descriptor a connect fails in the generator itself, and says nothing about the server.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any, Final

from locust.env import Environment

from nakama_bots.errors import ConfigError
from nakama_bots.load.run_registry import options_of, runner_of

log = logging.getLogger(__name__)

SPARE: Final = 16
"""Files needed beyond those open at the start: for results, name resolution, the server's metrics."""


def raise_soft_limit() -> None:
    """Let this process and its child processes open as many files as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # when above the kernel's limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_descriptors(users: int, user_classes: Iterable[type], processes: int = 1, *, name: str) -> None:
    """Raise ``ConfigError`` under ``name`` if ``users`` in ``processes`` need more open files than allowed.

    A user has a REST connection, and a socket where its class ``needs_socket``.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return
    # Locust decides how users are distributed: check the least that they can need.
    each = min((1 + bool(getattr(found, "needs_socket", False)) for found in user_classes), default=1)
    own = sum(1 for _ in Path("/proc/self/fd").iterdir()) + SPARE
    needed = ceil(users / processes) * each + own
    if needed > limit:
        most = max(0, (limit - own) // each) * processes
        in_each = f" in each of {processes} processes" if processes > 1 else ""
        accepted = (
            f"at most {most:,} users: {users:,} need {needed:,} open files{in_each} "
            f"({each} a user, {own} for the run), and the hard limit is {limit:,} (ulimit -Hn)"
        )
        raise ConfigError(name, users, accepted)


def cap_users(environment: Environment, check: Callable[[int], None], ended: Callable[[str], object]) -> None:
    """Make this process's runner refuse a number of users that ``check`` rejects with ``ConfigError``.

    Whether the command line, the web UI, a key or a shape asks for it. A shape that asks for more ends the run
    and calls ``ended``: the run cannot show what it was meant to.
    """
    runner = runner_of(environment)
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
                (runner.quit if options_of(environment).headless else runner.stop)()
            return None
        return start(user_count, *rest, **options)

    # On this instance only. Every start of users passes through here.
    runner.start = start_checked  # type: ignore[method-assign]
