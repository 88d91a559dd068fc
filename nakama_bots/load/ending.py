"""Ends a run: summary, verdict, files, exit code and printed output.

The verdict is computed first, then the files are written, small ones first. A file that cannot be written
makes the run invalid: the verdict is computed again, and the files that contain the first one are written
again, so that the printed line, the exit code and the files agree.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from locust import log as locust_log
from locust.env import Environment
from locust.stats import console_logger

from nakama_bots.exit_codes import ExitCode
from nakama_bots.ledger import Ledger
from nakama_bots.load.capacity.search_run import SearchRun
from nakama_bots.load.figures.intervals import LOCAL, let_others_run
from nakama_bots.load.judge import Judge
from nakama_bots.load.process.faults import raised_by_scenario, raised_lines
from nakama_bots.load.run import Run
from nakama_bots.load.run_files import RunFiles
from nakama_bots.load.run_registry import options_of, runner_of
from nakama_bots.load.user_classes import purposes
from nakama_bots.results.bottleneck.bins import RunBins
from nakama_bots.results.bottleneck.verdict import BottleneckPart, bottleneck
from nakama_bots.results.gate.verdict import VerdictPart, no_verdict, verdict_part
from nakama_bots.results.record.purposes import purpose_parts
from nakama_bots.results.server.log import LimitLog
from nakama_bots.results.server.metrics import ServerPart
from nakama_bots.results.show.text import end_of_run
from nakama_bots.results.summary import LaterParts, RunInfo, Summary, build_summary

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What a run knows of its server: its metrics, and its log if one was named."""

    metrics: ServerPart
    log: LimitLog | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The results of a run; ``folder`` and ``summary`` are None if they could not be created."""

    verdict: VerdictPart
    folder: Path | None = None
    summary: Summary | None = None


class Ending:
    """Ends the runs of a process. Created once; ``conclude`` is called at the end of each run."""

    def __init__(self, environment: Environment, run: Run, judge: Judge, search: SearchRun) -> None:
        self._environment = environment
        self._run = run
        self._judge = judge
        self._search = search
        self._texts: list[str] = []
        self._faults: list[str] = []

    def fault(self, line: str) -> None:
        """Record a problem of the run itself. It fails the run, whatever the figures are."""
        log.error("%s", line)
        self._faults.append(line)

    def conclude(self, info: RunInfo, ended: datetime, duration: float, server: ServerSide) -> Conclusion:
        """Compute the verdict on a run that lasted ``duration`` seconds, and write its folder."""
        try:
            return self._conclude(info, ended, duration, server)
        except Exception as error:
            log.exception("the verdict could not be computed")
            self._raise_exit_code(ExitCode.INVALID)
            self._texts.append(
                f"run: INVALID (exit code {int(ExitCode.INVALID)})\n"
                f"  the verdict could not be computed: {type(error).__name__}: {error}"
            )
            return Conclusion(no_verdict(info))

    def show(self) -> None:
        """Print the output of the finished runs."""
        texts, self._texts = self._texts, []
        for text in texts:
            # After Locust's tables, and to the same stream.
            console_logger.info("%s", text)

    def _conclude(self, info: RunInfo, ended: datetime, duration: float, server: ServerSide) -> Conclusion:
        missing = self._run.master.collect() if self._run.master is not None else ""
        if self._search.searching:
            # It has counted no trial in which a worker was lost.
            missing = self._search.failure
        info = replace(info, users=self._users(info))
        self._run.totals.complete(LOCAL, ended.timestamp())
        summary = self._summary(info, ended, duration, server)
        ledger = Ledger.from_counts(summary["counts"])
        if not ledger.balanced:
            self.fault(f"the cid ledger is not balanced: {ledger.line()}")
        faults = self._all_faults()
        on_failures = int(options_of(self._environment).exit_code_on_error)
        draw = partial(self._judge.conclude, summary, faults=faults, on_failures=on_failures)
        verdict = draw(missing=[missing] if missing else [])
        files = RunFiles(self._environment, self._run.totals, info, summary)
        files.write(self._run.settings.reports, verdict)
        if files.failures:
            unwritten = [f"the results could not be written: {failure}" for failure in files.failures]
            log.error("%s", "; ".join(unwritten))
            verdict = draw(missing=[*verdict.missing, *unwritten])
            files.write_again(verdict)
        self._raise_exit_code(verdict.exit_code)
        self._texts.append(end_of_run(summary, files.files, verdict))
        return Conclusion(verdict_part(verdict, summary), files.folder, summary)

    def _summary(self, info: RunInfo, ended: datetime, duration: float, server: ServerSide) -> Summary:
        totals, master = self._run.totals, self._run.master
        later: LaterParts = {
            "gaps": totals.gaps.parts(totals.timeline.started),
            "cross_check": self._run.locust.part(totals.recorder),
            "purposes": purpose_parts(purposes(self._environment.user_classes), totals.recorder.counts),
        }
        capacity = self._search.part()
        if capacity is not None:
            later["capacity"] = capacity
        health = totals.health.part()
        if server.metrics["url"] or server.log is not None:
            later["bottleneck"] = self._bottleneck(server.log, slow=not health["valid"])
        return build_summary(
            info,
            totals.recorder,
            ended=ended,
            duration=duration,
            health=health,
            server=server.metrics,
            workers=master.parts() if master is not None else (),
            later=later,
        )

    def _bottleneck(self, log: LimitLog | None, *, slow: bool) -> BottleneckPart:
        lines, first = (log.lines, log.first) if log is not None else (None, None)
        bins = RunBins(self._run.totals.timeline, lines, pause=let_others_run)
        return bottleneck([bins], first_lines=first, generator_slow=slow)

    def _users(self, info: RunInfo) -> int:
        users = max(info.users, sum(runner_of(self._environment).final_user_classes_count.values()))
        if self._run.settings.load is not None and self._run.settings.load.open is not None:
            # Locust was asked for no exit code.
            users = max(users, self._run.totals.most_users)
        return users

    def _all_faults(self) -> Sequence[str]:
        self._faults += raised_lines(raised_by_scenario(runner_of(self._environment)))
        if locust_log.unhandled_greenlet_exception:
            # Locust would exit with 2.
            self._faults.append("a listener or a greenlet raised an unhandled exception (see the log)")
            locust_log.unhandled_greenlet_exception = False
        faults, self._faults = self._faults, []
        return faults

    def _raise_exit_code(self, code: int) -> None:
        """Raise the exit code; a later run of the web UI never lowers it."""
        known = self._environment.process_exit_code or ExitCode.PASSED
        self._environment.process_exit_code = max(int(known), int(code))
