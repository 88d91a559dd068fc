"""Ctrl-C and SIGTERM for commands on gevent: the command is notified even while it waits."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import gevent

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The user or the system wants the command to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.exit_code = 128 + number
        """The exit code that a shell shows for a process ended by this signal."""


@contextmanager
def notified(callback: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Call ``callback`` in a greenlet for each of the signals while inside."""
    watchers = [(number, gevent.signal_handler(number, callback, number)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, watcher in watchers:
            watcher.cancel()
            # libev leaves the default of the system behind.
            signal.signal(number, signal.getsignal(number))


def raise_here() -> Callable[[signal.Signals], None]:
    """Return a function that raises ``Interrupted`` in the current greenlet, even while it waits."""
    waiting = gevent.getcurrent()
    return lambda number: gevent.kill(waiting, Interrupted(number))


@contextmanager
def raised() -> Iterator[None]:
    """Raise ``Interrupted`` here at the first of the signals."""
    with notified(raise_here()):
        yield
