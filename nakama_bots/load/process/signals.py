"""Signals that end a run as the end of its run time does, with a report, however many arrive."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_INIT, Runner

from nakama_bots.exit_codes import ExitCode
from nakama_bots.load.run_registry import options_of, runner_of

log = logging.getLogger(__name__)


class Signals:
    """Handles SIGINT, SIGTERM and SIGHUP, beside Locust's handlers. Created from Locust's ``init``."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._runner: Runner = runner_of(environment)
        # The one in which Locust waits.
        self._main = gevent.getcurrent()
        self._initialised = False
        self._interrupted = False
        self._interrupts: Any = None
        self._ending: object = None
        # Not where the parent ignores them, as nohup and a shell's background jobs do.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._interrupts = gevent.signal_handler(signal.SIGINT, self._interrupt, "SIGINT")
        gevent.signal_handler(signal.SIGTERM, self._on_terminate)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            # The terminal is gone. Locust handles only SIGTERM.
            gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)

    def initialised(self) -> None:
        """Called when this package's part of Locust's ``init`` is over."""
        self._initialised = True
        # Runs before the run's listeners, which wait for users: ``quitting`` calls listeners in reverse.
        self._environment.events.quitting.add_listener(self._on_quitting)
        self._environment.events.quit.add_listener(self._on_quit)

    def _on_quit(self, **_: Any) -> None:
        """Ignore signals from now on: the report is written, and they could only change the exit code."""
        if self._interrupts is not None:
            # The end of the event loop would restore the system's default, which kills.
            self._interrupts.cancel()
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _interrupt(self, name: str) -> None:
        if self._interrupted or self._ending is not None:
            log.warning("the run is already ending and writes its report")
            self._hurry()
            return
        self._interrupted = True
        log.info("Got %s signal", name)
        if self._is_before_run():
            self._leave()
        else:
            # Python raises it in the running greenlet: under load that is a user in the middle of a task,
            # which would die with a traceback, or the event loop. Locust expects it in the main greenlet.
            gevent.kill(self._main, KeyboardInterrupt)

    def _on_terminate(self) -> None:
        # Locust also has a handler, from the start of a run on; of a headless shape, from its end on.
        if self._ending is None and self._is_before_run():
            self._leave()
        elif self._awaits_shape():
            self._interrupt("SIGTERM")

    def _on_quitting(self, **_: Any) -> None:
        if self._ending is None:
            self._ending = gevent.getcurrent()
        elif self._ending is not gevent.getcurrent():
            # A second signal also wants to end the process: the first one does.
            gevent.sleep(1e9)

    def _is_before_run(self) -> bool:
        """True while Locust's main greenlet catches no interrupt: in ``init``, or awaiting workers."""
        return not self._initialised or (self._leads_headless and self._runner.state == STATE_INIT)

    def _awaits_shape(self) -> bool:
        """True while Locust's main greenlet waits for the end of a shape: it has no handler of SIGTERM yet."""
        return self._leads_headless and bool(self._runner.shape_greenlet)

    @property
    def _leads_headless(self) -> bool:
        options = options_of(self._environment)
        return bool(options.headless and not options.worker)

    def _leave(self) -> None:
        """End the process: there is no run to report."""
        log.warning("interrupted before the run began")
        events = self._environment.events
        events.quitting.fire(environment=self._environment, reverse=True)
        self._runner.quit()
        events.quit.fire(exit_code=int(ExitCode.FAILURES))
        gevent.kill(self._main, SystemExit(int(ExitCode.FAILURES)))

    def _hurry(self) -> None:
        """Stop waiting for users that may finish their tasks."""
        if self._environment.stop_timeout:
            gevent.killall(list(self._runner.user_greenlets), block=False)
