"""Searches for the capacity of a server: one run of Locust per trial, judged by a gate.

Every trial is a separate process, so that its sockets are closed and its matches ended before the next, and it
is repeated with more processes if the generator was too slow and cores are free.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

import gevent

from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.processes import LOG, generating, healthy, last_line, run_in
from nakama_bots.results.capacity.document import ARRIVALS, CapacityPart, Cause, TrialPart
from nakama_bots.results.capacity.search import Search, SearchPlan
from nakama_bots.results.capacity.trial import TrialFacts, no_trial, trial_of
from nakama_bots.results.gate.rules import Gate
from nakama_bots.results.run_folder import read_summary, read_timeline, read_verdict

ENDING: Final = 120.0
"""Seconds that a trial may take beyond its run time."""
_RAMP: Final = 0.8
"""The share of the warm-up in which the players come."""


class CapacitySearch:
    """One search. ``run`` may be interrupted at any time; ``answer`` then returns what is known so far."""

    def __init__(
        self,
        url: str,
        gate: tuple[Gate, Path],
        plan: SearchPlan,
        locust: Sequence[str],
        reports: Path,
        required: int | None,
    ) -> None:
        self._url = url
        self._gate, self._gate_file = gate
        self._plan = plan
        self._locust = tuple(locust)
        self._reports = reports
        self._search = Search(plan, url, required)
        self._processes = 1
        self._started = monotonic()

    def answer(self) -> CapacityPart:
        return self._search.answer(self._elapsed)

    def run(self, on_trial: Callable[[TrialPart], object]) -> None:
        """Search; ``on_trial`` is called after each trial."""
        self._started = monotonic()
        while (load := self._search.next(self._elapsed)) is not None:
            if self._search.trials:
                gevent.sleep(self._plan.settle)
            trial = self._try(load)
            on_trial(trial)
            more = trial["cause"] == Cause.GENERATOR and self._add_process()
            self._search.add(trial, more_processes=more)

    @property
    def _elapsed(self) -> float:
        return monotonic() - self._started

    def _add_process(self) -> bool:
        """Use more cores; False if all are in use."""
        cores = len(os.sched_getaffinity(0))
        if self._processes >= cores:
            return False
        self._processes = min(cores, self._processes * 2)
        return True

    def _try(self, load: int) -> TrialPart:
        plan = self._plan
        folder = self._reports / f"{len(self._search.trials) + 1:02}-{load}"
        arguments = [*self._locust, *self._load(load), "--nakama-gate", str(self._gate_file)]
        if self._processes > 1:
            arguments += ["--processes", str(self._processes)]
        at = self._elapsed
        with generating(self._url, folder, arguments) as process:
            while process.poll() is None and self._elapsed < at + plan.trial + ENDING:
                gevent.sleep(0.1)
            code = process.poll()
        facts = TrialFacts(
            load, plan.unit, self._processes, at, self._elapsed - at, healthy(self._url), str(folder)
        )
        run = run_in(folder)
        if run is None:
            cause = Cause.UNREACHABLE if code in (ExitCode.UNREACHABLE, ExitCode.USAGE) else Cause.FIGURES
            return no_trial(
                facts, cause, last_line((folder / LOG).read_bytes()) or f"no results (exit code {code})"
            )
        known = read_verdict(run)
        facts = replace(facts, faults=known["faults"], missing=known["missing"])
        timeline = read_timeline(run)
        # Without the end of the run, in which the last visitors leave.
        part = timeline.part(timeline.started, timeline.started + plan.trial)
        return trial_of(read_summary(run), part, self._gate, plan.warmup, facts)

    def _load(self, load: int) -> list[str]:
        plan = self._plan
        if plan.unit == ARRIVALS:
            rest = plan.trial - plan.warmup
            return ["--nakama-load", f"open:{load}/{plan.warmup:g}s,{load}/{rest:g}s"]
        rate = max(1.0, load / (plan.warmup * _RAMP))
        return ["--users", str(load), "--spawn-rate", f"{rate:.3f}", "--run-time", f"{plan.trial:g}s"]
