"""The load profile as a Locust shape: the number of users at each second."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import gevent
from locust import LoadTestShape
from locust.dispatch import UsersDispatcher
from locust.env import Environment

from nakama_bots.errors import ConfigError
from nakama_bots.load.open_model.arrivals import NoUsers
from nakama_bots.load.open_model.open_run import OpenRun
from nakama_bots.load.run_registry import options_of
from nakama_bots.load.user import NakamaUser
from nakama_bots.settings.load_profile import LoadProfile

if TYPE_CHECKING:
    from nakama_bots.load.capacity.search_run import SearchRun

_TICK = 1.0
"""Seconds between two ticks of Locust's shape worker."""


class ProfileShape(LoadTestShape):
    """Follows a profile's curve: ramps in steps of one second, jumps and the end exactly."""

    def __init__(self, profile: LoadProfile, run_time: float | None) -> None:
        LoadTestShape.__init__(self)
        self._curve = profile.curve
        self._end = min(self._curve.seconds, run_time or self._curve.seconds)
        self._last: tuple[int, float] | None = None

    def reset_time(self) -> None:
        """Start a run, without users."""
        LoadTestShape.reset_time(self)
        self._last = None

    def tick(self) -> tuple[int, float] | None:
        """Return the users to run now and how many to start or stop per second; None at the end."""
        elapsed = perf_counter() - self.start_time
        edge = min(self._curve.next_edge(elapsed), self._end)
        if self._last is not None and 0 < edge - elapsed < _TICK:
            gevent.sleep(edge - elapsed)
            elapsed = edge
        if elapsed >= self._end:
            return None
        users = round(self._curve.ahead(elapsed, _TICK))
        before = self._last[0] if self._last is not None else 0
        if self._last is None or users != before:
            # All within this second; Locust needs a rate even if no user is started.
            self._last = (users, float(abs(users - before) or 1))
        return self._last


class OpenShape(LoadTestShape):
    """Starts no users through Locust: an open model starts them. The run lasts until ``opened`` is done."""

    def __init__(self, opened: OpenRun, run_time: float | None) -> None:
        LoadTestShape.__init__(self)
        self._opened = opened
        self._run_time = run_time

    def tick(self) -> tuple[int, float] | None:
        """Return no change; None at the end."""
        over = self._run_time is not None and perf_counter() - self.start_time >= self._run_time
        return None if over or self._opened.done else (0, 1.0)


class SearchShape(LoadTestShape):
    """The users of the present trial of a search."""

    def __init__(self, search: SearchRun) -> None:
        LoadTestShape.__init__(self)
        self._search = search

    def tick(self) -> tuple[int, float] | None:
        """Return the users to run now and how many to start or stop per second; None at the end."""
        return self._search.tick()


def install(environment: Environment, profile: LoadProfile, opened: OpenRun, search: SearchRun) -> None:
    """Let ``profile`` shape the run; ``ConfigError`` if anything else sets the number of users."""
    options = options_of(environment)
    accepted = f"nothing beside the load profile {profile.text.partition(':')[0]!r}"
    for flag, value in (
        ("--users", options.num_users),
        ("--spawn-rate", options.spawn_rate),
        ("--class-picker", options.class_picker or None),
    ):
        if value is not None:
            raise ConfigError(flag, value, accepted)
    put(environment, profile, opened, search)


def put(environment: Environment, profile: LoadProfile, opened: OpenRun, search: SearchRun) -> None:
    """Let ``profile`` shape the next runs, in place of any profile before; ``ConfigError`` as ``install``."""
    remove(environment)
    _check_shapes(environment, f"nothing beside the load profile {profile.text.partition(':')[0]!r}")
    run_time = options_of(environment).run_time
    if profile.open is not None:
        _check_classes(environment)
        environment.dispatcher_class = NoUsers  # type: ignore[assignment]
    if profile.search is not None:
        environment.shape_class = SearchShape(search)
    elif profile.open is not None:
        environment.shape_class = OpenShape(opened, run_time)
    else:
        environment.shape_class = ProfileShape(profile, run_time)
    environment.shape_class.runner = environment.runner


def remove(environment: Environment) -> None:
    """Let no profile shape the next runs; another shape stays."""
    if isinstance(environment.shape_class, ProfileShape | OpenShape | SearchShape):
        environment.shape_class = None
        environment.dispatcher_class = UsersDispatcher


def _check_shapes(environment: Environment, accepted: str) -> None:
    shapes = list(environment.available_shape_classes or ())
    if shapes or environment.shape_class is not None:
        name = shapes[0] if shapes else type(environment.shape_class).__name__
        raise ConfigError("LoadTestShape of the locustfile", name, accepted)


def _check_classes(environment: Environment) -> None:
    for user_class in environment.user_classes:
        if not issubclass(user_class, NakamaUser):
            raise ConfigError("user class", user_class.__name__, "subclasses of NakamaUser in an open model")
