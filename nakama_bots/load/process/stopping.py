"""Stops users in bounded time, whatever their code does.

Locust kills a user's greenlet and waits for it without a limit. But a task that catches every exception
continues, and an ``on_stop`` may never return: neither may keep a run from its report.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final

import gevent
from gevent import Greenlet
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import STATE_CLEANUP, Runner

from nakama_bots.load.process.faults import UserFault, report_fault, user_of, where
from nakama_bots.load.run_registry import runner_of

LIMIT: Final = 8.0
"""Seconds without a stopped user, after Locust's ``--stop-timeout``, until the rest is abandoned."""

_SECOND_KILL: Final = 1.0
_POLL: Final = 0.05


def stop_once(runner: Runner) -> None:
    """Make ``stop`` of a runner with users return only after all have stopped, even if called concurrently.

    Run time, signals and the master's messages each call it. Locust's second call would return at once, or
    consider users stopped that the first call is still waiting for.
    """
    stop, lock = runner.stop, RLock()

    def stop_alone() -> None:
        with lock:
            stop()

    # Of this instance only.
    runner.stop = stop_alone  # type: ignore[method-assign]


def bound_stop(environment: Environment, on_given_up: Callable[[], object]) -> None:
    """Make this process's runner abandon users that do not stop; each such class is a fault of the run."""
    runner = runner_of(environment)
    stop_users = runner.stop_users

    def stop_bounded(user_classes_stop_count: dict[str, int]) -> None:
        if runner.state != STATE_CLEANUP or user_of(gevent.getcurrent()) is not None:
            stop_users(user_classes_stop_count)  # only some users, or all on a user's request
            return
        classes = {greenlet: type(user_of(greenlet)).__name__ for greenlet in runner.user_greenlets}
        stopping = gevent.spawn(stop_users, user_classes_stop_count)
        if not _ended(stopping, environment):
            stopping.kill(block=False)
            on_given_up()
            _give_up(environment, classes)

    # Of this instance only.
    runner.stop_users = stop_bounded  # type: ignore[method-assign]


def _ended(stopping: Greenlet[..., None], environment: Environment) -> bool:
    """True once all users have stopped; False if none stops for ``LIMIT``."""
    users = runner_of(environment).user_greenlets
    left = len(users)
    since = perf_counter() + environment.stop_timeout
    while not stopping.ready():
        gevent.joinall([stopping], timeout=_POLL)
        now, alive = perf_counter(), len(users)
        if alive < left:
            left, since = alive, max(since, now)
        if now - since >= LIMIT:
            return stopping.ready()
    return True


def _give_up(environment: Environment, classes: Mapping[Greenlet[..., Any], str]) -> None:
    """Abandon users. ``classes``: the name of each user's class, by its greenlet."""
    users = runner_of(environment).user_greenlets
    left = list(users)
    counts = Counter(classes.get(greenlet, "") for greenlet in left)
    traces = {classes.get(greenlet, ""): where(greenlet) for greenlet in left}
    # This ends a user that waits in its on_stop.
    gevent.killall(left, block=False)
    gevent.joinall(left, timeout=_SECOND_KILL)
    waited = environment.stop_timeout + LIMIT
    for name, number in counts.items():
        several = "1 user" if number == 1 else f"{number:,} users"
        fault = UserFault(
            f"{name}: {several} had not stopped {waited:g} s after the end of the run: "
            "a task that catches every exception, or an on_stop that does not return"
        )
        report_fault(environment, fault, traces[name])
    for greenlet in left:
        if not greenlet.dead:
            users.discard(greenlet)
            # Never freed: Python would throw an exception into it at exit, and wait for it.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(greenlet))
