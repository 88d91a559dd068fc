"""Generator health of whole runs, and the pulse that measures it."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter, process_time

import gevent
from limits import NO_LIMITS

from nakama_bots.load.generator.code_sampler import CodeSampler
from nakama_bots.load.generator.pulse import Pulse
from nakama_bots.net.arrival import ArrivalCounts, TcpPath
from nakama_bots.results.record import gauges
from nakama_bots.results.record.histogram import Histogram

from .running import LOCUSTFILES, TRACE, run

BLOCKED = 0.25


def _burn(seconds: float) -> None:
    end = process_time() + seconds
    while process_time() < end:
        sum(range(100))


def test_an_overloaded_generator_is_invalid(tmp_path: Path) -> None:
    locust = run(
        tmp_path, "-u", "20", "-r", "20", "-t", "8s", "--nakama-health-limits", "",
        locustfile=LOCUSTFILES / "burning.py",
    )  # fmt: skip
    assert locust.finish() == 4
    assert TRACE not in locust.output
    assert "run: INVALID (exit code 4)" in locust.output
    health = locust.summary["health"]
    assert not health["valid"]
    assert any("loop busy above 90 %" in reason for reason in health["reasons"])
    assert all(f"generator too slow: {reason}" in locust.output for reason in health["reasons"])
    (process,) = health["processes"]
    figures = process["figures"]
    # The scenario burns the CPU, and the samples show that.
    assert figures["cpu_scenario"]["mean"] > figures["cpu_own"]["mean"]
    verdict = json.loads((locust.folders[0] / "verdict.json").read_text())
    assert verdict["verdict"] == "invalid"


def test_limits_can_be_set(tmp_path: Path) -> None:
    locust = run(
        tmp_path, "-u", "8", "-r", "8", "-t", "3s", "--nakama-health-limits", NO_LIMITS,
        locustfile=LOCUSTFILES / "burning.py",
    )  # fmt: skip
    assert locust.finish() == 0
    assert locust.summary["health"]["valid"]


def test_an_unknown_limit_is_refused(tmp_path: Path) -> None:
    locust = run(tmp_path, "-t", "1s", "--nakama-health-limits", "hub_lag=soon")
    assert locust.finish() == 2
    assert "--nakama-health-limits: 'hub_lag=soon'" in locust.output


class Waiting:
    """A player whose socket has unread bytes."""

    def __init__(self, unread: int) -> None:
        self.unread = unread
        self.path = TcpPath(unread / 1000, unread)


NOTHING = ArrivalCounts(0, 0, 0.0, 0.0, 0)


def test_waits_with_kernel_timestamps_are_measured_not_estimated() -> None:
    pulse = Pulse(lambda: [Waiting(3), Waiting(4)], lambda: ArrivalCounts(10, 2, 0.5, 0.4, 0), lambda: None)
    pulse.start()
    try:
        found = pulse.read()
    finally:
        pulse.stop()
    assert found[gauges.RECEIVE_WAIT] == 0.05
    assert found[gauges.RECEIVE_WAIT_MAX] == 0.4
    assert found[gauges.TCP_RTT] == 0.0035
    assert found[gauges.TCP_RETRANSMITS] == 7


def test_every_measure_shows_a_blocked_hub() -> None:
    ticks = Histogram()
    for number in range(1, 101):
        ticks.record(number / 1000)
    pulse = Pulse(lambda: [Waiting(3), Waiting(4)], lambda: NOTHING, lambda: ticks)
    assert pulse.read() == {}
    pulse.start()
    try:
        gevent.sleep(0.05)
        pulse.read()
        started = perf_counter()
        _burn(BLOCKED)
        gevent.sleep(0.05)
        seconds = perf_counter() - started
        found = pulse.read()
        gevent.sleep(BLOCKED * 2)
        idle = pulse.read()
    finally:
        pulse.stop()
    # Each turn counts once.
    assert idle[gauges.LOOP_BUSY] < found[gauges.LOOP_BUSY]
    assert idle[gauges.RECEIVE_WAIT] < found[gauges.RECEIVE_WAIT]
    assert found[gauges.HUB_LAG_MAX] >= BLOCKED - 0.02
    assert found[gauges.HUB_LAG] <= found[gauges.HUB_LAG_MAX]
    assert found[gauges.RECEIVE_WAIT_MAX] >= BLOCKED
    assert found[gauges.RECEIVE_WAIT] >= BLOCKED**2 / 2 / (seconds + 1)
    assert found[gauges.LOOP_BUSY] >= BLOCKED / (seconds + 1)
    assert found[gauges.CPU] >= BLOCKED / (seconds + 1)
    assert found[gauges.RECEIVE_BACKLOG] == 7
    assert found[gauges.MEMORY] > 0
    assert 0.095 <= found[gauges.TICK_LATENESS] <= 0.0951
    assert pulse.read() == {}


def test_an_idle_hub_is_not_busy() -> None:
    pulse = Pulse(list, lambda: NOTHING, lambda: None)
    pulse.start()
    try:
        before = process_time()
        gevent.sleep(0.3)
        found = pulse.read()
        used = process_time() - before
    finally:
        pulse.stop()
    # Only the pulse runs: all busy time of the loop was CPU time, or time without a CPU.
    assert found[gauges.CPU] <= used / 0.3 + 0.01
    assert gauges.TICK_LATENESS not in found


def test_the_sampler_reports_whose_code_ran() -> None:
    sampler = CodeSampler()
    sampler.start()
    try:
        _burn(BLOCKED)
        scenario = sampler.take()
        histogram = Histogram()
        end = process_time() + BLOCKED
        while process_time() < end:
            for number in range(2000):
                histogram.record(number / 1e6)
        own = sampler.take()
    finally:
        sampler.stop()
    assert scenario["scenario"] > 0.9
    assert own["nakama_bots"] > own["locust"]
    sampler.take()  # samples between the last take and the stop
    _burn(BLOCKED)
    assert sampler.take() == {}
