"""Calls in batches: Locust's statistics equal those of single events, and other listeners get every call."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry

from nakama_bots.load.figures.bridge import LocustObserver
from nakama_bots.load.figures.locust_table import enter
from nakama_bots.load.figures.locust_totals import LocustTotals
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder

from .running import Locust

CALL = FinishedCall("WS", "ping", 5.0, 0.002, 9, None)
SECONDS = st.lists(st.floats(min_value=0.0, max_value=3600.0), min_size=1, max_size=30)


class Feeding:
    """A Locust environment whose observer can enter successful calls into the table."""

    def __init__(self) -> None:
        self.environment = Environment()
        self.environment.create_local_runner()
        self.recorder = Recorder(0.0)
        self.totals = LocustTotals(self.environment, self.recorder)
        self.observer = LocustObserver(self.environment.events, self.recorder)
        self.observer.table = self.totals.table

    @property
    def entered(self) -> int:
        return self.environment.stats.get("ping", "WS").num_requests


@pytest.fixture
def feeding() -> Feeding:
    return Feeding()


@given(st.lists(SECONDS, min_size=1, max_size=3))
def test_a_batch_equals_single_calls(batches: list[list[float]]) -> None:
    single, batched = RequestStats(), RequestStats()
    for batch in batches:
        for seconds in batch:
            single.log_request("WS", "ping", seconds * 1000, 7)  # type: ignore[arg-type]
        enter(batched, "WS", "ping", batch, 7 * len(batch), 1_800_000_000.0)
    for found, expected in (
        (batched.total, single.total),
        (batched.get("ping", "WS"), single.get("ping", "WS")),
    ):
        assert _figures(found) == _figures(expected)
        assert found.total_response_time == pytest.approx(expected.total_response_time)
        assert dict(found.num_reqs_per_sec) == {1_800_000_000: expected.num_requests}


def test_calls_are_batched_while_only_locust_listens(feeding: Feeding) -> None:
    feeding.totals.reset()
    feeding.observer.call(CALL)
    assert feeding.entered == 0
    feeding.totals.take()
    assert feeding.entered == 1


def test_a_batch_is_recorded_like_single_calls(feeding: Feeding) -> None:
    feeding.totals.reset()
    for waited in (0.001, None):
        feeding.observer.call(CALL._replace(waited=waited))
    feeding.observer.call(CALL._replace(name=""))  # refused
    row = feeding.recorder.calls["WS", "ping"]
    assert (row.ok.count, row.ok.max, row.waited.count, row.waited.max, row.size) == (2, 0.002, 1, 0.001, 18)
    assert feeding.entered == 2
    assert set(feeding.recorder.calls) == {("WS", "ping")}
    assert feeding.recorder.counts["scenario_faults"] == 1


def test_another_listener_receives_every_later_call(feeding: Feeding) -> None:
    feeding.totals.reset()
    feeding.observer.call(CALL)
    heard: list[object] = []
    feeding.environment.events.request.add_listener(lambda **event: heard.append(event["name"]))
    feeding.observer.call(CALL)
    assert heard == ["ping"]
    assert feeding.entered == 1
    feeding.totals.take()
    assert feeding.entered == 2


def test_every_call_is_entered_when_the_test_stops(feeding: Feeding) -> None:
    feeding.totals.reset()
    feeding.observer.call(CALL)
    feeding.environment.events.test_stopping.fire(environment=feeding.environment)
    assert feeding.entered == 1
    feeding.observer.call(CALL)  # of a user that is being stopped
    assert feeding.entered == 2


@pytest.mark.parametrize("elapsed", [Fraction(1, 3), 1e9, -1.0], ids=str)
def test_an_invalid_time_is_an_event_and_affects_no_other_call(elapsed: float, feeding: Feeding) -> None:
    feeding.totals.reset()
    feeding.observer.call(CALL)
    feeding.observer.call(CALL._replace(elapsed=elapsed))
    assert feeding.entered == 1
    feeding.totals.take()
    assert feeding.entered == 2


def test_before_a_test_every_call_is_an_event(feeding: Feeding) -> None:
    feeding.observer.call(CALL)
    assert feeding.entered == 1


LOCUSTFILE = """
from locust import events
from nakama_bots import NakamaUser, task

TOTALS = []

@events.test_stop.add_listener
def read(environment, **_):
    TOTALS.append(environment.stats.total.num_requests)

@events.quitting.add_listener
def show(environment, **_):
    print("REQUESTS", TOTALS[0], environment.stats.total.num_requests)

class Pinger(NakamaUser):
    @task
    def ping(self):
        for _ in range(5):
            self.player.socket.ping_pong()
"""


def test_a_locustfile_reads_the_same_totals_as_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE, encoding="utf-8")
    with Locust(tmp_path / "reports", "-u", "2", "-r", "2", "-t", "3s", locustfile=file) as locust:
        assert locust.finish() == 0
    [line] = [line for line in locust.output.splitlines() if line.startswith("REQUESTS")]
    _, at_stop, at_end = line.split()
    assert int(at_end) == sum(call["count"] for call in locust.summary["calls"])
    # After that, a stopped user still ends one call and its session.
    assert 0 < int(at_stop) <= int(at_end)


def _figures(entry: StatsEntry) -> tuple[object, ...]:
    return (
        entry.num_requests, entry.num_none_requests, entry.total_content_length, dict(entry.response_times),
        entry.min_response_time, entry.max_response_time, math.isfinite(entry.total_response_time),
    )  # fmt: skip
