"""The server that a run targets: a given one, or the emulator that the run starts itself."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from typing import Final

import gevent
from locust.env import Environment

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.load.figures.server_scrape import metrics_url
from nakama_bots.load.process.exits import stop_with, usage_errors
from nakama_bots.load.process.probe import key_refusal, probe
from nakama_bots.load.web.pages import EMULATOR_BANNER
from nakama_bots.results.summary import TargetPart
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

log = logging.getLogger(__name__)

WATCH_INTERVAL: Final = 0.5


class RunTarget:
    """Created once. ``lost`` is called with a line if the embedded emulator ends unexpectedly."""

    def __init__(self, environment: Environment, lost: Callable[[str], object]) -> None:
        self._environment = environment
        self._lost = lost
        self._emulator: EmulatorProcess | None = None
        self._emulators: set[Target] = set()
        self._named: set[Target] = set()

    def open(self, settings: Settings, *, headless: bool) -> None:
        """Start the emulator, or check that the given target answers. May end the process."""
        if settings.target is None:
            self._start_emulator(settings)
            return
        self._environment.host = settings.target.http_url
        if headless:
            self._reach(settings, settings.target)
        else:
            # The page names an emulator before the start; a server that does not answer yet may do so later.
            gevent.spawn(self.look, settings, settings.target)

    def look(self, settings: Settings, target: Target, *, wait: float = 0.0) -> str:
        """Return why ``target`` does not answer, or "". Remembers if it is an emulator started elsewhere."""
        found = probe(target, settings, wait=wait)
        self._emulators.discard(target)
        if found.is_emulator:
            self._emulators.add(target)
            if target not in self._named:
                self._named.add(target)
                log.warning("%s It answers at %s.", EMULATOR_BANNER, target.http_url)
        return found.refusal

    def describe(self, settings: Settings, target: Target) -> str:
        """Return what a user should know about ``target`` before a start; "" if it is an ordinary server."""
        if self.is_own(target):
            return f"{EMULATOR_BANNER} This run has started it."
        refusal = self.look(settings, target)
        if refusal:
            return f"Nothing answers there: {refusal}."
        return EMULATOR_BANNER if target in self._emulators else ""

    def check_key(self, settings: Settings, target: Target) -> None:
        """``ConfigError`` if ``target`` refuses the server key: every call of the run would fail."""
        if self.is_own(target):
            return
        refusal = key_refusal(target, settings)
        if refusal:
            raise ConfigError("--nakama-server-key", "<hidden>", f"the server's socket.server_key ({refusal})")

    def stop(self) -> None:
        """Stop the embedded emulator. Idempotent."""
        emulator, self._emulator = self._emulator, None
        if emulator is not None:
            emulator.stop()

    @property
    def is_emulator(self) -> bool:
        """True if the current host is an emulator."""
        if not self._environment.host:
            return False
        target = Target.parse(self._environment.host)
        return target in self._emulators or self.is_own(target)

    def is_own(self, target: Target) -> bool:
        """True if it is the embedded emulator. Compared as targets: the web UI may add a trailing slash."""
        return self._emulator is not None and target == Target.parse(self._emulator.url)

    def part(self) -> TargetPart:
        """Return the current host."""
        host = self._environment.host
        return {"url": Target.parse(host).http_url if host else "", "is_emulator": self.is_emulator}

    def matchmaker_interval(self, settings: Settings, target: Target) -> float:
        """Return the server's matchmaker interval in seconds; 0 if unknown."""
        if self.is_own(target):
            return settings.emulator_matchmaker_interval
        return settings.matchmaker_interval

    def metrics_url(self, settings: Settings) -> str:
        """Return the URL of the server's metrics; "" if not configured."""
        if settings.metrics is not None:
            return metrics_url(settings.metrics)
        if self._emulator is not None and self.is_own(Target.parse(self._environment.host or "")):
            return self._emulator.metrics_url
        return ""

    def _reach(self, settings: Settings, target: Target) -> None:
        refusal = self.look(settings, target, wait=settings.wait_for_server)
        if refusal:
            waited = f" in {settings.wait_for_server:g} s" if settings.wait_for_server else ""
            stop_with(f"nothing answers at {target.http_url}{waited}: {refusal}", ExitCode.UNREACHABLE)
        with usage_errors():
            self.check_key(settings, target)

    def _start_emulator(self, settings: Settings) -> None:
        with usage_errors():
            emulator = EmulatorProcess.start(
                matchmaker_interval=settings.emulator_matchmaker_interval,
                server_key=settings.credentials.server_key,
                http_key=settings.credentials.http_key,
                modules=settings.emulator_module,
                extra=("--metrics-port", "0"),
            )
        self._emulator = emulator
        atexit.register(emulator.stop)
        self._environment.host = emulator.url
        log.warning("%s Started at %s; name a server with --host.", EMULATOR_BANNER, emulator.url)
        gevent.spawn(self._watch, emulator)

    def _watch(self, emulator: EmulatorProcess) -> None:
        while emulator.alive:
            gevent.sleep(WATCH_INTERVAL)
        if self._emulator is emulator:
            self._lost(f"the embedded emulator (pid {emulator.pid}) has ended by itself: the run stops")
