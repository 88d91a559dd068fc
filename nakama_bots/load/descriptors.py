"""Open files, of which every socket is one: the soft limit is raised, and a run that needs more is refused.

Without a free one a connect fails in the generator itself, and its figures say nothing of the server.
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
"""Files beside those that are open at the start: for results, name resolution, the server's metrics."""


def raise_soft_limit() -> None:
    """Let this process, and those that it starts, open as many files as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # of the kernel's own limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_descriptors(users: int, user_classes: Iterable[type], processes: int = 1, *, name: str) -> None:
    """``ConfigError`` under ``name`` when ``users`` in ``processes`` need more open files than there may be.

    A user has a REST connection, and a socket where its class ``needs_socket``.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return
    # How users are shared out is Locust's: the least that they may need decides.
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
