"""The live view of a run, from rows in the form that processes send."""

from __future__ import annotations

import io

import orjson
import pytest
from rich.console import Console

from nakama_bots import observer
from nakama_bots.errors import RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.health import Health
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline, gauges_only
from nakama_bots.results.show.live import SECONDS, Live, Progress, RunStage, funnel_of, line
from nakama_bots.results.show.live_table import Screen

STARTED = 1000.0
TARGET = {"url": "http://h:1", "is_emulator": True}


def row(end, *, source="a", trips=10, seconds=1.0, users=5.0, failed=0, milliseconds=2.0):
    recorder = Recorder(0.0)
    for _ in range(trips):
        recorder.call(FinishedCall("WS", "ping", 0.0, milliseconds / 1e3, 10, None))
    for _ in range(failed):
        recorder.call(FinishedCall("WS", "ping", 0.0, 1.0, 0, RequestTimeout("late")))
    recorder.call(FinishedCall("WS", "connect", 0.0, 0.5, 0, None))
    recorder.count(observer.TICKS_SENT, 20)
    recorder.count(observer.MATCH_SENT, 20)
    recorder.count(observer.MATCH_RECEIVED)
    recorder.sample(observer.TICK_LATENESS, 0.004)
    recorder.sample(observer.DELIVERY_LATENCY, 0.001)
    recorder.sample(observer.delivery_name("match", "Duel"), 0.001)
    recorder.sample(observer.delivery_total("chat"), 0.001)
    gauges = {"users": users, "sockets": users, "pending": 1.0, "hub_lag": users / 1000}
    return {
        "source": source,
        "at": STARTED + end - seconds,
        "seconds": seconds,
        "recorded": recorder.recorded(folded=False),
        "gauges": gauges,
    }


def view(*rows):
    timeline, total = Timeline(STARTED), Recorder(0.0)
    for one in rows:
        timeline.add(one)
        total.merge(one["recorded"])
    live = Live(timeline)
    live.update()
    return live, total


def part(*rows):
    live, total = view(*rows)
    return live.part(total, Health().part(), TARGET, RunStage("running", "running", 3.0))


def test_series_by_second():
    found = part(*(row(second, trips=10 * second) for second in (1, 2, 3)))
    assert found["seconds"] == [1, 2, 3]
    series = found["series"]
    assert series["trips"] == [10, 20, 30]  # a connect is not a round trip
    assert series["p95"] == [2.0, 2.0, 2.0]
    assert series["users"] == [5, 5, 5]
    assert series["data_out"] == [20, 20, 20]
    assert series["data_in"] == [1, 1, 1]
    orjson.dumps(found)


def test_processes_are_summed_or_the_worst_is_shown():
    found = part(row(1, source="a"), row(1.1, source="b", users=8.0), row(2, source="a"), row(2.1, source="b"))
    assert found["seconds"] == [1, 2]
    assert found["series"]["trips"] == [20, 20]
    assert found["series"]["users"] == [13, 10]
    assert found["series"]["hub_lag"] == [0.008, 0.005]


def test_a_second_is_shown_once_every_process_has_reported_it():
    rows = [row(second, source="a") for second in (1, 2, 3, 4)] + [row(1, source="b"), row(2, source="b")]
    assert part(*rows)["seconds"] == [1, 2]


def test_a_stopped_process_is_not_waited_for():
    rows = [row(second, source="a") for second in range(1, 13)] + [row(2, source="b")]
    found = part(*rows)
    assert found["seconds"] == list(range(1, 13))
    assert found["series"]["users"][-1] == 5
    assert found["now"]["users"] == 5


def test_a_row_rounded_into_the_previous_second_leaves_no_hole():
    found = part(row(1), row(2), row(2.4), row(4), row(5))
    assert found["series"]["trips"] == [10, 10, 10, 10]
    assert found["seconds"] == [1, 2, 4, 5]
    rows = [row(second, source="b") for second in range(1, 6)] + [row(1), row(2), row(2.4), row(4), row(5)]
    assert part(*rows)["series"]["trips"] == [20, 20, 20, 20, 20]


def test_server_gauges_are_on_the_same_axis():
    server = gauges_only("server", STARTED + 1, 1.0, {"server.sessions": 7.0})
    found = part(row(1), row(2), server, row(3))
    assert found["series"]["server.sessions"] == [None, 7.0, 7.0]
    assert found["series"]["users"] == [5, 5, 5]


def test_recent_figures_by_message_and_in_total():
    slow = [row(second, milliseconds=50.0, failed=1) for second in range(1, 11)]
    fast = [row(second, milliseconds=2.0) for second in range(11, 31)]
    found = part(*slow, *fast)
    ping = next(one for one in found["messages"] if one["name"] == "ping")
    assert (ping["count"], ping["failures"], ping["rate"], ping["p95_ms"]) == (310, 10, 10.0, 2.0)
    now = found["now"]
    assert (now["trips"], now["p95_ms"], now["failures"], now["failed"]) == (10.0, 2.0, 0.0, 10)
    assert now["tick_late_ms"] == pytest.approx(4.0, abs=0.01)


def test_only_new_rows_are_read_and_old_seconds_dropped():
    live, total = view(row(1))
    for second in range(2, SECONDS + 50):
        live.timeline.add(row(second))
    paused = []
    live.update(pause=lambda: paused.append(1))
    assert len(paused) == SECONDS + 48
    seconds = live.part(total, Health().part(), TARGET, RunStage("running", "running", 3.0))["seconds"]
    assert (len(seconds), seconds[-1]) == (SECONDS, SECONDS + 49)


def test_no_rows_yet():
    found = part()
    assert (found["seconds"], found["messages"], found["now"]["p50_ms"]) == ([], [], None)


def test_the_status_line():
    live, total = view(*(row(second) for second in range(1, 6)))
    health = Health()
    assert line(live.now(total), funnel_of(total), health.part(), Progress(61, 600)) == (
        "1:01 of 10:00 (10%), 8:59 left | 5 users, 5 sockets, 1 in flight"
        " | 10 rt/s p50 2.0 p95 2.0 ms | 0 failed"
        " | match data 20/s out 1/s in, ticks late p95 4.0 ms | generator ok"
    )
    total.count(observer.TICKETS_ADDED, 1200)
    total.count(observer.TICKETS_MATCHED, 1100)
    for second in range(6):
        health.add(gauges_only("local", second, 1.0, {"users": 1.0, "loop_busy": 0.99}))
    text = line(live.now(total), funnel_of(total), health.part(), Progress(4000))
    assert text.startswith("1:06:40, until Ctrl-C | ")
    assert "| tickets 1,200, matched 1,100, joined 0 |" in text
    assert "generator TOO SLOW: local: loop busy above 90 % in 6 of 6 s" in text


@pytest.mark.parametrize("height", [12, 24])
def test_the_table_fits_a_terminal_and_escapes_its_text(height):
    live, total = view(*(row(second) for second in range(1, 6)))
    for number in range(40):
        total.call(FinishedCall("WS", f"call {number}", 0.0, 0.001, 10, None))
    errors = [
        {"kind": "WS", "name": "ping", "label": "x", "count": 3, "first_seen_s": 1.0, "example": "[b]\x1b[2J"}
    ] * 9
    screen = Screen(
        "Duel", TARGET, Progress(30, 60), live.now(total), live.messages(total), errors, funnel_of(total),
        Health().part(),
    )  # fmt: skip
    console = Console(width=100, height=height, force_terminal=False, file=io.StringIO())
    console.print(screen.render(height))
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    assert "0:30 of 1:00 (50%), 0:30 left" in lines[1]
    assert any("more" in line for line in lines)
    assert any("3 x WS ping: [b]\\x1b[2J" in line for line in lines)
