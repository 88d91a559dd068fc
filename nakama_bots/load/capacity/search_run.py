"""Leads a capacity search in the process that leads the run: runs its trials and judges each."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter, time
from typing import Final

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner

from nakama_bots.errors import ConfigError
from nakama_bots.load.capacity.settling import Settled, Settling
from nakama_bots.load.figures.intervals import LOCAL, let_others_run
from nakama_bots.load.open_model.shares import LEAD
from nakama_bots.load.process.faults import raised_by_scenario, raised_lines
from nakama_bots.load.run import Run
from nakama_bots.load.run_registry import options_of, runner_of
from nakama_bots.load.user_classes import purposes
from nakama_bots.results.capacity.answer import progress
from nakama_bots.results.capacity.document import UNITS, CapacityPart, Cause, TrialPart
from nakama_bots.results.capacity.search import Search, SearchPlan, check_gate, warmup_of
from nakama_bots.results.capacity.trial import TrialFacts, TrialTimes, judge_trial
from nakama_bots.results.gate.rules import Gate
from nakama_bots.results.record.gaps import GapPart, Gaps, hole
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.load_profile import LoadProfile
from nakama_bots.settings.resolve import Settings

log = logging.getLogger(__name__)

_RAMP: Final = 0.8
"""The share of the warm-up in which the players come."""
_PICKED_UP: Final = 10.0
"""Seconds that Locust may take to act on a new number of users; it looks once a second."""
_ALL_START: Final = 10.0
"""Seconds beyond the warm-up that the last players may take to come."""
_POLL: Final = 0.1
_LOAD: Final = "--nakama-load, trial"
_NO_USERS: Final = (0, 1.0)
"""Locust needs a rate even then."""


def plan_of(load: LoadProfile, gate: Gate | None) -> SearchPlan:
    """Return the plan of a search; ``ConfigError`` if ``gate`` cannot judge its trials."""
    search = load.search
    assert search is not None
    if gate is None:
        raise ConfigError("--nakama-gate", "nothing", "a gate file, whose rules a load must keep in a search")
    check_gate(gate, "--nakama-gate")
    warmup = warmup_of(gate, search.trial, _LOAD, search.warmup)
    return SearchPlan(
        search.low, search.high, search.trial, warmup, search.settle, search.trials, search.width,
        search.max_time, search.of,
    )  # fmt: skip


class SearchRun:
    """One per process that leads runs. ``begin`` starts the search of a run, ``stop`` ends it."""

    def __init__(self, environment: Environment, run: Run) -> None:
        self._environment = environment
        self._run = run
        self._search: Search | None = None
        self._conducted: gevent.Greenlet[..., None] | None = None
        self._wanted = _NO_USERS
        self._begun = False
        self._picked_up = Event()
        self._over = False
        self.failure = ""
        """Why the search could not be conducted; "" if it could."""
        self._started = 0.0
        self._seconds = 0.0

    @property
    def searching(self) -> bool:
        """True from the start of a run with a search to its results."""
        return self._search is not None

    def begin(self, settings: Settings, gate: Gate | None, info: RunInfo) -> None:
        """Start the search of a run; does nothing if ``settings`` have none."""
        self._search = None
        if settings.load is None or settings.load.search is None:
            return
        assert gate is not None
        plan = plan_of(settings.load, gate)
        self._search = Search(plan, info.target.http_url, settings.require or None)
        self._wanted, self._over, self.failure = _NO_USERS, False, ""
        self._started, self._seconds, self._begun = perf_counter(), 0.0, True
        conduct = _Conduct(self, self._environment, self._run, settings.load, gate, info, plan)
        self._conducted = gevent.spawn(self._lead, self._search, conduct)

    def tick(self) -> tuple[int, float] | None:
        """Return the users to run now and how many to start or stop per second; None at the end."""
        self._picked_up.set()
        if not self._begun:
            return _NO_USERS
        return None if self._over or self._run_time_over else self._wanted

    def want(self, users: int, rate: float) -> None:
        """Let Locust run this many users, and wait until it starts or stops the first."""
        self._wanted = (users, max(1.0, rate))
        self._picked_up.clear()
        self._picked_up.wait(_PICKED_UP)

    def stop(self) -> None:
        """End the search with what is known. Idempotent."""
        # The next run has no users until its search begins.
        self._begun = False
        conducted, self._conducted = self._conducted, None
        if conducted is not None and self._search is not None:
            self._seconds = self._elapsed
            if self._run_time_over:
                self._search.end("--run-time was over")
            conducted.kill()

    def part(self) -> CapacityPart | None:
        """Return the answer; None without a search."""
        if self._search is None:
            return None
        return self._search.answer(self._seconds or self._elapsed)

    @property
    def _elapsed(self) -> float:
        return perf_counter() - self._started

    @property
    def _run_time_over(self) -> bool:
        run_time = options_of(self._environment).run_time
        # Locust's own clock of it may be a little ahead.
        return run_time is not None and self._elapsed >= run_time - 0.5

    def _lead(self, search: Search, conduct: _Conduct) -> None:
        unit, seconds, target = search.plan.unit, search.plan.trial, conduct.info.target
        try:
            with closing(Settling(self._environment, self._run.totals, target, self._run.settings)) as settling:
                while (load := search.next(self._elapsed)) is not None:
                    number = len(search.trials)
                    log.info(
                        "capacity: trial %d with %s %s for %g s", number + 1, f"{load:,}", UNITS[unit], seconds
                    )
                    trial = conduct.trial(settling, load, number, self._elapsed)
                    search.add(trial)
                    log.info("capacity: %s", progress(trial, unit))
        except Exception as error:
            log.exception("the capacity search failed")
            self.failure = f"the search failed: {type(error).__name__}: {error}"
            search.end(self.failure)
        self._over = True


@dataclass(frozen=True, slots=True)
class _Conduct:
    """The trials of one search."""

    leader: SearchRun
    environment: Environment
    run: Run
    load: LoadProfile
    gate: Gate
    info: RunInfo
    plan: SearchPlan

    def trial(self, settling: Settling, load: int, number: int, at: float) -> TrialPart:
        """Run and judge a trial."""
        runner, plan = runner_of(self.environment), self.plan
        begun, before, raised = perf_counter(), settling.processes(), raised_by_scenario(runner)
        run_load = self._run_users if self.load.open is None else self._run_arrivals
        started, ended = run_load(load, number)
        settled = settling.wait(ended, plan.settle)
        lost = before - settling.processes()
        times = TrialTimes(started, ended, time())
        facts = TrialFacts(
            load,
            plan.unit,
            len(before) if isinstance(runner, MasterRunner) else 1,
            at,
            perf_counter() - begun,
            settled.alive,
            missing=_missing(len(lost), len(before), settled),
            faults=raised_lines(raised_by_scenario(runner) - raised),
            gaps=self._gaps(times),
            left=settled.left,
        )
        totals = self.run.totals
        part = judge_trial(
            totals.timeline,
            self.gate,
            self.info,
            totals.health.limits,
            purposes(self.environment.user_classes),
            times,
            plan.warmup,
            facts,
            let_others_run,
        )
        cores = len(os.sched_getaffinity(0))
        if part["cause"] == Cause.GENERATOR and facts.processes < cores:
            part["why"].append(f"it has {facts.processes} processes and {cores} cores: see --processes")
        return part

    def _run_users(self, load: int, _: int) -> tuple[float, float]:
        """Return the start and the end of a trial, in seconds since 1970."""
        plan, runner = self.plan, runner_of(self.environment)
        self.leader.want(load, load / (plan.warmup * _RAMP))
        first = perf_counter()
        while runner.user_count < load and perf_counter() < first + plan.warmup + _ALL_START:
            gevent.sleep(_POLL)
        # If the players came late, so does the part that is judged.
        gevent.sleep(max(0.0, first + plan.warmup - perf_counter()))
        started = time() - plan.warmup
        gevent.sleep(plan.trial - plan.warmup)
        ended = time()
        self.leader.want(0, load)
        return started, ended

    def _run_arrivals(self, load: int, number: int) -> tuple[float, float]:
        plan, opened = self.plan, self.run.open
        opened.start(self.load.of_trial(load, plan.warmup), self.run.settings.seed + number)
        gevent.sleep(LEAD if isinstance(runner_of(self.environment), MasterRunner) else 0.0)
        started = time()
        gevent.sleep(plan.trial)
        ended = time()
        while not opened.done:
            gevent.sleep(_POLL)
        opened.cut()
        return started, ended

    def _gaps(self, times: TrialTimes) -> list[GapPart]:
        """Return the gaps in the figures of a trial, in seconds after its start."""
        totals, gaps = self.run.totals, Gaps()
        for gap in totals.gaps:
            if gap["at"] < times.ended and gap["at"] + gap["seconds"] > times.started:
                gaps.add(gap)
        for source, first, last in totals.timeline.holes(LOCAL, times.ended):
            if first < times.ended and last > times.started:
                gaps.add(hole(source, first, last))
        return gaps.parts(times.started)


def _missing(lost: int, processes: int, settled: Settled) -> list[str]:
    lines = [f"{lost} of {processes} workers were lost"] if lost else []
    if settled.silent:
        lines.append(f"the figures of {len(settled.silent)} of {processes} processes did not arrive")
    return lines
