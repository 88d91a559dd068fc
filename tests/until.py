"""A locustfile beside another: the run ends when it has done what the test is about, however long that takes.

``UNTIL`` is a JSON list of names: of calls that have ended, of samples, and of counts, which may be patterns
of ``fnmatch``; each may have a least number: ``ledger.timeout``, ``handler.*>=3``. ``failure`` is a call that
failed, ``failed:NAME`` one of that name, ``says:PATTERN`` an error or an exception with such a text.
``UNTIL_SECONDS`` is how long the run goes on at least from its first call on, ``UNTIL_FILE`` a file that is
waited for, and ``UNTIL_WELL`` a call that has to go well once more at the end.

Without ``UNTIL`` it only makes Locust print its tables more often: tests wait for their rows.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import gevent
import locust.stats
from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from nakama_bots.load.run_registry import run_of
from nakama_bots.results.record.recorder import Recorder

log = logging.getLogger("until")

locust.stats.CONSOLE_STATS_INTERVAL_SEC = 0.5  # as Locust's documentation has it for a locustfile

OUTCOMES = {"ledger.error": "server_error", "ledger.timeout": "timeout", "ledger.closed": "closed"}


@events.init.add_listener
def on_init(environment: Environment, **_: object) -> None:
    if "UNTIL" in os.environ and not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(_watch, environment)


def _watch(environment: Environment) -> None:
    runner = environment.runner
    assert runner is not None
    totals = run_of(environment).totals
    while not any(row.ok.count + row.failed.count for row in totals.recorder.calls.values()):
        gevent.sleep(0.05)
    log.info("calls are answered")
    first = time.monotonic()
    wanted = json.loads(os.environ["UNTIL"])
    while not all(_there(name, environment, totals.recorder) for name in wanted):
        gevent.sleep(0.05)
    while time.monotonic() - first < float(os.environ.get("UNTIL_SECONDS", "0")):
        gevent.sleep(0.05)
    while "UNTIL_FILE" in os.environ and not Path(os.environ["UNTIL_FILE"]).exists():
        gevent.sleep(0.05)
    if "UNTIL_WELL" in os.environ:
        well = _well(totals.recorder)
        while _well(totals.recorder) == well:
            gevent.sleep(0.05)
    log.info("everything is done")
    runner.quit()


def _well(recorder: Recorder) -> int:
    wanted = os.environ["UNTIL_WELL"]
    return sum(row.ok.count for (_, name), row in recorder.calls.items() if name == wanted)


def _there(name: str, environment: Environment, recorder: Recorder) -> bool:
    if name == "failure":
        return any(row.failed.count for row in recorder.calls.values())
    if name.startswith("failed:"):
        return any(row.failed.count for (_, call), row in recorder.calls.items() if call == name[7:])
    if name.startswith("says:"):
        return any(re.search(name[5:], text) for text in _said(environment, recorder))
    name, _, least = name.partition(">=")
    counted = sum(number for count, number in recorder.counts.items() if fnmatchcase(count, name))
    counted += sum(row.ok.count + row.failed.count for (_, call), row in recorder.calls.items() if call == name)
    # A socket's ledger is counted when it ends, and some never do.
    outcome = OUTCOMES.get(name)
    counted += sum(row.outcomes.get(outcome, 0) for row in recorder.calls.values()) if outcome else 0
    return counted >= int(least or 1) or name in recorder.samples


def _said(environment: Environment, recorder: Recorder) -> Iterator[str]:
    """Each error and exception so far in a line."""
    assert environment.runner is not None
    for (kind, name, label), row in recorder.errors.items():
        yield f"{kind} {name}: {label}: {row.example}"
    for exception in environment.runner.exceptions.values():
        yield f"{exception['msg']} {exception['traceback']}"
