"""From a finished call to Locust's statistics, and the buckets of its percentiles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import stats
from locust.env import Environment
from locust.stats import StatsEntry

from nakama_bots.errors import Abandoned, CallError, ConnectionClosed, RequestTimeout
from nakama_bots.load.figures import locust_stats
from nakama_bots.load.figures.bridge import LocustObserver
from nakama_bots.load.run import Run
from nakama_bots.load.run_registry import run_of
from nakama_bots.load.workers.worker import REPORT_KEY
from nakama_bots.observer import FinishedCall
from nakama_bots.players.pacing import PacedCalls
from nakama_bots.results.record.recorder import Recorder

from .running import free_port

MILLISECONDS = st.floats(min_value=0.005, max_value=3_600_000)


class Listener:
    """A Locust environment that collects its request events."""

    def __init__(self) -> None:
        self.environment = Environment()
        self.environment.create_local_runner()
        self.events: list[dict[str, object]] = []
        self.environment.events.request.add_listener(lambda **event: self.events.append(event))
        self.recorder = Recorder(0.0)
        self.observer = LocustObserver(self.environment.events, self.recorder)

    def row(self, kind: str, name: str) -> StatsEntry:
        return self.environment.stats.get(name, kind)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (None, 0),
        (RequestTimeout("no answer within 1 s"), 1),
        (ConnectionClosed(1006, "gone"), 1),
        (Abandoned("stopped"), 0),
    ],
)
def test_one_event_per_call(error: CallError | None, failures: int, listener: Listener) -> None:
    listener.observer.call(FinishedCall("WS", "channel_join", 5.0, 0.0125, 42, error))
    (event,) = listener.events
    name = "channel_join (stopped)" if isinstance(error, Abandoned) else "channel_join"
    assert (event["request_type"], event["name"], event["response_length"]) == ("WS", name, 42)
    row = listener.row("WS", name)
    assert (row.num_requests, row.num_failures) == (1, failures)
    assert listener.recorder.calls["WS", "channel_join"].size == 42


def test_a_tap_receives_only_recorded_figures(listener: Listener) -> None:
    received: list[object] = []

    class Collecting:
        whole = True

        def call(self, call: FinishedCall) -> None:
            received.append(call)

        def sample(self, name: str, seconds: float) -> None:
            received.append((name, seconds))

    player = listener.observer.of_scenario("Duel").of_player(Collecting())
    call = FinishedCall("WS", "ping", 5.0, 0.01, 9, None)
    player.call(call)
    player.series("round")(2.0)
    for value in (math.nan, math.inf, "2", None):
        player.sample("round", value)  # type: ignore[arg-type]
        player.call(call._replace(elapsed=value))  # type: ignore[arg-type]
    player.call(call._replace(name="\ud800"))
    assert received == [call, ("round", 2.0)]
    listener.observer.call(call)  # from another player
    assert len(received) == 2
    assert listener.recorder.calls["WS", "ping"].ok.count == 2
    part = Collecting()
    part.whole = False
    other = listener.observer.of_player(part)
    other.sample("round", 2.0)
    other.call(call)
    assert received[2:] == [call]


def test_seconds_become_milliseconds_with_fractions(listener: Listener) -> None:
    listener.observer.call(FinishedCall("WS", "ping", 5.0, 0.000421, 9, None))
    assert listener.events[0]["response_time"] == pytest.approx(0.421)


def test_time_waited_in_the_generator_is_reported_separately(listener: Listener) -> None:
    listener.observer.call(FinishedCall("WS", "ping", 5.0, 0.002, 9, None, 0.0125))
    listener.observer.call(FinishedCall("GET", "/v2/account", 5.0, 0.002, 9, None))
    socket, rest = listener.events
    assert (socket["response_time"], socket["context"]) == (2.0, {"waited_ms": 12.5})
    assert rest["context"] == {}
    assert listener.recorder.calls["WS", "ping"].waited.max == 0.0125
    assert listener.recorder.calls["GET", "/v2/account"].waited.count == 0


def test_an_abandoned_call_has_no_response_time(listener: Listener) -> None:
    listener.observer.call(FinishedCall("WS", "ping", 5.0, 12.5, 0, Abandoned("stopped")))
    assert listener.events[0]["response_time"] is None
    assert listener.events[0]["exception"] is None
    assert listener.row("WS", "ping (stopped)").num_none_requests == 1
    assert listener.row("WS", "ping").num_requests == 0


def test_failures_are_grouped_by_label(listener: Listener) -> None:
    for number in range(3):
        error = ConnectionClosed(1006, f"00000000-0000-0000-0000-00000000000{number} is gone")
        listener.observer.call(FinishedCall("WS", "ping", 5.0, 0.1, 0, error))
    (row,) = listener.environment.stats.errors.values()
    assert row.occurrences == 3
    assert repr(row.error) == "ConnectionClosed: 1006 <id> is gone"


def test_samples_and_counts_are_only_recorded(listener: Listener) -> None:
    listener.observer.sample("delivery", 0.001)
    listener.observer.count("ticks_sent", 3)
    assert listener.events == []
    assert listener.recorder.counts == {"ticks_sent": 3}
    assert set(listener.recorder.samples) == {"delivery"}


def test_series_and_tallies_count_for_the_goals_of_a_scenario(listener: Listener) -> None:
    other = listener.observer.of_scenario("Duel", ("delivery", "ticks_sent"))
    for observer in (listener.observer, other):
        observer.series("delivery", "delivery.match")(0.001)
        observer.tally("ticks_sent")(3)
    assert listener.recorder.samples["delivery.match"].count == 2
    assert listener.recorder.counts == {
        "ticks_sent": 6, "purpose.Duel.delivery": 1, "purpose.Duel.ticks_sent": 3,
    }  # fmt: skip


def test_an_environment_without_the_plugin() -> None:
    environment = Environment()
    with pytest.raises(RuntimeError, match="on_init"):
        run_of(environment)


def test_no_settings_before_the_run_has_started() -> None:
    environment = Environment()
    environment.create_local_runner()
    run = Run(environment)
    with pytest.raises(RuntimeError, match="has not started"):
        _ = run.settings
    with pytest.raises(RuntimeError, match="has not started"):
        _ = run.world
    assert run_of(environment) is run


@given(st.floats(min_value=0.005, max_value=99_499))
def test_a_bucket_has_two_significant_digits(time: float) -> None:
    bucket = locust_stats.bucket_response_time(time)
    # Half a unit of the second digit; below 0.1 ms there is only one digit.
    unit = 10 ** (math.floor(math.log10(max(time, 0.1))) - 1)
    assert abs(bucket - time) <= unit / 2 * (1 + 1e-9)
    assert float(f"{bucket:.2g}") == bucket


@given(MILLISECONDS, MILLISECONDS)
def test_buckets_keep_the_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert locust_stats.bucket_response_time(low) <= locust_stats.bucket_response_time(high)


@given(st.floats(min_value=10, max_value=1e9))
def test_buckets_from_10_ms_are_those_of_locust(time: float) -> None:
    assert locust_stats.bucket_response_time(time) == locust_stats.locust_bucket(time)


def test_the_number_of_buckets_is_small() -> None:
    buckets = {locust_stats.bucket_response_time(1.01**power / 100) for power in range(1700)}
    assert len(buckets) < 700


def test_every_process_has_the_same_buckets() -> None:
    assert stats.bucket_response_time is locust_stats.bucket_response_time
    locust_stats.install_buckets()
    assert stats.bucket_response_time is locust_stats.bucket_response_time


def test_buckets_of_workers_add_up(listener: Listener) -> None:
    other = Listener()
    for one, times in ((listener, (0.0004, 0.0123)), (other, (0.0004, 0.0999))):
        for time in times:
            one.observer.call(FinishedCall("WS", "ping", 0.0, time, 1, None))
    row = listener.row("WS", "ping")
    row.extend(
        StatsEntry.unserialize(other.row("WS", "ping").get_stripped_report(), listener.environment.stats)
    )
    assert dict(row.response_times) == {0.4: 2, 12: 1, 100: 1}


def test_an_unreadable_report_fails_the_run(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment()
    runner = environment.create_master_runner("127.0.0.1", free_port())
    try:
        run = Run(environment)
        report = {
            "stats": [],
            "errors": {},
            "stats_total": StatsEntry(environment.stats, "", "").get_stripped_report(),
        }
        for _ in range(2):
            environment.events.worker_report.fire(
                client_id="other", data=report | {REPORT_KEY: {"schema": "next/9"}}
            )
        assert "worker other sent a report that this version cannot read" in caplog.text
        assert caplog.text.count("cannot read") == 1  # once per worker
        (gap,) = run.totals.gaps
        assert (gap["source"], gap["what"]) == ("other", "figures")
        assert run.totals.recorder.calls == {}
    finally:
        runner.greenlet.kill(block=True)
        runner.server.close()


@pytest.mark.parametrize("elapsed", [float("nan"), float("inf")])
def test_a_paced_call_without_a_time_costs_no_other_figure(elapsed: float) -> None:
    recorder = Recorder(0.0)
    calls = PacedCalls(LocustObserver(Environment().events, recorder))
    calls.begin(0.0, 0.25)
    for time in (0.5, elapsed, 0.75):
        calls.call(FinishedCall("WS", "ping", 1.0, time, 2, None))
    assert recorder.samples["paced.WS ping"].count == 2
    assert recorder.samples["paced.WS ping.corrected"].max == 1.0
    assert recorder.counts["scenario_faults"] == 3
