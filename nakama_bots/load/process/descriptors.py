"""Raises the soft limit of open files (every socket is one) and refuses a run that needs more.

Without a free descriptor a connect fails in the generator itself, and says nothing about the server.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError

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
