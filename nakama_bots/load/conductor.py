"""What the process that the user started does for the run: target, emulator, run folder, exit code.

That is the master, or the only process of a run without workers.
"""

from __future__ import annotations

import atexit
import logging
import platform
import sys
from argparse import Namespace
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NoReturn

import gevent
import psutil
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import STATE_INIT, STATE_STOPPED, Runner
from locust.stats import console_logger

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError, NakamaError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.load import arguments
from nakama_bots.load.cap import cap_users
from nakama_bots.load.intervals import let_others_run
from nakama_bots.load.judge import Judge
from nakama_bots.load.open_model import shapes
from nakama_bots.load.probe import probe
from nakama_bots.load.run import Run
from nakama_bots.load.server_scrape import ServerScraper, metrics_url
from nakama_bots.load.web.banner import EMULATOR_BANNER, inject
from nakama_bots.load.web.live_page import add_live_page
from nakama_bots.load.web.live_view import LiveView
from nakama_bots.load.web.pages import check_form, show_banner
from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.results.gate.rules import Gate, Outcome, Verdict
from nakama_bots.results.gate.verdict import verdict_part
from nakama_bots.results.record.ledger import LedgerTotals
from nakama_bots.results.record.server_metrics import ServerMetrics, ServerPart
from nakama_bots.results.run_folder import make_run_folder, write_summary, write_timeline
from nakama_bots.results.show.outputs import tell_ci, write_outputs, write_tables
from nakama_bots.results.show.report.files import write_report
from nakama_bots.results.show.text import end_of_run
from nakama_bots.results.summary import RunInfo, Summary, TargetPart, build_summary
from nakama_bots.settings import guard
from nakama_bots.settings.config import Settings, Target

log = logging.getLogger(__name__)

WATCH_INTERVAL: Final = 0.5
_NOT_RUNNING: Final = (STATE_INIT, STATE_STOPPED)


class Conductor:
    """Made once, when Locust is initialised."""

    def __init__(self, environment: Environment, run: Run) -> None:
        assert environment.parsed_options is not None
        self._environment = environment
        self._run = run
        self._options: Namespace = environment.parsed_options
        self._emulator: EmulatorProcess | None = None
        self._info: RunInfo | None = None
        self._started = 0.0
        self._texts: list[str] = []
        self._faults: list[str] = []
        self._emulators: set[Target] = set()
        self._finishing = BoundedSemaphore(1)
        self._scraper: ServerScraper | None = None
        settings = self._resolve()
        self._judge = Judge(self._gate(settings), run.totals, self._abort)
        self._drop_by_name_only()
        self._drop_untagged()
        if settings.target is None:
            self._start_emulator(settings)
        else:
            environment.host = settings.target.http_url
            if self._options.headless:
                self._reach(settings, settings.target)
        headless = environment.web_ui is None
        view = LiveView(environment, run.totals, self._target, settings.live_interval if headless else 0.0)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            check_form(environment.web_ui.app, settings, self._is_own)
            show_banner(environment.web_ui.app, lambda: self._is_emulator)
            add_live_page(environment.web_ui, view.part)
        cap_users(environment, settings, self._over_cap)
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        events.quit.add_listener(self._on_quit)

    def _resolve(self) -> Settings:
        try:
            settings = arguments.resolve(self._options)
            if settings.target is not None:
                guard.check_target(settings, settings.target)
            if settings.load is None:
                guard.check_users(settings, self._options.num_users or 0, name="--users")
            else:
                guard.check_users(settings, settings.load.most_users, name=f"load {settings.load.text}")
                shapes.install(self._environment, settings.load, lambda: self._run.open.done)
        except ConfigError as error:
            stop_with(str(error))
        return settings

    def _gate(self, settings: Settings) -> Gate | None:
        try:
            return (
                read_gate(Path(settings.gate), allow_emulator=settings.allow_emulator)
                if settings.gate
                else None
            )
        except ConfigError as error:
            stop_with(str(error))

    def _reach(self, settings: Settings, target: Target) -> None:
        """End before any load when nothing answers there."""
        refusal = self._probe(settings, target, wait=settings.wait_for_server)
        if refusal:
            waited = f" in {settings.wait_for_server:g} s" if settings.wait_for_server else ""
            stop_with(f"nothing answers at {target.http_url}{waited}: {refusal}", ExitCode.UNREACHABLE)

    def _probe(self, settings: Settings, target: Target, *, wait: float = 0.0) -> str:
        """Why nothing answers there, if so; remembers whether it is an emulator that somebody else started."""
        found = probe(target, settings, wait=wait)
        self._emulators.discard(target)
        if found.is_emulator:
            self._emulators.add(target)
            log.warning("%s It answers at %s.", EMULATOR_BANNER, target.http_url)
        return found.refusal

    def _abort(self) -> None:
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def _drop_untagged(self) -> None:
        """Leave out classes without a task under ``--tags``: Locust would start their users, to fail each."""
        if not (self._options.tags or self._options.exclude_tags):
            return
        self._environment._filter_tasks_by_tags()
        left = [user_class for user_class in self._environment.user_classes if user_class.tasks]
        if not left:
            given = self._options.tags or self._options.exclude_tags
            stop_with(f"--tags, --exclude-tags: {' '.join(given)!r} leaves no task to run")
        self._environment.user_classes = left

    def _drop_by_name_only(self) -> None:
        """Without names and tags, leave out what is to be asked for; all, where there is nothing else."""
        options = self._options
        if options.user_classes or options.tags or options.class_picker:
            return
        left = [found for found in self._environment.user_classes if not getattr(found, "by_name_only", False)]
        self._environment.user_classes = left or self._environment.user_classes

    def _start_emulator(self, settings: Settings) -> None:
        try:
            emulator = EmulatorProcess.start(
                matchmaker_interval=settings.emulator_matchmaker_interval,
                server_key=settings.credentials.server_key,
                http_key=settings.credentials.http_key,
                extra=("--metrics-port", "0"),
            )
        except NakamaError as error:
            stop_with(str(error))
        self._emulator = emulator
        atexit.register(emulator.stop)
        self._environment.host = emulator.url
        log.warning("%s Started at %s; name a server with --host.", EMULATOR_BANNER, emulator.url)
        gevent.spawn(self._watch_emulator, emulator)

    def _watch_emulator(self, emulator: EmulatorProcess) -> None:
        while emulator.alive:
            gevent.sleep(WATCH_INTERVAL)
        if self._emulator is emulator:
            self._fault(f"the embedded emulator (pid {emulator.pid}) has ended by itself: the run cannot go on")
            if self._info is None:  # between the web UI's runs: no verdict will tell
                self._environment.process_exit_code = ExitCode.FAILURES
            self._runner.quit()
            if self._environment.web_ui is not None:
                self._environment.web_ui.stop()

    @property
    def _runner(self) -> Runner:
        runner = self._environment.runner
        assert runner is not None
        return runner

    def _target(self) -> TargetPart:
        host = self._environment.host
        url = Target.parse(host).http_url if host else ""
        return {"url": url, "is_emulator": self._is_emulator}

    @property
    def _is_emulator(self) -> bool:
        if not self._environment.host:
            return False
        target = Target.parse(self._environment.host)
        return target in self._emulators or self._is_own(target)

    def _is_own(self, target: Target) -> bool:
        """Whether it is the embedded emulator. Compared as targets: the web UI's form may have an end slash."""
        return self._emulator is not None and target == Target.parse(self._emulator.url)

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        target = Target.parse(environment.host or "", name="host")
        if not self._options.headless and not self._is_own(target):
            # The web UI may have changed the host since the start.
            self._probe(arguments.resolved(self._options), target)
        self._started = perf_counter()
        self._judge.start()
        self._scraper = self._new_scraper()
        self._info = RunInfo(
            scenario="-".join(user_class.__name__.lower() for user_class in environment.user_classes),
            started=datetime.now(UTC),
            target=target,
            is_emulator=self._is_emulator,
            users=0,
            spawn_rate=float(self._options.spawn_rate or 0),
            versions=_versions(),
            settings=arguments.public_values(self._options),
            matchmaker_interval=self._matchmaker_interval(target),
            workloads=tuple(
                filter(None, (getattr(found, "workload", "") for found in environment.user_classes))
            ),
        )

    def _matchmaker_interval(self, target: Target) -> float:
        settings = arguments.resolved(self._options)
        if self._is_own(target):
            return settings.emulator_matchmaker_interval
        return settings.matchmaker_interval

    def _new_scraper(self) -> ServerScraper | None:
        settings = arguments.resolved(self._options)
        if settings.metrics is not None:
            url = metrics_url(settings.metrics)
        elif self._emulator is not None and self._is_own(Target.parse(self._environment.host or "")):
            url = self._emulator.metrics_url
        else:
            return None
        scraper = ServerScraper(url, settings.metrics_interval, settings.tls, self._run.totals)
        scraper.start()
        return scraper

    def _stop_scraper(self) -> ServerPart:
        scraper, self._scraper = self._scraper, None
        if scraper is None:
            return ServerMetrics().part()
        scraper.stop()
        return scraper.metrics.part()

    def _on_spawning_complete(self, user_count: int, **_: Any) -> None:
        if self._info is not None and user_count > self._info.users:
            self._info = replace(self._info, users=user_count)

    def _on_test_stop(self, **_: Any) -> None:
        self._finish()

    def _finish(self) -> None:
        """Write the run's folder, once. It may wait for workers, and Ctrl-C may want the same meanwhile."""
        with self._finishing:
            if self._info is None:
                return
            ended, duration = datetime.now(UTC), perf_counter() - self._started
            self._judge.stop()
            server = self._stop_scraper()
            missing = self._run.master.collect() if self._run.master is not None else ""
            users = max(self._info.users, sum(self._runner.final_user_classes_count.values()))
            if self._run.settings.load is not None and self._run.settings.load.open is not None:
                # Locust was asked for none.
                users = max(users, self._run.totals.most_users)
            info, self._info = replace(self._info, users=users), None
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
            ledger = LedgerTotals.from_counts(self._run.totals.recorder.counts)
            if not ledger.balanced:
                self._fault(f"the cid ledger is not balanced: {ledger.line()}")
            verdict = self._conclude(summary, missing)
            files = self._files(info, summary, verdict)
            self._set_exit_code(verdict)
            self._texts.append(end_of_run(summary, files, verdict))
        if self._environment.web_ui is not None:
            self._tell()

    def _conclude(self, summary: Summary, missing: str) -> Verdict:
        raised = sum(row["count"] for row in self._runner.exceptions.values())
        if raised:
            self._faults.append(f"the scenario raised {raised:,} exceptions of its own (see Locust's table)")
        faults, self._faults = self._faults, []
        on_failures = int(self._options.exit_code_on_error)
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

    def _fault(self, line: str) -> None:
        """What went wrong in the run itself fails it, whatever the figures are."""
        log.error("%s", line)
        self._faults.append(line)

    def _over_cap(self, line: str) -> None:
        """A shape wants more users than may be."""
        if self._info is not None:
            self._fault(line)
            return
        log.error("%s", line)  # before any load
        self._environment.process_exit_code = ExitCode.USAGE

    def _tell(self) -> None:
        texts, self._texts = self._texts, []
        for text in texts:
            # After Locust's own tables, where they go to.
            console_logger.info("%s", text)

    def _write(self, info: RunInfo, summary: Summary, verdict: Verdict) -> list[Path]:
        folder = make_run_folder(arguments.resolved(self._options).reports, info.scenario, info.started)
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

    def _on_quitting(self, **_: Any) -> None:
        # On SIGTERM Locust comes here with the users still running: they end before the results are final.
        if self._runner.state not in _NOT_RUNNING:
            self._runner.stop()
        self._finish()

    def _on_quit(self, **_: Any) -> None:
        self._tell()
        emulator, self._emulator = self._emulator, None
        if emulator is not None:
            emulator.stop()


def stop_with(line: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    """End the process before any load, with one line."""
    print(f"nakama_bots: {line}", file=sys.stderr, flush=True)  # noqa: T201
    _end_workers()
    sys.exit(code)


def _end_workers() -> None:
    """End what ``--processes`` forked: Locust does not, and they would wait for another master for minutes."""
    this = psutil.Process()
    for child in this.children():
        with suppress(psutil.Error):
            if child.cmdline() == this.cmdline():
                child.kill()


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("nakama_bots", "locust", "gevent", "websocket-client")}
    return packages | {"python": platform.python_version(), "platform": platform.platform()}
