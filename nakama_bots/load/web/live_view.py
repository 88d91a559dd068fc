"""A live view of a run: for the page in Locust's web UI, or a line every few seconds without one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import gevent
from locust.env import Environment

from nakama_bots.load.figures.intervals import Totals
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.show.ended import EndedRuns
from nakama_bots.results.show.live import ENDED, ENDING, IDLE, RUNNING, Live, LivePart, Stage, funnel_of, line
from nakama_bots.results.summary import Summary, TargetPart

log = logging.getLogger(__name__)


class LiveView:
    """The live view, in the process that the user started. ``interval``: seconds between lines, 0 for none."""

    def __init__(
        self, environment: Environment, totals: Totals, target: Callable[[], TargetPart], interval: float
    ) -> None:
        self._environment = environment
        self._totals = totals
        self._target = target
        self._interval = interval
        self._live = Live(totals.timeline)
        self._teller: gevent.Greenlet[[], None] | None = None
        self._warned = False
        self._ending = False
        self.runs = EndedRuns()
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stop.add_listener(self._on_test_stop)

    def part(self) -> LivePart:
        """Return the page's content; other greenlets run meanwhile."""
        live = self._updated()
        timeline = live.timeline
        runner = self._environment.runner
        ended = time() if self._teller is not None else timeline.ended
        stage = Stage(
            runner.state if runner is not None else "", self._phase, max(0.0, ended - timeline.started)
        )
        health = self._totals.health.part()
        return live.part(self._totals.recorder, health, self._target(), stage, self.runs.parts)

    def ended(self, verdict: VerdictPart, summary: Summary | None, folder: Path | None) -> None:
        """The run has its results."""
        self._ending = False
        self.runs.add(verdict, summary, folder)

    @property
    def _phase(self) -> str:
        if self._teller is not None:
            return RUNNING
        if self._ending:
            return ENDING
        return ENDED if self.runs.parts else IDLE

    def line(self) -> str:
        """Return the same in one line."""
        recorder = self._totals.recorder
        return line(self._updated().now(recorder), funnel_of(recorder), self._totals.health.part())

    def _updated(self) -> Live:
        if self._live.timeline is not self._totals.timeline:
            self._live = Live(self._totals.timeline)
        self._live.update(pause=lambda: gevent.sleep(0))
        return self._live

    def _on_test_start(self, **_: Any) -> None:
        self._warned = False
        self._teller = gevent.spawn(self._tell)

    def _on_test_stop(self, **_: Any) -> None:
        teller, self._teller = self._teller, None
        self._ending = True
        if teller is not None:
            teller.kill()

    def _tell(self) -> None:
        seconds = 0
        while True:
            gevent.sleep(1)
            seconds += 1
            try:
                self._warn()
                if self._interval and seconds % max(1, round(self._interval)) == 0:
                    log.info("%s", self.line())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next line may work
                self._totals.failed("lines of the live view", error)

    def _warn(self) -> None:
        reasons = self._totals.health.reasons
        if reasons and not self._warned:
            self._warned = True
            log.error("generator too slow, the run is invalid: %s", "; ".join(reasons))
