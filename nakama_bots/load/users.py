"""The greenlets of a process's users: counts starts, and users that an exception ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import gevent
from gevent.pool import Group
from locust import User

from nakama_bots import observer as names
from nakama_bots.load.process.faults import user_of
from nakama_bots.results.record.recorder import USER, Recorder

log = logging.getLogger(__name__)


class UserGroup(Group):
    """Replaces a runner's ``user_greenlets`` and counts users in ``recorder``.

    A user that is stopped, or stops, has not died. Locust does not count one that died: Locust does not catch
    its exception, or it came from ``on_start``. ``complain`` as for ``LocustObserver``.
    """

    def __init__(self, recorder: Recorder, complain: Callable[[str, str], object]) -> None:
        super().__init__()
        self._recorder = recorder
        self._complain = complain

    def add(self, greenlet: gevent.Greenlet[..., Any]) -> None:
        user = user_of(greenlet)
        self._recorder.count(names.USERS_STARTED)
        greenlet.rawlink(partial(self._ended, user))
        super().add(greenlet)

    def _ended(self, user: User | None, greenlet: gevent.Greenlet[..., Any]) -> None:
        error = greenlet.exception or getattr(user, "died_of", None)
        if error is None:
            return
        name = type(user).__name__
        kind = type(error).__name__
        self._recorder.count(names.USERS_DIED)
        self._recorder.fault(USER, name, f"died of {kind}", f"died of {kind}: {error}", perf_counter())
        line = f"a user of {name} died of {kind} (further ones of this kind are only counted)"
        self._complain(line, f"{name} {kind}")
