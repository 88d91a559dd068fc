"""Leads a run from its settings to its end, in the process that the user started.

This is the master, or the only process of a run without workers. ``target`` handles the server, ``ending``
the end of a run.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from time import perf_counter
from typing import Any

from locust.env import Environment
from locust.runners import STATE_INIT, MasterRunner

from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.load import arguments
from nakama_bots.load.capacity.search_run import SearchRun, plan_of
from nakama_bots.load.ending import Ending, ServerSide
from nakama_bots.load.export.exports import Exports
from nakama_bots.load.figures.server_scrape import ServerLogTail, ServerScraper, probes_of
from nakama_bots.load.judge import Judge
from nakama_bots.load.open_model import shapes
from nakama_bots.load.process.exits import usage_errors
from nakama_bots.load.process.user_limits import cap_users, check_descriptors
from nakama_bots.load.run import Run
from nakama_bots.load.run_registry import options_of, runner_of
from nakama_bots.load.target import RunTarget
from nakama_bots.load.user_classes import select_user_classes
from nakama_bots.load.web.form import Choice, StartForm
from nakama_bots.load.web.live_page import add_live_page
from nakama_bots.load.web.live_view import LiveView, headless_view
from nakama_bots.load.web.pages import check_form, check_port, show_banner
from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.results.gate.rules import Gate
from nakama_bots.results.server.metrics import ServerMetrics
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings import guard
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

log = logging.getLogger(__name__)


class Conductor:
    """Leads the runs of this process. Created once, when Locust is initialised."""

    def __init__(self, environment: Environment, run: Run) -> None:
        self._environment = environment
        self._run = run
        self._runner = runner_of(environment)
        self._options = options_of(environment)
        self._info: RunInfo | None = None
        self._started = 0.0
        self._scraper: ServerScraper | None = None
        self._search = SearchRun(environment, run)
        self._tail: ServerLogTail | None = None
        settings = run.settings = self._started_with = self._resolve()
        watch_all = settings.prometheus is not None or settings.otlp is not None
        gate = _gate(settings)
        self._judge = Judge(gate, run.totals, self._abort, watch_all=watch_all)
        self._ending = Ending(environment, run, self._judge, self._search)
        select_user_classes(environment, self._options)
        with usage_errors():
            self._check_descriptors(*self._most_users(settings))
        self._target = RunTarget(environment, self._on_emulator_lost)
        self._target.open(settings, headless=bool(self._options.headless))
        self._exports = Exports(settings, run.totals, self._judge.outlook)
        self._add_pages(settings)
        cap_users(environment, lambda users: self._check_users(settings, users), self._over_cap)
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        events.quit.add_listener(self._on_quit)

    def _resolve(self) -> Settings:
        with usage_errors():
            settings = arguments.resolve(self._options)
            if settings.target is not None:
                guard.check_target(settings, settings.target)
            users, name = self._most_users(settings)
            guard.check_users(settings, users, name=name)
            if settings.load is not None:
                shapes.install(self._environment, settings.load, self._run.open, self._search)
            if self._environment.web_ui is not None:
                check_port(self._environment.web_ui)
        return settings

    def _most_users(self, settings: Settings) -> tuple[int, str]:
        """Return the most users of a run by its options and settings, and what sets them."""
        if settings.load is None:
            return self._options.num_users or 0, "--users"
        return settings.load.most_users, f"load {settings.load.text}"

    def _check_users(self, settings: Settings, users: int) -> None:
        guard.check_users(settings, users)
        self._check_descriptors(users, "users")

    def _check_descriptors(self, users: int, name: str) -> None:
        processes = self._options.processes or 1
        if isinstance(self._runner, MasterRunner) and not self._options.processes:
            return  # the workers may be on other machines
        check_descriptors(users, self._environment.user_classes, processes, name=name)

    def _add_pages(self, settings: Settings) -> None:
        web_ui = self._environment.web_ui
        totals, target = self._run.totals, self._target.part
        if web_ui is None or web_ui.app is None:
            self._view = headless_view(self._environment, totals, target, settings)
            return
        self._view = LiveView(self._environment, totals, target)
        form = StartForm(self._environment, settings, self._check_target)
        form.show(web_ui)
        check_form(web_ui.app, form, self._apply)
        show_banner(web_ui.app, lambda: self._target.is_emulator)
        add_live_page(web_ui, self._view.part, self._view.runs, partial(self._check_fields, form))

    def _check_fields(self, form: StartForm, fields: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return what is wrong with fields of the start form, and what a user should know about its host."""
        errors, notes = form.errors(fields), {}
        if fields.get("changed") == "host" and "host" not in errors:
            target = form.check_host(fields)
            assert target is not None
            notes = {"host": self._target.describe(self._started_with, target)}
        return {"errors": errors, "notes": notes}

    def _check_target(self, target: Target) -> None:
        if not self._target.is_own(target):
            guard.check_target(self._run.settings, target)

    def _apply(self, choice: Choice) -> None:
        """Make the next run what the start form asks for; ``ConfigError`` if that is not possible."""
        settings, environment = choice.settings, self._environment
        target = choice.target or Target.parse(environment.host or "", name="host")
        self._target.check_key(settings, target)
        gate = read_gate(settings.gate, allow_emulator=settings.allow_emulator) if settings.gate else None
        if settings.load is not None:
            users, name = self._most_users(settings)
            guard.check_users(settings, users, name=name)
            if settings.load.search is not None:
                plan_of(settings.load, gate)
        with self._run.concluding:  # by the settings and the gate of the last run
            environment.user_classes = list(choice.user_classes)
            if settings.load is not None:
                shapes.put(environment, settings.load, self._run.open, self._search)
            self._judge.gate = gate
            self._run.settings = settings
            arguments.send(self._options, settings)

    def _abort(self) -> None:
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def _on_emulator_lost(self, line: str) -> None:
        self._ending.fault(line)
        if self._info is None:  # between two runs of the web UI: no verdict can include it
            self._environment.process_exit_code = ExitCode.FAILURES
        self._runner.quit()
        if self._environment.web_ui is not None:
            self._environment.web_ui.stop()

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        settings = self._run.settings
        target = Target.parse(environment.host or "", name="host")
        if not self._options.headless and not self._target.is_own(target):
            # The web UI may have changed the host after the start.
            self._target.look(settings, target)
        self._started = perf_counter()
        searching = settings.load is not None and settings.load.search is not None
        self._judge.start(searching=searching)
        self._start_scraper(settings)
        self._info = RunInfo(
            scenario="-".join(user_class.__name__.lower() for user_class in environment.user_classes),
            started=datetime.now(UTC),
            target=target,
            is_emulator=self._target.is_emulator,
            users=0,
            spawn_rate=float(self._options.spawn_rate or 0),
            versions=_versions(),
            settings=settings.public_values,
            matchmaker_interval=self._target.matchmaker_interval(settings, target),
            workloads=tuple(
                filter(None, (getattr(found, "workload", "") for found in environment.user_classes))
            ),
        )
        self._search.begin(settings, self._judge.gate, self._info)
        self._exports.begin(self._info)

    def _start_scraper(self, settings: Settings) -> None:
        self._tail = ServerLogTail(settings.server_log) if settings.server_log is not None else None
        url = self._target.metrics_url(settings)
        if url:
            target = Target.parse(self._environment.host or "", name="host")
            self._scraper = ServerScraper(
                url, settings.metrics_interval, settings.network.tls, self._run.totals,
                probes_of(settings, target),
            )  # fmt: skip
            self._scraper.start()

    def _server_side(self) -> ServerSide:
        """Stop reading the server's figures; return them."""
        scraper, self._scraper = self._scraper, None
        if scraper is not None:
            scraper.stop()
        metrics = scraper.metrics if scraper is not None else ServerMetrics()
        tail, self._tail = self._tail, None
        return ServerSide(metrics.part(), tail.read() if tail is not None else None)

    def _on_spawning_complete(self, user_count: int, **_: Any) -> None:
        if self._info is not None and user_count > self._info.users:
            self._info = replace(self._info, users=user_count)

    def _on_test_stop(self, **_: Any) -> None:
        if self._environment.web_ui is not None and self._started_with.load is None:
            # The load model was of this run's form: the next form has a number of users again.
            shapes.remove(self._environment)
        self._finish()

    def _finish(self) -> None:
        """Conclude the run, once. It may wait for workers, and Ctrl-C may call it again meanwhile."""
        with self._run.concluding:
            info = self._info
            if info is None:
                return
            ended, duration = datetime.now(UTC), perf_counter() - self._started
            try:
                self._judge.stop()
                self._search.stop()
                conclusion = self._ending.conclude(info, ended, duration, self._server_side())
                self._exports.end(conclusion)
            finally:
                self._info = None
            self._view.ended(conclusion.verdict, conclusion.summary, conclusion.folder)
        if self._environment.web_ui is not None:
            self._ending.show()
        self._exports.post(conclusion)

    def _over_cap(self, line: str) -> None:
        """Called when a shape wants more users than allowed."""
        if self._info is not None:
            self._ending.fault(line)
            return
        log.error("%s", line)  # before any load
        self._environment.process_exit_code = ExitCode.USAGE

    def _on_quitting(self, **_: Any) -> None:
        # On SIGTERM Locust gets here with the users still running: end them before the results are final.
        # For Locust the run has been stopped before that.
        if self._runner.state != STATE_INIT:
            self._runner.stop()
        self._finish()

    def _on_quit(self, **_: Any) -> None:
        self._ending.show()
        self._exports.stop()
        self._target.stop()


def _gate(settings: Settings) -> Gate | None:
    with usage_errors():
        gate = read_gate(settings.gate, allow_emulator=settings.allow_emulator) if settings.gate else None
        if settings.load is not None and settings.load.search is not None:
            plan_of(settings.load, gate)
        elif settings.require:
            raise ConfigError("--nakama-require", settings.require, "0 without --nakama-load search:..")
    return gate


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("nakama_bots", "locust", "gevent", "websocket-client")}
    return packages | {"python": platform.python_version(), "platform": platform.platform()}
