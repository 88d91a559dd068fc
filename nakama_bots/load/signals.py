"""Signals that end a run: it ends as at the end of its run-time, with a report, however many of them come."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import gevent
from greenlet import greenlet
from locust.env import Environment
from locust.runners import STATE_INIT

from nakama_bots.exit_codes import ExitCode

log = logging.getLogger(__name__)


def handle_signals(environment: Environment) -> Signals:
    """Set the process's handlers; to be called in the main greenlet, from Locust's ``init``."""
    signals = Signals(environment, gevent.getcurrent())
    signals.install()
    return signals


class Signals:
    """What SIGINT, SIGTERM and SIGHUP do in this process. ``main`` is the greenlet that Locust waits in."""

    def __init__(self, environment: Environment, main: greenlet) -> None:
        self._environment = environment
        self._main = main
        self._initialised = False
        self._interrupted = False
        self._interrupts: Any = None
        self._ending: object = None

    def install(self) -> None:
        """Take the signals over, beside Locust."""
        # Not where a parent has them ignored, as nohup and a shell's background jobs do.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._interrupts = gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        gevent.signal_handler(signal.SIGTERM, self._on_terminate)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            # The terminal is gone. Locust knows SIGTERM only.
            gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)

    def initialised(self) -> None:
        """Our part of Locust's ``init`` is over."""
        self._initialised = True
        # Before those of the run, which wait for users: listeners of ``quitting`` are called in reverse.
        self._environment.events.quitting.add_listener(self._on_quitting)
        self._environment.events.quit.add_listener(self._on_quit)

    def _on_quit(self, **_: Any) -> None:
        """The report is written: what comes now could only change the exit code."""
        if self._interrupts is not None:
            # The event loop's end would leave the system's default behind, which kills.
            self._interrupts.cancel()
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _on_interrupt(self) -> None:
        if self._interrupted or self._ending is not None:
            log.warning("the run is ending already, and writes its report")
            self._hurry()
            return
        self._interrupted = True
        log.info("Got SIGINT signal")
        if self._is_before_run():
            self._leave()
        else:
            # Python raises it in whichever greenlet runs: under load that is a user in the middle of a task,
            # who would die with a traceback, or the event loop. Locust waits for it in the main one.
            gevent.kill(self._main, KeyboardInterrupt)

    def _on_terminate(self) -> None:
        # Locust has a handler too, from the start of a run on.
        if self._ending is None and self._is_before_run():
            self._leave()

    def _on_quitting(self, **_: Any) -> None:
        if self._ending is None:
            self._ending = gevent.getcurrent()
        elif self._ending is not gevent.getcurrent():
            # A second signal has begun to end the process as well: the first one does it.
            gevent.sleep(1e9)

    def _is_before_run(self) -> bool:
        """Whether the main greenlet is where Locust catches no interrupt: in ``init``, or awaiting workers."""
        options, runner = self._environment.parsed_options, self._environment.runner
        headless = options is not None and options.headless and not options.worker
        return not self._initialised or (headless and runner is not None and runner.state == STATE_INIT)

    def _leave(self) -> None:
        """End the process: there is no run that could be reported."""
        log.warning("interrupted before the run began")
        events, runner = self._environment.events, self._environment.runner
        events.quitting.fire(environment=self._environment, reverse=True)
        if runner is not None:
            runner.quit()
        events.quit.fire(exit_code=int(ExitCode.FAILURES))
        gevent.kill(self._main, SystemExit(int(ExitCode.FAILURES)))

    def _hurry(self) -> None:
        """Wait no longer for users that may finish what they do."""
        runner = self._environment.runner
        if runner is not None and self._environment.stop_timeout:
            gevent.killall(list(runner.user_greenlets), block=False)
