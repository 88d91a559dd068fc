"""Traces of single calls: which are kept, how they are explained, and their export to other tools."""

from __future__ import annotations

import gzip
import json
import math
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from nakama_bots.cli.main import main
from nakama_bots.errors import Abandoned, CallError, RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.timeline import Interval, Timeline, gauges_only
from nakama_bots.results.run_folder import TraceError, read_traces, write_timeline, write_traces
from nakama_bots.results.traces.explain import LINES, ServerLog, explain, part_of
from nakama_bots.results.traces.tracer import (
    MOST,
    MOST_NAMES,
    PLAYERS,
    STORY,
    TraceEvent,
    TraceLog,
    Tracer,
    event_of,
    hashed,
)

UID, SID = "1b4f0c4e-0000-4000-8000-000000000001", "5682bc99-ea08-11f1-a265-7106fdcb5b46"
START = 1_700_000_000.0


def feed(
    tracer: Tracer, name: str, elapsed: float, error: CallError | None = None, at: float = 0.0
) -> TraceEvent:
    """Trace a call as the observer of a fully traced player does."""
    call = FinishedCall("WS", name, at, elapsed, 0, error)
    event = event_of(call, 0.0)
    event["why"] = tracer.wants(call) or "player"
    if event["why"] != "player":
        tracer.keep(event)
    return event


def call(ms: float, at: float = 1.0, **changes: Any) -> TraceEvent:
    event = event_of(FinishedCall("WS", "match_join", at, ms / 1e3, 10, None), START)
    mine = {
        "source": "local",
        "why": "slow",
        "player": "aa",
        "uid": hashed(UID),
        "sid": hashed(SID),
        "cid": "7",
    }
    return event | mine | {"state": "in match"} | changes  # type: ignore[return-value, operator]


def row(at: float, source: str = "local", **gauges: float) -> Interval:
    return gauges_only(source, START + at, 1.0, gauges)


def test_the_slowest_calls_and_first_failures_of_each_name_are_kept() -> None:
    tracer = Tracer(3, 0.0)
    for number in range(100):
        feed(tracer, "rpc", (number * 37 % 100) / 1e3, at=number)
        feed(tracer, "match_join", 5.0 + number)
        feed(tracer, "rpc", 1.0, RequestTimeout("x"), at=number)
        feed(tracer, "rpc", 50.0, Abandoned("stopped"))
    events = tracer.take()
    assert sorted(event["ms"] for event in events if (event["name"], event["why"]) == ("rpc", "slow")) == [
        97,
        98,
        99,
    ]
    assert [event["at"] for event in events if event["why"] == "failed"] == [0, 1, 2]
    assert {event["error"] for event in events} == {"", "RequestTimeout"}
    assert len(events) == 9
    assert tracer.take() == []


def test_names_players_and_the_run_are_bounded() -> None:
    tracer = Tracer(5, 0.0)
    for number in range(3 * MOST_NAMES):
        for _ in range(9):
            feed(tracer, f"name{number}", 0.1)
            feed(tracer, f"name{number}", 0.1, RequestTimeout("x"))
    assert len(tracer.take()) == 2 * 5 * (MOST_NAMES + 1)
    assert sum(tracer.story() is not None for _ in range(50)) == 5
    assert sum(Tracer(100, 0.0).story() is not None for _ in range(1)) == 1
    many = Tracer(100, 0.0)
    assert sum(many.story() is not None for _ in range(50)) == PLAYERS
    # With the largest value of the setting, one process stays below the bound of a run.
    assert 2 * 100 * (MOST_NAMES + 1) + PLAYERS * STORY < MOST
    log = TraceLog()
    log.add("local", [call(1.0)] * (MOST + 5))
    assert (len(log), log.left_out) == (MOST, 5)


def test_names_beyond_the_bound_share_their_slowest_calls() -> None:
    tracer = Tracer(2, 0.0)
    for number in range(2 * MOST_NAMES):
        for elapsed in (0.2, 0.3):
            feed(tracer, f"name{number}", elapsed)
    call = FinishedCall("WS", "another", 0.0, 0.25, 0, None)
    assert tracer.wants(call) == ""
    assert tracer.wants(call._replace(elapsed=0.35)) == "slow"


def test_a_call_displaced_from_the_slowest_is_not_counted() -> None:
    tracer = Tracer(1, 0.0)
    story = tracer.story()
    assert story is not None
    story += [feed(tracer, "rpc", elapsed) for elapsed in (0.1, 0.2, 0.3)]
    events = tracer.take()
    assert sorted((event["ms"], event["why"]) for event in events) == [
        (100.0, "player"), (200.0, "player"), (300.0, "slow"),
    ]  # fmt: skip
    assert "the 1 slowest calls of 1 that were kept" in explain(events, Timeline(0.0))[0]


@pytest.mark.parametrize(
    ("started", "elapsed"), [(0.0, 1e300), (-1e300, 1e300), (1e300, 0.1), (math.nan, 0.1), (0.0, -1e300)]
)
def test_extreme_times_can_be_written_and_read(tmp_path: Path, started: float, elapsed: float) -> None:
    events = [event_of(FinishedCall("SAMPLE", "x", started, elapsed, 0, None, elapsed), START)]
    write_traces(tmp_path, events, Timeline(START))
    assert read_traces(tmp_path) == events
    assert json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))["traceEvents"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    timeline = Timeline(START)
    for at in range(10):
        timeline.add(row(at, cpu=0.2, loop_busy=0.3, hub_lag_max=0.004, receive_wait_max=0.003))
        timeline.add(row(at, "server", **{"server.latency_p99": 0.5 if at == 4 else 0.01, "server.cpu": 0.7}))
    events = [
        call(900.0, at=4.2),
        call(30.0, at=6.5, cid="8", waited_ms=400.0),
        call(5.0, at=1.0, cid="9", player="bb"),
        call(7000.0, kind="PUSH", cid=""),
        call(1.0, why="player", kind="PUSHED", name="match_data", cid=""),
    ]
    write_timeline(tmp_path, timeline)
    write_traces(tmp_path, events, timeline)
    return tmp_path


def test_explain_names_the_slow_part_and_what_else_happened(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(folder)]) == 0
    first, second, third = capsys.readouterr().out.split("\n\n")[1:]
    assert first.startswith("1. WS match_join  900.0 ms at 4.2 s, player aa, cid 7 (in match)")
    assert "-> server or network" in first
    assert "generator then: cpu 20 %, loop busy 30 %, hub lag max 4.0 ms" in first
    assert "server then: CPU 70 %, latency p99 500.0 ms" in first
    assert second.startswith("2. WS match_join  430.0 ms at 6.5 s")
    assert "on the wire and in the server 30.0 ms, waited in our process 400.0 ms  -> generator" in second
    assert "latency p99 10.0 ms" in second
    assert third.startswith("3. WS match_join  5.0 ms")
    assert main(["explain", str(folder), "--number", "1"]) == 0
    assert "2. WS" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "stall", "part"),
    [
        # Left unread by its player: until it was read, or before it could arrive.
        ({"ms": 10.0, "waited_ms": 500.0, "unread_ms": 505.0}, 0.0, "slow reader"),
        ({"ms": 800.0, "waited_ms": None, "unread_ms": 700.0}, 0.0, "slow reader"),
        ({"ms": 800.0, "waited_ms": 1.0, "unread_ms": 700.0}, 0.0, "server or network"),  # the answer was later
        ({"ms": 800.0, "waited_ms": None, "unread_ms": 90.0}, 0.0, "server or network"),
        # The stamp may belong to a later message.
        ({"ms": 800.0, "waited_ms": 1.0, "bounds": True}, 0.7, "generator"),
        ({"ms": 800.0, "waited_ms": 1.0, "bounds": True}, 0.1, "server or network"),
        ({"ms": 800.0, "waited_ms": 1.0, "bounds": True, "unread_ms": 700.0}, 0.0, "slow reader"),
        ({"ms": 10.0, "waited_ms": 1.0, "woken_ms": 300.0}, 0.0, "generator"),
    ],
)
def test_a_slow_reader_is_named(changes: dict[str, Any], stall: float, part: str) -> None:
    assert part_of(call(**changes), [row(1.0, hub_lag_max=stall)]) == part


def scraped(at: float, seconds: float = 5.0, **figures: float) -> Interval:
    """A scrape at ``at``, since the one ``seconds`` before."""
    return row(at - seconds, "server", **{f"server.{name}": value for name, value in figures.items()}) | {
        "seconds": seconds
    }


def server_lines(*scrapes: Interval, at: float, ms: float) -> str:
    timeline = Timeline(START)
    for one in scrapes:
        timeline.add(one)
    lines = explain([call(ms, at=at)], timeline)
    return "\n".join(line.strip() for line in lines if line.strip().startswith(("server", "database")))


def test_server_figures_are_from_the_scrapes_around_the_call() -> None:
    scrapes = [
        scraped(5 * number, gc_pauses=number, gc_seconds=0.001 * number**2, matchmaker_runs=number // 3,
                matchmaker_seconds=0.02 * (number // 3), goroutines=80 + number)
        for number in range(6)
    ]  # fmt: skip
    assert server_lines(*scrapes, at=12.0, ms=900.0) == (
        "server then: goroutines 83\n"
        "server between the scrapes at 10.0 s and 15.0 s: garbage collection 1 time, 5.0 ms, "
        "matchmaker 1 time, 20.0 ms, match loop not measured\n"
        "database wait not measured"
    )
    # A call that spans a scrape: both intervals.
    assert "between the scrapes at 10.0 s and 20.0 s: garbage collection 2 times, 12.0 ms" in server_lines(
        *scrapes, at=14.5, ms=900.0
    )
    assert server_lines(at=12.0, ms=900.0) == "server then: not measured"
    first = server_lines(scraped(5.0, gc_pauses=0.0, goroutines=9), at=1.0, ms=10.0)
    assert first.endswith(
        "goroutines 9\nserver between the scrapes: not measured, the call was before the first"
    )


def test_database_waits_are_from_the_reports_around_the_call() -> None:
    def reported(at: float, report: int) -> Interval:
        return scraped(at, messages=1000.0 * report, db_waits=3.0 * report, db_wait_seconds=0.25 * report)

    scrapes = [reported(at, at // 60) for at in range(0, 181, 5)]
    line = server_lines(*scrapes, at=71.0, ms=500.0)
    assert "database wait 3 times, 250.0 ms, between the server's reports at 60.0 s and 120.0 s" in line
    # A call that spans a report: the next report counts too.
    line = server_lines(*scrapes, at=59.0, ms=3000.0)
    assert "database wait 6 times, 500.0 ms, between the server's reports at 0.0 s and 120.0 s" in line
    line = server_lines(*scrapes[:-1], at=130.0, ms=500.0)
    assert "database wait not reported before the run ended" in line


@pytest.mark.parametrize(
    ("ms", "waited", "stall", "part"),
    [
        (800.0, None, 0.01, "server or network"),
        (800.0, None, 0.7, "generator"),
        (8.0, None, 0.7, ""),  # the stall is longer than the call, so it was at another time
        (800.0, 1.0, 0.7, "server or network"),
        (10.0, 500.0, 0.0, "generator"),
    ],
)
def test_the_part_that_took_the_time(ms: float, waited: float | None, stall: float, part: str) -> None:
    assert part_of(call(ms, waited_ms=waited), [row(1.0, hub_lag_max=stall)]) == part


def log_line(at: float, cid: str = "7", **changes: str) -> bytes:
    second = f"2023-11-14T22:13:{20 + at:06.3f}Z"  # START plus ``at``
    entry = {"level": "debug", "ts": second, "msg": "Received message", "uid": UID, "sid": SID, "cid": cid}
    return orjson.dumps(entry | changes) + b"\n"


def test_lines_of_the_server_log_are_under_the_call(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = folder / "nakama.log"
    log.write_bytes(
        log_line(4.3)
        + log_line(4.4, msg="slow query", error=f"user {UID}")
        + log_line(4.4, cid="70", msg="of another cid")
        + log_line(4.4, sid="another", msg="of another session")
        + log_line(30.0, msg="of another time")
        + log_line(4.4, uid="another", msg="of another user")
        + b"not JSON\n[1]\n"
    )
    assert main(["explain", str(folder), "--server-log", str(log)]) == 0
    out = capsys.readouterr().out
    first = out.split("\n\n")[1]
    assert [line.strip() for line in first.splitlines() if "log" in line] == [
        "server's log: 22:13:24.300Z debug Received message",
        "server's log: 22:13:24.400Z debug slow query error=user <id>",
    ]
    assert "of another" not in out
    assert "server's log: 1 of 3 kept calls with a cid have lines (33.3%)" in out
    assert "server's log: 2 of 8 lines are not JSON with a timestamp" in out


def test_a_log_of_another_server_is_one_line(folder: Path) -> None:
    traces = read_traces(folder)
    log = ServerLog(traces)
    log.add([log_line(4.3, uid="another")])
    lines = explain(traces, Timeline(START), log)
    assert lines[-1] == "server's log: from another server or another time, or not at level debug"


def test_only_shown_lines_of_a_large_log_are_kept(folder: Path) -> None:
    traces = read_traces(folder)
    log = ServerLog(traces)
    long = "x" * 250
    kinds: tuple[dict[str, str], ...] = ({"cid": "70"}, {"uid": "another"}, {"sid": "another"}, {})
    lines = (log_line(at, msg=long, **changes) for _ in range(500) for changes in kinds for at in (4.3, 30.0))
    tracemalloc.start()
    try:
        log.add(lines)
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
    assert log.read == 4000
    (found,) = (event for event in traces if event["cid"] == "7")
    assert len(log.of(found)) == LINES


def test_an_unreadable_log_is_a_one_line_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(folder), "--server-log", "/nonexistent"]) == 2
    assert capsys.readouterr().err.startswith("nakama-bots explain: --server-log: ")


def test_missing_and_damaged_traces_are_one_line_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(tmp_path)]) == 2
    assert "the run needs --nakama-traces N" in capsys.readouterr().err
    for content in (b"x", gzip.compress(b"{}\n"), gzip.compress(b'{"schema": "nakama-bots/traces/1"}\n{}\n')):
        (tmp_path / "traces.jsonl.gz").write_bytes(content)
        with pytest.raises(
            TraceError, match=r"traces\.jsonl\.gz: (not a whole gzip|unsupported trace schema|damaged traces)"
        ):
            read_traces(tmp_path)


def tracks(folder: Path) -> Iterator[tuple[tuple[int, int], list[dict[str, Any]]]]:
    document = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    calls = [event for event in document["traceEvents"] if event["ph"] == "X"]
    for track in sorted({(event["pid"], event["tid"]) for event in calls}):
        yield track, [event for event in calls if (event["pid"], event["tid"]) == track]


def test_chrome_traces_have_tracks_per_player_without_overlaps(tmp_path: Path) -> None:
    timeline = Timeline(START)
    timeline.add(row(0.0, loop_busy=0.5, users=3.0))
    # Two calls of one player at the same time, and one of another player.
    events = [call(500.0), call(100.0, at=1.1), call(50.0, at=2.0), call(70.0, player="bb", source="w1")]
    write_traces(tmp_path, events, timeline)
    document = json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))
    names = [event["args"]["name"] for event in document["traceEvents"] if event["name"] == "thread_name"]
    assert sorted(names) == ["player aa", "player aa (2)", "player bb"]
    counters = {event["name"] for event in document["traceEvents"] if event["ph"] == "C"}
    assert counters == {"event loop busy", "users"}
    found = dict(tracks(tmp_path))
    assert len(found) == 3
    for on_track in found.values():
        for before, after in pairwise(on_track):
            assert before["ts"] + before["dur"] <= after["ts"]
    first = next(event for event in document["traceEvents"] if event["ph"] == "X")
    assert (first["ts"], first["dur"], first["name"]) == (1_000_000, 500_000, "WS match_join")
    assert first["args"]["cid"] == "7"
