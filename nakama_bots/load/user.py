"""The base class of a scenario's Locust users."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import gevent
from gevent import Greenlet, GreenletExit
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser

from nakama_bots.backoff import Backoff
from nakama_bots.clock import Tick
from nakama_bots.errors import CallError, NotFound, RuntimeFunctionNotFound
from nakama_bots.load.process.faults import ends_process, fault_of, report_fault
from nakama_bots.load.run_registry import run_of
from nakama_bots.players.behaviours.behaviour import BehaviourError
from nakama_bots.players.delivery.codecs import Codec, exact
from nakama_bots.players.pacing import pace
from nakama_bots.players.player import Player

if TYPE_CHECKING:
    from nakama_bots.settings.resolve import Settings

_BACKOFF: Final = Backoff(first=0.5, most=15.0, least=0.25)
_NOT_THERE: Final = (NotFound, RuntimeFunctionNotFound)


class NakamaUser(User):
    """A Locust user with a ``Player``, which logs in and connects before a task, and again after a failure.

    Tasks are plain methods that use ``self.player``, or TaskSets, whose tasks use ``self.user.player``.
    A ``CallError`` raised out of a task has already been counted: it is logged once per kind, without a
    traceback, and the user continues after a growing, jittered pause. Any other exception is a fault of the
    scenario, and Locust shows it.
    """

    abstract = True
    appear_online: ClassVar[bool] = False
    """Whether the player has a status presence once connected."""
    needs_socket: ClassVar[bool] = True
    """Whether tasks run with a connected player; otherwise it is only logged in."""
    by_name_only: ClassVar[bool] = False
    """Whether a run that names neither classes nor tags omits this class, if there are others."""
    needs: ClassVar[str] = ""
    """What the server needs beside Nakama itself; logged when a call finds something missing."""
    must_do: ClassVar[tuple[str, ...]] = ()
    """What users of this class must have done at least once by the end of a run, or the run is invalid.

    Names of counts or samples, such as ``matches_joined``, or of successful calls (``WS match_join``).
    """
    must_do_hint: ClassVar[str] = ""
    """Advice shown if it was not done, such as "run a multiple of four users"."""
    workload: ClassVar[str] = ""
    """The published workload that this class reproduces, a name of ``results.published``."""

    delivery: ClassVar[Codec] = exact()
    """How the receivers recognise messages of its players; see ``players.codecs``."""
    op_codes: ClassVar[Mapping[int, str]] = {}
    """Names of up to 20 op codes, under which messages are also counted: ``match_sent.<name>``."""
    allow_reconnect: ClassVar[bool] = False
    """Whether a player reconnects automatically if its connection ends during a match."""

    died_of: BaseException | None = None
    """The error that ended this user before it was stopped, if Locust did not see it."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._nakama = run_of(environment)
        self._failures = 0
        self.settings: Settings = self._nakama.settings
        self.player: Player = self._nakama.new_player(type(self).__name__, self.must_do)
        self.player.delivery, self.player.allow_reconnect = self.delivery, self.allow_reconnect
        self.player.op_codes = self.op_codes
        self.tasks = _all_guarded(tuple(type(self).tasks))
        self._choices: list[Any] = self.tasks
        self._once = False
        self._came = False
        self._well: bool | None = None

    def start(self, group: Group) -> Greenlet[..., None]:
        """Start a greenlet in ``group``, as Locust does. An exception in it ends the user, not the process."""
        self._group = group
        self._greenlet = group.spawn(_live, self)
        self._greenlet.user = self  # type: ignore[attr-defined]
        return self._greenlet

    def on_stop(self) -> None:
        """Close the player; a subclass that overrides this calls it."""
        self._nakama.release(self.player)

    def arrive(self) -> None:
        """Run one task, chosen by weight: an arrival of an open load, between ``on_start`` and ``on_stop``."""
        random.choice(self._choices)(self)

    def come_once(self, begins: Callable[[], bool], ended: Callable[[bool | None], None]) -> None:
        """Run ``arrive`` once instead of repeating the tasks.

        ``begins`` is called when the greenlet runs; if it returns False, nothing is run. ``ended`` is called
        with the success, or None if the user was stopped before the end.
        """
        run: Callable[[], None] = self.run
        self._once = True
        self.tasks = [NakamaUser._visit]
        self.wait_time = _at_once  # type: ignore[method-assign]

        def visit() -> None:
            if not begins():
                self._nakama.release(self.player)
                return
            try:
                run()
            except Exception:
                self._well = False
                raise
            finally:
                ended(self._well)

        # On this instance only: Locust's method is final in its class.
        self.run = visit  # type: ignore[method-assign, misc]

    def _visit(self) -> None:
        if self._came:  # Locust has shown a fault of the scenario, and continues
            raise StopUser
        self._came = True
        try:
            self.arrive()
        except (StopUser, RescheduleTask, RescheduleTaskImmediately):
            pass
        except CallError as error:
            self._failed(error)
        except BaseException as error:
            self._well = None if isinstance(error, GreenletExit) else False
            if ends_process(error):
                raise fault_of(self, "an arrival", error) from error
            raise
        self._well = self._well is None
        raise StopUser

    def pace(self, rate: float, seconds: float | None = None) -> Iterator[Tick]:
        """Step ``rate`` times a second, for ``seconds`` or until the loop is left, whatever the server does.

        The calls in the loop's body are reported raw and from their planned times: ``players.pacing``.
        """
        return pace(self.player.calls, rate, seconds)

    def attempt(self, task: Callable[[], object]) -> None:
        """Run ``task`` with a connected player, or one only logged in if ``needs_socket`` is False."""
        try:
            # Not from within ``connect``: a greenlet keeps the most stack that it ever had, in whole pages.
            self.player.log_in()
            if self.needs_socket:
                self.player.connect(create_status=self.appear_online)
            task()
        except BehaviourError as error:
            # Its code would fail again in the same way: this player is not used further.
            self._failed(error)
            raise StopUser from None
        except CallError as error:
            self._failed(error)
            if self._once:
                raise StopUser from None
            gevent.sleep(_BACKOFF.wait(self._failures))
        except InterruptTaskSet:
            self._failures = 0
            raise
        except BaseException as error:
            if ends_process(error):
                raise fault_of(self, "a task", error) from error
            raise
        else:
            self._failures = 0

    def _failed(self, error: CallError) -> None:
        self._failures += 1
        self._well = False
        self._nakama.complain(error)
        if self.needs and isinstance(error, _NOT_THERE):
            self._nakama.warn(f"{type(self).__name__} needs a server with {self.needs}")


def _live(user: NakamaUser) -> None:
    """The body of a user's greenlet; Locust looks for the user in its arguments."""
    run: Callable[[], None] = user.run
    try:
        run()
    except BaseException as error:
        if not ends_process(error):
            raise
        user.died_of = error
        report_fault(user.environment, fault_of(user, "its start or stop", error), error.__traceback__)


def _at_once() -> float:
    return 0.0


@functools.cache
def _all_guarded(tasks: tuple[Any, ...]) -> list[Any]:
    """The tasks of a class as its users run them: one list for all, as Locust has it."""
    return [_guarded(task) for task in tasks]


def _guarded(task: Any) -> Callable[[NakamaUser], None]:
    """Wrap a task so that the user attempts it."""
    if isinstance(task, type):
        return lambda user: user.attempt(lambda: _run_task_set(task, user, user))
    return lambda user: user.attempt(functools.partial(task, user))


def _run_task_set(kind: Callable[[Any], Any], parent: Any, user: NakamaUser) -> None:
    """Run a TaskSet whose tasks, nested TaskSets included, ``user`` attempts."""
    task_set = kind(parent)
    execute = task_set.execute_task

    def execute_task(task: Any) -> None:
        if isinstance(task, type):
            user.attempt(lambda: _run_task_set(task, task_set, user))
        else:
            user.attempt(lambda: execute(task))

    # On this instance only: the class belongs to the scenario.
    task_set.execute_task = execute_task
    task_set.run()
