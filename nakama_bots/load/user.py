"""The Locust user class that a scenario is made from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

import gevent
from locust import User
from locust.env import Environment
from locust.exception import InterruptTaskSet

from nakama_bots.bots.pacing import pace
from nakama_bots.bots.player import Player
from nakama_bots.clock import Tick
from nakama_bots.config import Settings
from nakama_bots.errors import CallError, HandshakeRefused, SessionExpired, Unauthenticated
from nakama_bots.load.run import run_of

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 15.0
_DOUBLINGS: Final = 5  # beyond it is the longest
_SESSION_REFUSED: Final = (HandshakeRefused, SessionExpired, Unauthenticated)


class NakamaUser(User):
    """A Locust user over a ``Player``: logs in and connects before a task, and again after a failure.

    Tasks are plain methods that use ``self.player``, or TaskSets, whose tasks use ``self.user.player``.
    A ``CallError`` that leaves a task has been counted already: it is logged once a kind, without a traceback,
    and the user goes on after a growing, jittered pause. Any other exception is a fault of the scenario, and
    Locust's to show.
    """

    abstract = True
    appear_online: ClassVar[bool] = False
    """Whether the player has a status presence from the connect on."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._nakama = run_of(environment)
        self._failures = 0
        self.settings: Settings = self._nakama.settings
        self.player: Player = self._nakama.new_player()
        self.tasks = [_guarded(task) for task in type(self).tasks]

    def on_stop(self) -> None:
        """Close the player; a subclass that overrides this calls it."""
        self._nakama.release(self.player)

    def pace(self, rate: float, seconds: float | None = None) -> Iterator[Tick]:
        """Steps ``rate`` times a second, for ``seconds`` or until the loop is left, whatever the server does.

        The calls in the loop's body are reported raw and from their planned times: ``bots.pacing``.
        """
        return pace(self.player.calls, rate, seconds)

    def attempt(self, task: Callable[[], object]) -> None:
        """Run ``task`` with a connected player."""
        try:
            self.player.connect(create_status=self.appear_online)
            task()
        except CallError as error:
            self._failures += 1
            self._nakama.complain(error)
            if isinstance(error, _SESSION_REFUSED):
                self.player.forget_session()
            pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, _DOUBLINGS))
            gevent.sleep(pause * random.uniform(0.5, 1.0))
        except InterruptTaskSet:
            self._failures = 0
            raise
        else:
            self._failures = 0


def _guarded(task: Any) -> Callable[[NakamaUser], None]:
    """A task of a user, tried by it."""
    if isinstance(task, type):
        return lambda user: user.attempt(lambda: _run_task_set(task, user, user))
    return lambda user: user.attempt(lambda: task(user))


def _run_task_set(kind: Callable[[Any], Any], parent: Any, user: NakamaUser) -> None:
    """Run a TaskSet whose tasks, nested TaskSets included, are tried by ``user``."""
    task_set = kind(parent)
    execute = task_set.execute_task

    def execute_task(task: Any) -> None:
        if isinstance(task, type):
            user.attempt(lambda: _run_task_set(task, task_set, user))
        else:
            user.attempt(lambda: execute(task))

    # Of this instance only: the class is the scenario's own.
    task_set.execute_task = execute_task
    task_set.run()
