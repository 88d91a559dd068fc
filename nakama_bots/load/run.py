"""The parts of a run in every process: settings, players and their world, the recorder, its intervals."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from time import perf_counter, time
from typing import Any, Final

import gevent
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from nakama_bots import observer as names
from nakama_bots.errors import CallError, ConfigError
from nakama_bots.load import arguments
from nakama_bots.load.figures.bridge import LocustObserver
from nakama_bots.load.figures.intervals import LOCAL, Intervals, Totals
from nakama_bots.load.figures.locust_stats import keep_pruned
from nakama_bots.load.figures.locust_totals import LocustTotals
from nakama_bots.load.figures.tracing import TracedPlayer
from nakama_bots.load.generator.pulse import Pulse
from nakama_bots.load.open_model.open_run import OpenRun
from nakama_bots.load.run_registry import options_of, register, runner_of
from nakama_bots.load.users import UserGroup
from nakama_bots.load.workers.master import MasterEnd
from nakama_bots.load.workers.master_runner import MasterMending
from nakama_bots.load.workers.worker import WorkerEnd
from nakama_bots.net.arrival import CLOCK, ArrivalCounts
from nakama_bots.players.identity import Identity, NumberPool
from nakama_bots.players.persona import Persona
from nakama_bots.players.player import Defaults, Player, World
from nakama_bots.realtime.handlers import FAILURES
from nakama_bots.rest.transports.transport import TRANSPORTS
from nakama_bots.results.record import gauges
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.request_samples import RequestSampler
from nakama_bots.results.record.timeline import Interval, WorkerLog, every_second, interval_length
from nakama_bots.results.traces.tracer import Tracer
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

log = logging.getLogger(__name__)

COMPLAINTS: Final = 100
"""The most kinds of failures that a process logs; the report lists all."""

_OWN_LOG: Final = "the worker's own log"
_AT_IT: Final = (STATE_SPAWNING, STATE_RUNNING)


class Run:
    """The part of one process in a run; ``run_registry.run_of`` returns it. Every test start resets it."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._numbers = NumberPool()
        self._players: dict[int, Player] = {}
        recorder = Recorder(perf_counter())
        self.observer = LocustObserver(environment.events, recorder, self.warn)
        self._worlds: dict[str, World] = {}
        self.totals = Totals()
        self.locust = LocustTotals(environment, recorder)
        self.observer.table = self.locust.table
        runner = runner_of(environment)
        runner.user_greenlets = UserGroup(recorder, self.warn)
        self.master: MasterEnd | None = None
        if isinstance(runner, MasterRunner):
            MasterMending(runner)
            self.master = MasterEnd(runner, self.totals)
        self._worker = WorkerEnd(runner) if isinstance(runner, WorkerRunner) else None
        self._recorder = recorder
        self._pulse = Pulse(
            self._players.values, self._take_arrivals, lambda: recorder.samples.get(names.TICK_LATENESS)
        )
        self.intervals = Intervals(
            runner.client_id if isinstance(runner, WorkerRunner) else LOCAL,
            recorder,
            self._send if self._worker is not None else self.totals.add,
            self.locust.take,
            (self._read_gauges, self._pulse.read),
        )
        self._complaints: set[str] = set()
        self.open = OpenRun(environment, self.observer)
        self.concluding = BoundedSemaphore(1)
        """Held while the results of a run are computed; the next run starts after that."""
        self._log: WorkerLog | None = None
        self._settings: Settings | None = None
        self._world: World | None = None
        CLOCK.prepare()
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stop.add_listener(self._on_test_stop)
        gevent.spawn(keep_pruned, environment.stats)
        if isinstance(runner, WorkerRunner) and runner.worker_state in _AT_IT:
            # The test started before Locust's ``init``, and so before these listeners: see ``run_registry``.
            self._on_test_start(environment)
        register(environment, self)

    @property
    def settings(self) -> Settings:
        """The settings of this process; a worker has none until its master sends them with the first test."""
        if self._settings is None:
            raise RuntimeError("the test has not started")
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def world(self) -> World:
        """The world that the players of this process share."""
        if self._world is None:
            raise RuntimeError("the test has not started")
        return self._world

    def new_player(self, scenario: str = "", must_do: Collection[str] = ()) -> Player:
        """Create a player of ``scenario`` that is unique in the run; ``release`` it in the end.

        ``must_do`` as in ``NakamaUser``.
        """
        worker = max(0, getattr(self._environment.runner, "worker_index", 0))
        number = self._numbers.take()
        identity = Identity(self.settings.id_prefix, self.settings.seed, worker, number)
        world = self._world_of(scenario, must_do)
        tracer = self.intervals.tracer
        traced = TracedPlayer(tracer) if tracer is not None else None
        if traced is not None:
            assert isinstance(world.observer, LocustObserver)
            world = replace(world, observer=world.observer.of_player(traced))
        player = Player(world, identity, scenario)
        if traced is not None:
            traced.follow(player)
        self._players[number] = player
        return player

    def release(self, player: Player) -> None:
        """Close ``player``, which frees its identity for another player. Idempotent."""
        number = player.identity.number
        try:
            player.close()
        finally:
            if self._players.get(number) is player:
                del self._players[number]
                self._numbers.release(number)

    def _world_of(self, scenario: str, must_do: Collection[str]) -> World:
        """Return the world of the players of ``scenario``: one for all of them."""
        if scenario not in self._worlds:
            observer = self.observer.of_scenario(scenario, must_do) if scenario else self.observer
            self._worlds[scenario] = replace(self.world, observer=observer)
        if scenario and must_do:
            self.observer.count(names.PURPOSE_PREFIX + scenario)
        return self._worlds[scenario]

    def complain(self, error: CallError) -> None:
        """Log a kind of failure the first time it occurs; the report has the counts."""
        self.warn(f"{error.operation or 'call'}: {error.label} (further ones of this kind are only counted)")

    def warn(self, line: str, kind: str = "") -> None:
        """Log ``line`` the first time that it, or its ``kind``, occurs."""
        kind = kind or line
        if kind not in self._complaints and len(self._complaints) < COMPLAINTS:
            self._complaints.add(kind)
            log.warning("%s", line)

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        with self.concluding:
            self._start(environment)

    def _start(self, environment: Environment) -> None:
        if self._worker is not None:
            self._settings = arguments.received(options_of(environment))
        settings = self.settings
        self._complaints.clear()
        FAILURES.reset()
        self._recorder.reset(perf_counter())
        self.locust.reset()
        self.totals.reset(settings.health_limits)
        for end in (self.master, self._worker):
            if end is not None:
                end.reset()
        self._world = World(
            # The web UI may have changed the host after the start.
            Target.parse(environment.host or "", name="host"),
            settings.credentials,
            settings.timeouts,
            settings.network,
            self.observer,
            TRANSPORTS[settings.rest_transport],
            settings.locales,
            Defaults(settings.tick_rate, settings.match_seconds, settings.matchmaker_timeout),
        )
        self.observer.sampler = self.intervals.sampler = self._sampler(settings.request_samples)
        self.intervals.tracer = Tracer(settings.traces, time() - perf_counter()) if settings.traces else None
        self._worlds.clear()
        CLOCK.take()
        self._pulse.start()
        self._log = self._open_log(settings)
        searching = settings.load is not None and settings.load.search is not None
        self.intervals.start(every_second if searching else interval_length)
        self.open.begin()
        # The first persona takes a tenth of a second, which must not delay a call.
        Persona.of(settings.seed, 0, settings.locales)
        if settings.load is not None and not searching:
            self.open.start(settings.load, settings.seed)

    def _sampler(self, limit: int) -> RequestSampler | None:
        worker = max(0, getattr(self._environment.runner, "worker_index", 0))
        return RequestSampler(limit, time() - perf_counter(), worker) if limit else None

    def _on_test_stop(self, **_: Any) -> None:
        # A user that died of a fault of its scenario did not reach its on_stop.
        for player in list(self._players.values()):
            self.release(player)
        for gap in self.intervals.stop():
            self.totals.miss(gap)
        self.open.end()
        self._pulse.stop()
        if self._worker is not None:
            self._worker.report()
        if self._log is not None:
            self._log.close()

    def _open_log(self, settings: Settings) -> WorkerLog | None:
        if self._worker is None or settings.worker_logs is None:
            return None
        try:
            return WorkerLog(settings.worker_logs, self.intervals.source, time())
        except ConfigError as error:
            log.error("%s", error)
            self.intervals.miss(_OWN_LOG, error)
            return None

    def _send(self, interval: Interval) -> None:
        """Write an interval of a worker to its log, and send it to the master."""
        assert self._worker is not None
        self._worker.add(interval)
        if self._log is not None:
            try:
                self._log.add(interval)
            except OSError as error:
                log.error("%s can no longer be written (%s)", self._log.path, error.strerror)
                self.intervals.miss(_OWN_LOG, error)
                self._log = None

    def _take_arrivals(self) -> ArrivalCounts:
        arrivals = CLOCK.take()
        self._recorder.count(names.MESSAGES_STAMPED, arrivals.stamped)
        self._recorder.count(names.MESSAGES_UNSTAMPED, arrivals.unstamped)
        self._recorder.count(names.CLOCK_STEPS, arrivals.steps)
        self._recorder.count(names.STAMPS_TOO_EARLY, arrivals.early)
        return arrivals

    def _read_gauges(self) -> dict[str, float]:
        connected = sum(player.connected for player in self._players.values())
        pending = sum(player.pending for player in self._players.values())
        # Visitors of an open load may arrive and leave within a second.
        users = max(len(self._players), self.open.most_in_flight())
        return {gauges.USERS: users, gauges.SOCKETS: connected, gauges.PENDING: pending}
