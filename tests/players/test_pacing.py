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

from .support import Heard, make_player

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


def test_a_server_that_pauses_shows_in_the_corrected_times_and_hides_in_the_raw_ones() -> None:
    fault = f"latency:on=rpc,ms={PAUSE * 1000:g},after=10,times=1"
    with EmulatorProcess.start(extra=("--fault", fault)) as emulator:
        player, heard = make_player(Target.parse(emulator.url))
        with player:
            player.connect()
            ticks = []
            for tick in pace(player.calls, RATE, SECONDS):
                player.socket.rpc("echo", "x")
                ticks.append(tick)
    raw, corrected = heard.samples["paced.WS rpc"], heard.samples["paced.WS rpc" + CORRECTED]
    # Every planned send was made, the overdue ones too.
    assert [tick.number for tick in ticks] == list(range(50))
    assert len(raw) == len(corrected) == len(heard.named("WS", "rpc")) == 50
    assert raw == [call.elapsed for call in heard.named("WS", "rpc")]
    # One call of 50 met the pause: beyond the 98th percentile nobody saw it. 20 sends were planned in it.
    assert sum(value >= PAUSE for value in raw) == 1
    assert percentile(raw, 98) < PAUSE / 2 < percentile(corrected, 85) < percentile(corrected, 99)
    assert sum(value > PAUSE / 2 for value in corrected) >= PAUSE * RATE / 2 - 1
    assert all(late >= early for late, early in zip(corrected, raw, strict=True))


def test_only_what_goes_well_within_a_step_is_paced() -> None:
    heard = Heard()
    calls = PacedCalls(heard)
    calls.call(FinishedCall("WS", "ping", 1.0, 0.5, 2, None))
    calls.begin(10.0, 0.25)
    calls.call(FinishedCall("WS", "ping", 9.0, 1.5, 2, None))  # begun before the step
    calls.call(FinishedCall("WS", "ping", 10.0, 0.5, 2, RequestTimeout("none")))
    calls.call(FinishedCall("WS", "ping", 10.5, 0.5, 2, None))
    calls.end()
    calls.call(FinishedCall("WS", "ping", 11.0, 0.5, 2, None))
    calls.sample("x", 1.0)
    calls.count("y", 3)
    assert len(heard.calls) == 5
    assert heard.samples == {"paced.WS ping": [0.5], "paced.WS ping.corrected": [0.75], "x": [1.0]}
    assert heard.counts["y"] == 3


@pytest.mark.parametrize("leave", ["break", "raise", "kill"])
def test_a_loop_that_is_left_keeps_no_pace(leave: str) -> None:
    heard = Heard()
    calls = PacedCalls(heard)

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
    assert heard.samples == {}


def test_an_inner_provocation_of_the_same_name_ends_alone() -> None:
    heard = Heard()
    calls = PacedCalls(heard)
    failed = FinishedCall("WS", "rpc", 0.0, 0.1, 0, RequestTimeout("late"))
    with calls.provoking("late", RequestTimeout):
        with calls.provoking("late", RequestTimeout), calls.provoking("inner", RequestTimeout):
            calls.call(failed)
        calls.call(failed)
    calls.call(failed)
    assert [(call.name, call.error is None) for call in heard.calls] == [
        ("rpc (inner)", True), ("rpc (late)", True), ("rpc", False),
    ]  # fmt: skip
