from __future__ import annotations

import contextlib

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import RequestTimeout
from nakama_bots.observer import CORRECTED, FinishedCall
from nakama_bots.players.pacing import PacedCalls, pace
from nakama_bots.results.record.histogram import Histogram
from nakama_bots.settings.target import Target

from .support import Recorder, make_player

RATE = 20.0
SECONDS = 2.5
PAUSE = 1.0


def percentile(values: list[float], percent: float) -> float:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    found = histogram.percentile(percent)
    assert found is not None
    return found


def test_server_pause_shows_in_corrected_times_only() -> None:
    fault = f"latency:on=rpc,ms={PAUSE * 1000:g},after=10,times=1"
    with EmulatorProcess.start(extra=("--fault", fault)) as emulator:
        player, recorder = make_player(Target.parse(emulator.url))
        with player:
            player.connect()
            ticks = []
            for tick in pace(player.calls, RATE, SECONDS):
                player.socket.rpc("echo", "x")
                ticks.append(tick)
    raw, corrected = recorder.samples["paced.WS rpc"], recorder.samples["paced.WS rpc" + CORRECTED]
    # Every planned call was sent, including the overdue ones.
    assert [tick.number for tick in ticks] == list(range(50))
    assert len(raw) == len(corrected) == len(recorder.named("WS", "rpc")) == 50
    assert raw == [call.elapsed for call in recorder.named("WS", "rpc")]
    # One call of 50 met the pause, so raw times show it only above the 98th percentile. 20 were planned in it.
    assert sum(value >= PAUSE for value in raw) == 1
    assert percentile(raw, 98) < PAUSE / 2 < percentile(corrected, 85) < percentile(corrected, 99)
    assert sum(value > PAUSE / 2 for value in corrected) >= PAUSE * RATE / 2 - 1
    assert all(late >= early for late, early in zip(corrected, raw, strict=True))


def test_only_successful_calls_within_a_step_are_paced() -> None:
    recorder = Recorder()
    calls = PacedCalls(recorder)
    calls.call(FinishedCall("WS", "ping", 1.0, 0.5, 2, None))
    calls.begin(10.0, 0.25)
    calls.call(FinishedCall("WS", "ping", 9.0, 1.5, 2, None))  # started before the step
    calls.call(FinishedCall("WS", "ping", 10.0, 0.5, 2, RequestTimeout("none")))
    calls.call(FinishedCall("WS", "ping", 10.5, 0.5, 2, None))
    calls.end()
    calls.call(FinishedCall("WS", "ping", 11.0, 0.5, 2, None))
    calls.sample("x", 1.0)
    calls.count("y", 3)
    assert len(recorder.calls) == 5
    assert recorder.samples == {"paced.WS ping": [0.5], "paced.WS ping.corrected": [0.75], "x": [1.0]}
    assert recorder.counts["y"] == 3


@pytest.mark.parametrize("leave", ["break", "raise", "kill"])
def test_pacing_ends_with_its_loop(leave: str) -> None:
    recorder = Recorder()
    calls = PacedCalls(recorder)

    def body() -> None:
        for _ in pace(calls, 1000.0):
            if leave == "break":
                break
            if leave == "raise":
                raise LookupError
            gevent.getcurrent().throw(gevent.GreenletExit)

    with contextlib.suppress(LookupError, gevent.GreenletExit):
        body()
    calls.call(FinishedCall("WS", "ping", 1e12, 0.5, 2, None))
    assert recorder.samples == {}


def test_nested_provocations_of_the_same_name() -> None:
    recorder = Recorder()
    calls = PacedCalls(recorder)
    failed = FinishedCall("WS", "rpc", 0.0, 0.1, 0, RequestTimeout("late"))
    with calls.provoking("late", RequestTimeout):
        with calls.provoking("late", RequestTimeout), calls.provoking("inner", RequestTimeout):
            calls.call(failed)
        calls.call(failed)
    calls.call(failed)
    assert [(call.name, call.error is None) for call in recorder.calls] == [
        ("rpc (inner)", True), ("rpc (late)", True), ("rpc", False),
    ]  # fmt: skip
