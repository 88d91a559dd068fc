"""A live view of a run: for the page in Locust's web UI, or a line every few seconds without one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final

import gevent
from locust.env import Environment

from nakama_bots.load.figures.intervals import Totals
from nakama_bots.load.open_model.shapes import SearchShape
from nakama_bots.load.run_registry import options_of, runner_of
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.show.ended import EndedRuns
from nakama_bots.results.show.live import (
    ENDED,
    ENDING,
    IDLE,
    RUNNING,
    Live,
    LivePart,
    Progress,
    RunStage,
    funnel_of,
    line,
)
from nakama_bots.results.summary import Summary, TargetPart, error_parts
from nakama_bots.settings.resolve import Settings

if TYPE_CHECKING:
    from rich.live import Live as Drawing

    from nakama_bots.results.show.live_table import Screen

log = logging.getLogger(__name__)

_LOGGERS: Final = ("", "locust", "locust.stats_logger")


class LiveView:
    """The live view, in the process that the user started.

    ``interval``: seconds between lines, 0 for none; ``table``: draw on the terminal every second.
    """

    def __init__(
        self,
        environment: Environment,
        totals: Totals,
        target: Callable[[], TargetPart],
        interval: float = 0.0,
        *,
        table: bool = False,
        length: float | None = None,
    ) -> None:
        self._environment = environment
        self._totals = totals
        self._target = target
        self._interval = interval
        self._length = length
        self._terminal = TerminalView() if table else None
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
        ended = time() if self._teller is not None else timeline.ended
        state = runner_of(self._environment).state
        stage = RunStage(state, self._phase, max(0.0, ended - timeline.started))
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
        recorder, health = self._totals.recorder, self._totals.health.part()
        return line(self._updated().now(recorder), funnel_of(recorder), health, self._progress)

    def screen(self) -> Screen:
        """Return what a terminal shows."""
        from nakama_bots.results.show.live_table import Screen  # noqa: PLC0415 - imports rich

        live, recorder = self._updated(), self._totals.recorder
        return Screen(
            ", ".join(found.__name__ for found in self._environment.user_classes),
            self._target(),
            self._progress,
            live.now(recorder),
            live.messages(recorder),
            error_parts(recorder),
            funnel_of(recorder),
            self._totals.health.part(),
        )

    @property
    def _progress(self) -> Progress:
        return Progress(max(0.0, time() - self._totals.timeline.started), self._length)

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
        if self._terminal is not None:
            self._terminal.close()

    def _tell(self) -> None:
        seconds = 0
        if self._terminal is not None:
            self._terminal.open()
        while True:
            gevent.sleep(1)
            seconds += 1
            try:
                self._warn()
                if self._terminal is not None:
                    self._terminal.show(self.screen())
                if self._interval and seconds % max(1, round(self._interval)) == 0:
                    log.info("%s", self.line())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next line may work
                self._totals.failed("lines of the live view", error)

    def _warn(self) -> None:
        reasons = self._totals.health.reasons
        if isinstance(self._environment.shape_class, SearchShape):
            return  # each trial is judged by itself
        if reasons and not self._warned:
            self._warned = True
            log.error("generator too slow, the run is invalid: %s", "; ".join(reasons))


class TerminalView:
    """A part of the terminal that is drawn again and again, with the log above it. Idempotent to close."""

    def __init__(self) -> None:
        self._drawing: Drawing | None = None
        self._redirected: list[tuple[logging.StreamHandler[Any], Any]] = []

    def open(self) -> None:
        """Start drawing at the end of the terminal, below what is logged."""
        # Here: it takes 25 ms, for runs that draw no table.
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live as Drawing  # noqa: PLC0415

        before = (sys.stdout, sys.stderr)
        # No separate thread: it would draw while the hub changes the data.
        self._drawing = Drawing(console=Console(), auto_refresh=False, transient=True)
        self._drawing.start()
        # Handlers keep the stream that they were created with; rich redirects only the names in sys.
        for handler in {handler for name in _LOGGERS for handler in logging.getLogger(name).handlers}:
            if isinstance(handler, logging.StreamHandler) and handler.stream in before:
                self._redirected.append((handler, handler.setStream(sys.stderr)))

    def show(self, screen: Screen) -> None:
        if self._drawing is not None:
            self._drawing.update(screen.render(self._drawing.console.height - 1), refresh=True)

    def close(self) -> None:
        drawing, self._drawing = self._drawing, None
        for handler, stream in self._redirected:
            handler.setStream(stream)
        self._redirected.clear()
        if drawing is not None:
            drawing.stop()


def headless_view(
    environment: Environment, totals: Totals, target: Callable[[], TargetPart], settings: Settings
) -> LiveView:
    """Return the view of a run without a page, as ``--nakama-live`` has it, in place of Locust's tables."""
    options = options_of(environment)
    shown = settings.live or ("table" if sys.stdout.isatty() else "lines")
    if shown == "off":
        return LiveView(environment, totals, target)
    # Locust reads it after ``init``; its tables at the end are printed in any case.
    options.only_summary = True
    load = settings.load
    ends = [options.run_time, load.curve.seconds if load is not None and load.search is None else None]
    length = min((float(end) for end in ends if end), default=None)
    interval = settings.live_interval if shown == "lines" else 0.0
    return LiveView(environment, totals, target, interval, table=shown == "table", length=length)
