"""The end of a run: summary, verdict, files, exit code, and what is printed."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import console_logger

from nakama_bots.errors import NakamaError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.load.intervals import let_others_run
from nakama_bots.load.judge import Judge
from nakama_bots.load.run import Run
from nakama_bots.load.web.banner import inject
from nakama_bots.results.gate.verdict import Outcome, Verdict, verdict_part
from nakama_bots.results.record.ledger import LedgerTotals
from nakama_bots.results.record.server_metrics import ServerPart
from nakama_bots.results.run_folder import make_run_folder, write_summary, write_timeline
from nakama_bots.results.show.outputs import tell_ci, write_outputs, write_tables
from nakama_bots.results.show.report.files import write_report
from nakama_bots.results.show.text import end_of_run
from nakama_bots.results.summary import RunInfo, Summary, build_summary

log = logging.getLogger(__name__)


class Ending:
    """Made once; ``conclude`` is called at the end of each run."""

    def __init__(self, environment: Environment, run: Run, judge: Judge) -> None:
        self._environment = environment
        self._run = run
        self._judge = judge
        self._texts: list[str] = []
        self._faults: list[str] = []

    def fault(self, line: str) -> None:
        """Note what went wrong in the run itself: it fails the run, whatever the figures are."""
        log.error("%s", line)
        self._faults.append(line)

    def conclude(self, info: RunInfo, ended: datetime, duration: float, server: ServerPart) -> None:
        """Draw the verdict on a run that lasted ``duration`` seconds, and write its folder."""
        missing = self._run.master.collect() if self._run.master is not None else ""
        info = replace(info, users=self._users(info))
        totals = self._run.totals
        summary = build_summary(
            info,
            totals.recorder,
            ended=ended,
            duration=duration,
            health=totals.health.part(),
            server=server,
            workers=self._run.master.parts() if self._run.master is not None else (),
        )
        ledger = LedgerTotals.from_counts(totals.recorder.counts)
        if not ledger.balanced:
            self.fault(f"the cid ledger is not balanced: {ledger.line()}")
        verdict = self._judged(summary, missing)
        files = self._files(info, summary, verdict)
        self._set_exit_code(verdict)
        self._texts.append(end_of_run(summary, files, verdict))

    def show(self) -> None:
        """Print what the runs that have ended have to say."""
        texts, self._texts = self._texts, []
        for text in texts:
            # After Locust's own tables, where they go to.
            console_logger.info("%s", text)

    def _users(self, info: RunInfo) -> int:
        runner = self._environment.runner
        assert runner is not None
        users = max(info.users, sum(runner.final_user_classes_count.values()))
        if self._run.settings.load is not None and self._run.settings.load.open is not None:
            # Locust was asked for none.
            users = max(users, self._run.totals.most_users)
        return users

    def _judged(self, summary: Summary, missing: str) -> Verdict:
        assert self._environment.runner is not None
        assert self._environment.parsed_options is not None
        raised = sum(row["count"] for row in self._environment.runner.exceptions.values())
        if raised:
            self._faults.append(f"the scenario raised {raised:,} exceptions of its own (see Locust's table)")
        faults, self._faults = self._faults, []
        on_failures = int(self._environment.parsed_options.exit_code_on_error)
        return self._judge.conclude(summary, faults=faults, missing=missing, on_failures=on_failures)

    def _set_exit_code(self, verdict: Verdict) -> None:
        """Failed calls without a gate are Locust's; a later run of the web UI undoes no earlier one."""
        if verdict.gate is not None or verdict.outcome is Outcome.INVALID or verdict.faults or verdict.missing:
            known = self._environment.process_exit_code or ExitCode.PASSED
            self._environment.process_exit_code = max(int(known), int(verdict.exit_code))

    def _files(self, info: RunInfo, summary: Summary, verdict: Verdict) -> list[Path]:
        files: list[Path] = []
        try:
            files = self._write(info, summary, verdict)
            tell_ci(verdict, summary)
        except (NakamaError, OSError) as error:
            log.error("the results could not be written: %s", error)
            self._environment.process_exit_code = ExitCode.FAILURES
        return files

    def _write(self, info: RunInfo, summary: Summary, verdict: Verdict) -> list[Path]:
        folder = make_run_folder(self._run.settings.reports, info.scenario, info.started)
        page = get_html_report(self._environment, show_download_link=False)
        locust_page = folder / "locust.html"
        locust_page.write_text(inject(page) if info.is_emulator else page, encoding="utf-8")
        return [
            write_summary(folder, summary),
            write_timeline(folder, self._run.totals.timeline),
            *write_outputs(folder, summary, verdict),
            *write_tables(folder, self._run.totals.timeline, self._run.totals.requests, pause=let_others_run),
            self._write_report(folder, summary, verdict),
            locust_page,
        ]

    def _write_report(self, folder: Path, summary: Summary, verdict: Verdict) -> Path:
        part = verdict_part(verdict, summary)
        # The web UI and the workers are still there.
        return write_report(folder, summary, self._run.totals.timeline, part, pause=partial(gevent.sleep, 0))
