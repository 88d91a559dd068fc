"""What a user class does wrong beside failed calls: counted with the exceptions of Locust's table.

Locust counts an ``Exception`` that leaves a task. What else would end the process, or keep it from ending, is
made one here: it fails the run like any other, in workers too.
"""

from __future__ import annotations

import logging
from types import FrameType, TracebackType
from typing import Any, Final

import gevent
from gevent import Greenlet, GreenletExit
from locust import User
from locust.env import Environment

log = logging.getLogger(__name__)

_DEEPEST: Final = 50


class UserFault(Exception):
    """A user class has done what would end its process, or hold it up: the text names both."""


def ends_process(error: BaseException) -> bool:
    """Whether ``error``, let out of a greenlet, may end more than that greenlet, as ``sys.exit`` does."""
    return not isinstance(error, (Exception, GreenletExit))


def fault_of(user: object, doing: str, error: BaseException) -> UserFault:
    """``error``, which left ``doing`` of a user, as a fault."""
    return UserFault(f"{type(user).__name__}: {doing} raised {type(error).__name__}({error})")


def report_fault(environment: Environment, fault: UserFault, trace: TracebackType | None) -> None:
    """Log ``fault`` and have Locust count it."""
    log.error("%s", fault, exc_info=(type(fault), fault, trace) if trace is not None else None)
    environment.events.user_error.fire(user_instance=None, exception=fault, tb=trace)


def user_of(greenlet: object) -> User | None:
    """Whose greenlet it is; None when it is no user's, or that of a plain Locust user that has been killed."""
    user: object = getattr(greenlet, "user", None)
    if user is None:
        # Where Locust has it until the greenlet is killed.
        user = next(iter(getattr(greenlet, "args", ())), None)
    return user if isinstance(user, User) else None


def where(greenlet: Greenlet[..., Any]) -> TracebackType | None:
    """What a greenlet that waits is at, as a traceback: the same for all that hang in the same place."""
    trace: TracebackType | None = None
    frame: FrameType | None = greenlet.gr_frame
    for _ in range(_DEEPEST):
        if frame is None:
            break
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return trace


def contain_exits(environment: Environment) -> None:
    """Have a ``SystemExit`` of any greenlet be its fault, not the end of the process, until the process ends.

    gevent raises it again in the main greenlet, and Python then ends without a report. Locust's own
    ``sys.exit`` comes after its event ``quitting``.
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
    # Of this instance only: whatever fails in a greenlet or a callback comes through here.
    hub.handle_error = contained  # type: ignore[method-assign, assignment]
