"""Searches for the capacity of a server: one run of Locust per trial, judged by a gate.

Every trial is a separate process, so that its sockets are closed and its matches ended before the next. An
invalid trial (the generator was too slow, figures are missing) never counts against the server: it is repeated
with more processes if cores are free, and otherwise the search goes no higher.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import gevent

from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.processes import running
from nakama_bots.results.capacity.answer import (
    FAILED,
    INVALID,
    PASSED,
    CapacityPart,
    TrialPart,
    answer_of,
    curve_of,
)
from nakama_bots.results.capacity.search import MOST_TRIALS, WIDTH, Bisection
from nakama_bots.results.run_folder import read_summary, read_verdict

ENDING: Final = 120.0
"""Seconds that a trial may take beyond its run time."""


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Loads from ``low`` to ``high`` players; times in seconds.

    A trial lasts ``trial``; users start during the first ``ramp``; ``settle`` is the pause before the next.
    """

    low: int
    high: int
    trial: float = 60.0
    ramp: float = 10.0
    settle: float = 3.0
    most_trials: int = MOST_TRIALS
    width: float = WIDTH
    most_seconds: float = 3600.0
    cores: int = 1


class CapacitySearch:
    """One search. ``run`` may be interrupted at any time; ``answer`` then returns what is known so far."""

    def __init__(self, url: str, gate: Path, plan: CapacityPlan, locust: Sequence[str], reports: Path) -> None:
        self._url = url
        self._gate = gate
        self._plan = plan
        self._locust = tuple(locust)
        self._reports = reports
        self._search = Bisection(plan.low, plan.high)
        self._trials: list[TrialPart] = []
        self._processes = 1
        self._started = monotonic()
        self._ended = "it was interrupted"

    def answer(self) -> CapacityPart:
        """Return what is known so far."""
        seconds = monotonic() - self._started
        return answer_of(self._search, self._trials, target=self._url, ended=self._ended, seconds=seconds)

    def run(self, on_trial: Callable[[TrialPart], object]) -> CapacityPart:
        """Search; ``on_trial`` is called after each trial."""
        self._started = monotonic()
        while not (ended := self._over()):
            if self._trials:
                gevent.sleep(self._plan.settle)
            trial = self._try(self._search.next())
            self._trials.append(trial)
            on_trial(trial)
            if trial["outcome"] != INVALID:
                self._search.add(trial["load"], passed=trial["outcome"] == PASSED)
            elif trial["rule"] == "unreachable":
                ended = f"the server does not answer any more ({'; '.join(trial['why'])})"
                break
            elif not self._add_process():
                self._search.limit = max(self._plan.low, trial["load"] - 1)
                if trial["load"] <= self._plan.low:
                    ended = f"the generator cannot run {trial['load']:,} players: {'; '.join(trial['why'])}"
                    break
        self._ended = ended
        return self.answer()

    def _over(self) -> str:
        """Return why the search ends; "" if it continues."""
        plan, search = self._plan, self._search
        if search.failed and min(search.failed) <= plan.low:
            return f"the server fails already at {plan.low:,} players"
        if search.done(plan.width):
            return "the interval is narrow enough" if search.failed else "the greatest load passed"
        if len(self._trials) >= plan.most_trials:
            return f"{plan.most_trials} trials were made"
        if monotonic() - self._started + plan.trial > plan.most_seconds:
            return f"the next trial would not end within {plan.most_seconds:,.0f} s"
        return ""

    def _add_process(self) -> bool:
        """Use more cores; False if all are in use."""
        if self._processes >= self._plan.cores:
            return False
        self._processes = min(self._plan.cores, self._processes * 2)
        return True

    def _try(self, load: int) -> TrialPart:
        plan = self._plan
        folder = self._reports / f"{len(self._trials) + 1:02}-{load}"
        folder.mkdir(parents=True, exist_ok=True)
        processes = ["--processes", str(self._processes)] if self._processes > 1 else []
        command = [
            sys.executable, "-m", "locust", *self._locust, "--headless", "--only-summary", "--host", self._url,
            "--users", str(load), "--spawn-rate", f"{max(1.0, load / plan.ramp):.3f}",
            "--run-time", f"{plan.trial:g}s", "--nakama-gate", str(self._gate),
            "--nakama-reports", str(folder), *processes,
        ]  # fmt: skip
        started = monotonic()
        log = folder / "locust.log"
        with log.open("wb") as output, running(command, output) as process:
            while process.poll() is None and monotonic() - started < plan.trial + ENDING:
                gevent.sleep(0.1)
            code = process.poll()
        return self._trial(load, code, folder, monotonic() - started)

    def _trial(self, load: int, code: int | None, folder: Path, seconds: float) -> TrialPart:
        trial: TrialPart = {
            "load": load, "outcome": INVALID, "rule": "", "why": [], "processes": self._processes,
            "seconds": round(seconds, 1), "rate": 0.0, "folder": str(folder), "calls": [],
        }  # fmt: skip
        runs = sorted(folder.glob("2*/"))
        if not runs:
            trial["why"] = [_last_line(folder / "locust.log") or f"no results (exit code {code})"]
            trial["rule"] = "unreachable" if code in (ExitCode.UNREACHABLE, ExitCode.USAGE) else ""
            return trial
        verdict, summary = read_verdict(runs[-1]), read_summary(runs[-1])
        trial["calls"] = curve_of(summary)
        trial["rate"] = sum(
            call["rate"] * (1 - call["failures"] / call["count"]) for call in summary["calls"] if call["count"]
        )
        if verdict["exit_code"] == ExitCode.UNREACHABLE:
            trial["rule"], trial["why"] = "unreachable", verdict["why"]
            return trial
        trial["outcome"] = {"passed": PASSED, "failed": FAILED}.get(verdict["verdict"], INVALID)
        broken = [rule for rule in verdict["rules"] if rule["outcome"] == "failed"]
        trial["rule"] = broken[0]["name"] if broken else ""
        trial["why"] = [rule["message"] for rule in broken] or verdict["why"]
        return trial


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))
