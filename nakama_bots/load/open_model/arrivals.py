"""The open model in one process: users arrive by a plan, run their scenario once, and leave.

Locust's dispatcher keeps a number of users running and starts them in batches of one second; it cannot
produce arrivals. So it gets no users (``NoUsers``): every process walks through the same seeded list of arrival
times and starts its share in Locust's group of users, where Locust counts, shows and stops them like any other.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import gevent
from locust.env import Environment
from locust.runners import WorkerNode

from nakama_bots import observer as names
from nakama_bots.load.run_registry import runner_of
from nakama_bots.observer import Observer
from nakama_bots.settings.load_profile import LoadProfile, OpenLoad

if TYPE_CHECKING:
    from nakama_bots.load.user import NakamaUser

log = logging.getLogger(__name__)

_SKIPPED_AT_ONCE: Final = 1000


class Share(TypedDict):
    """Arrival ``number`` of every ``of`` successive arrivals, from the arrival time ``since`` on.

    ``of`` 0 means none. ``since`` is in seconds of the profile.
    """

    number: int
    of: int
    since: float


WHOLE: Final[Share] = {"number": 0, "of": 1, "since": 0.0}


def room(shares: Sequence[Share], number: int, at: float, most: int) -> int | None:
    """Return this process's part of ``most`` visitors at once if arrival ``number`` at time ``at`` is its own.

    None if it belongs to another process. The newest share that holds at that time counts.
    """
    share = next((share for share in reversed(shares) if share["since"] <= at), None)
    if share is None or not share["of"] or number % share["of"] != share["number"]:
        return None
    return (most + share["of"] - 1 - share["number"]) // share["of"]


@dataclass(slots=True)
class _Arrival:
    planned: float
    started: float | None = None


class Arrivals:
    """The part of this process in an open load, from ``take`` until ``stop``."""

    def __init__(
        self, environment: Environment, observer: Observer, profile: LoadProfile, seed: int, worker: int
    ) -> None:
        assert profile.open is not None
        self._environment = environment
        self._group = runner_of(environment).user_greenlets
        self._observer = observer
        self._profile = profile
        self._open: OpenLoad = profile.open
        self._seed = seed
        self._random = random.Random(f"visitors-{seed}-{worker}")
        self._classes = [user_class for user_class in environment.user_classes if user_class.tasks]
        self._weights = [user_class.weight for user_class in self._classes]
        self._shares: list[Share] = []
        self._origin = 0.0
        self._walk: gevent.Greenlet[[], None] | None = None
        self._all_came = False
        self._present: set[gevent.Greenlet[..., Any]] = set()
        self._in_flight = 0
        self._most = 0
        self.on_drained: Callable[[], None] = lambda: None

    def most_in_flight(self) -> int:
        """Return the most visitors at once since the last call."""
        most, self._most = self._most, self._in_flight
        return most

    @property
    def drained(self) -> bool:
        """True if all visitors have arrived and left."""
        return self._all_came and not self._in_flight

    def take(self, share: Share, elapsed: float) -> None:
        """Start this share of the arrivals. ``elapsed``: seconds into the profile; the first call counts."""
        self._shares.append(share)
        if self._walk is None:
            self._origin = perf_counter() - elapsed
            self._walk = gevent.spawn(self._come)

    def stop(self) -> None:
        """Stop the arrivals; present visitors stay."""
        if self._walk is not None:
            self._walk.kill()

    def cut(self) -> None:
        """Stop the arrivals, and the visitors that are still present."""
        self.stop()
        for greenlet in list(self._present):
            # Locust's own way: the user runs its on_stop.
            self._group.killone(greenlet, block=False)

    def _come(self) -> None:
        for number, at in enumerate(self._profile.arrival_times(self._seed)):
            wait = self._origin + at - perf_counter()
            # Also for arrivals of other processes: the share may change until then.
            if wait > 0 or number % _SKIPPED_AT_ONCE == 0:
                gevent.sleep(max(0.0, wait))
            slots = room(self._shares, number, at, self._open.max_in_flight)
            if slots is not None:
                self._arrive(self._origin + at, slots)
                gevent.sleep(0)  # let the visitors run even if many are due at once
        self._all_came = True
        self._tell()

    def _arrive(self, planned: float, slots: int) -> None:
        self._observer.count(names.ARRIVALS_PLANNED)
        if perf_counter() - planned > self._open.max_start_delay:
            self._drop(names.ARRIVALS_DROPPED_LATE)
        elif self._in_flight >= slots:
            self._drop(names.ARRIVALS_DROPPED_FULL)
        else:
            self._start(planned)

    def _start(self, planned: float) -> None:
        (user_class,) = self._random.choices(self._classes, self._weights)
        visitor = cast("NakamaUser", user_class(self._environment))
        arrival = _Arrival(planned)
        visitor.come_once(partial(self._begins, arrival), partial(self._ended, arrival))
        self._in_flight += 1
        self._most = max(self._most, self._in_flight)
        greenlet = visitor.start(self._group)
        self._present.add(greenlet)
        greenlet.rawlink(partial(self._left, arrival))

    def _begins(self, arrival: _Arrival) -> bool:
        """Called when the visitor's greenlet runs: True if it is still in time."""
        now = perf_counter()
        if now - arrival.planned > self._open.max_start_delay:
            return False
        arrival.started = now
        self._observer.count(names.ARRIVALS_STARTED)
        self._observer.sample(names.ARRIVAL_DELAY, now - arrival.planned)
        return True

    def _ended(self, arrival: _Arrival, well: bool | None) -> None:
        now = perf_counter()
        assert arrival.started is not None
        self._observer.count(_ENDS[well])
        if well:
            self._observer.sample(names.ARRIVAL_TIME, now - arrival.started)
            self._observer.sample(names.ARRIVAL_TIME + names.CORRECTED, now - arrival.planned)

    def _left(self, arrival: _Arrival, greenlet: gevent.Greenlet[..., Any]) -> None:
        """Called when the visitor's greenlet has ended; one stopped before it ran has not begun."""
        self._present.discard(greenlet)
        self._in_flight -= 1
        if arrival.started is None:
            self._drop(names.ARRIVALS_DROPPED_LATE)
        self._tell()

    def _drop(self, why: str) -> None:
        self._observer.count(names.ARRIVALS_DROPPED)
        self._observer.count(why)

    def _tell(self) -> None:
        if self.drained:
            self.on_drained()


_ENDS: Final[dict[bool | None, str]] = {
    True: names.ARRIVALS_FINISHED,
    False: names.ARRIVALS_FAILED,
    None: names.ARRIVALS_CUT,
}


class NoUsers(Iterator[dict[str, dict[str, int]]]):
    """Replaces Locust's dispatcher: every worker is to run, without a number of users for any class.

    A number, even 0, would make Locust stop the visitors whenever a worker joins or leaves.
    """

    dispatch_in_progress = False

    def __init__(self, worker_nodes: Iterable[WorkerNode], user_classes: Sequence[type]) -> None:  # noqa: ARG002
        self._workers = {worker.id for worker in worker_nodes}
        self._due = False

    def new_dispatch(self, *_: object, **__: object) -> None:
        """Locust asks for a number of users; the next iteration yields the workers once."""
        self._due = True

    def __next__(self) -> dict[str, dict[str, int]]:
        if not self._due:
            raise StopIteration
        self._due = False
        return {worker: {} for worker in self._workers}

    def add_worker(self, worker_node: WorkerNode) -> None:
        self._workers.add(worker_node.id)

    def remove_worker(self, worker_node: WorkerNode) -> None:
        self._workers.discard(worker_node.id)
