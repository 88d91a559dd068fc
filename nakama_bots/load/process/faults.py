"""Faults of a user class other than failed calls, counted in Locust's table of exceptions.

Locust counts an ``Exception`` that leaves a task. Anything else that would end the process, or keep it from
ending, is turned into one here, so that it fails the run like any other, in workers too.
"""

from __future__ import annotations

import logging
from types import FrameType, TracebackType
from typing import Any, Final

import gevent
from gevent import Greenlet, GreenletExit
from locust import User
from locust.env import Environment
from locust.runners import Runner

log = logging.getLogger(__name__)

_DEEPEST: Final = 50


class UserFault(Exception):
    """A user class did something that would end or block its process. The text names the class and the act."""


def ends_process(error: BaseException) -> bool:
    """True if ``error``, raised out of a greenlet, may end more than that greenlet, as ``sys.exit`` does."""
    return not isinstance(error, (Exception, GreenletExit))


def fault_of(user: object, doing: str, error: BaseException) -> UserFault:
    """Return ``error``, raised by ``doing`` of a user, as a fault."""
    return UserFault(f"{type(user).__name__}: {doing} raised {type(error).__name__}({error})")


def report_fault(environment: Environment, fault: UserFault, trace: TracebackType | None) -> None:
    """Log ``fault`` and count it in Locust's table."""
    log.error("%s", fault, exc_info=(type(fault), fault, trace) if trace is not None else None)
    environment.events.user_error.fire(user_instance=None, exception=fault, tb=trace)


def raised_by_scenario(runner: Runner) -> int:
    """Return how many exceptions Locust has counted in all processes."""
    return sum(row["count"] for row in runner.exceptions.values())


def raised_lines(number: int) -> list[str]:
    """Return the line of the verdict on that many exceptions; none for 0."""
    return [f"the scenario raised {number:,} unexpected exceptions (see the log)"] if number > 0 else []


def user_of(greenlet: object) -> User | None:
    """Return the user of a greenlet; None if it has none, or a plain Locust user that has been killed."""
    user: object = getattr(greenlet, "user", None)
    if user is None:
        # Where Locust keeps it until the greenlet is killed.
        user = next(iter(getattr(greenlet, "args", ())), None)
    return user if isinstance(user, User) else None


def where(greenlet: Greenlet[..., Any]) -> TracebackType | None:
    """Return a traceback of where a greenlet waits: equal for all that hang in the same place."""
    trace: TracebackType | None = None
    frame: FrameType | None = greenlet.gr_frame
    for _ in range(_DEEPEST):
        if frame is None:
            break
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return trace


def contain_exits(environment: Environment) -> None:
    """Turn a ``SystemExit`` of any greenlet into a fault instead of the end of the process.

    gevent raises it again in the main greenlet, and Python then ends without a report. Locust calls
    ``sys.exit`` only after its event ``quitting``, which lifts this.
    """
    hub = gevent.get_hub()
    handle = hub.handle_error
    ending = False

    def on_quitting(**_: Any) -> None:
        nonlocal ending
        ending = True

    def contained(context: Any, kind: Any, value: Any, trace: TracebackType | None) -> None:
        if ending or not issubclass(kind, (SystemExit, KeyboardInterrupt)):
            handle(context, kind, value, trace)
            return
        owner = user_of(context) or context
        report_fault(environment, fault_of(owner, "a greenlet", value), trace)

    environment.events.quitting.add_listener(on_quitting)
    # On this instance only: every failure of a greenlet or a callback passes through here.
    hub.handle_error = contained  # type: ignore[method-assign, assignment]
