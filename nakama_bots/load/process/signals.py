"""Signals that end a run as the end of its run time does, with a report, however many arrive."""

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
    """Install the process's signal handlers. Call it in the main greenlet, from Locust's ``init``."""
    signals = Signals(environment, gevent.getcurrent())
    signals.install()
    return signals


class Signals:
    """Handles SIGINT, SIGTERM and SIGHUP. ``main`` is the greenlet in which Locust waits."""

    def __init__(self, environment: Environment, main: greenlet) -> None:
        self._environment = environment
        self._main = main
        self._initialised = False
        self._interrupted = False
        self._interrupts: Any = None
        self._ending: object = None

    def install(self) -> None:
        """Install the handlers, in addition to Locust's."""
        # Not where the parent ignores them, as nohup and a shell's background jobs do.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._interrupts = gevent.signal_handler(signal.SIGINT, self._on_interrupt)
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

    def _on_interrupt(self) -> None:
        self._interrupt("SIGINT")

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
        options, runner = self._environment.parsed_options, self._environment.runner
        headless = options is not None and options.headless and not options.worker
        return not self._initialised or (headless and runner is not None and runner.state == STATE_INIT)

    def _awaits_shape(self) -> bool:
        """True while Locust's main greenlet waits for the end of a shape: it has no handler of SIGTERM yet."""
        options, runner = self._environment.parsed_options, self._environment.runner
        headless = options is not None and options.headless and not options.worker
        return headless and runner is not None and bool(runner.shape_greenlet)

    def _leave(self) -> None:
        """End the process: there is no run to report."""
        log.warning("interrupted before the run began")
        events, runner = self._environment.events, self._environment.runner
        events.quitting.fire(environment=self._environment, reverse=True)
        if runner is not None:
            runner.quit()
        events.quit.fire(exit_code=int(ExitCode.FAILURES))
        gevent.kill(self._main, SystemExit(int(ExitCode.FAILURES)))

    def _hurry(self) -> None:
        """Stop waiting for users that may finish their tasks."""
        runner = self._environment.runner
        if runner is not None and self._environment.stop_timeout:
            gevent.killall(list(runner.user_greenlets), block=False)
