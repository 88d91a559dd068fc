"""Ctrl-C and SIGTERM for commands on gevent: told to the command, in a greenlet, whatever it waits for."""

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
        self.exit_code = exit_code(number)


def exit_code(number: signal.Signals) -> int:
    """What a shell shows for a process that such a signal has ended."""
    return 128 + number


@contextmanager
def told(callback: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Have ``callback`` called for each of the signals while inside."""
    watchers = [(number, gevent.signal_handler(number, callback, number)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, watcher in watchers:
            watcher.cancel()
            # libev leaves the system's default behind.
            signal.signal(number, signal.getsignal(number))


def raise_here() -> Callable[[signal.Signals], None]:
    """A function that raises ``Interrupted`` in the greenlet that calls this, whatever it waits for then."""
    waiting = gevent.getcurrent()
    return lambda number: gevent.kill(waiting, Interrupted(number))


@contextmanager
def raised() -> Iterator[None]:
    """Have ``Interrupted`` raised here by the first of the signals."""
    with told(raise_here()):
        yield
