"""Traces of a run: their players and cids, and no traces unless requested."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

from nakama_bots.results.run_folder import read_traces
from nakama_bots.results.traces.tracer import TraceEvent, total_ms

from .running import TRACE, Locust, assert_no_secret, calls, run


def test_a_run_keeps_players_whole_and_the_slowest_calls(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "4", "-r", "4", "-t", "6s", "--nakama-traces", "3")
    assert locust.finish() == 0
    assert TRACE not in locust.output
    [folder] = locust.folders
    traces = read_traces(folder)
    # The cid of a call is that of the socket: counted from 1 in the order of sending.
    for sent in _connections(traces).values():
        assert [event["cid"] for event in sent] == [str(number + 1) for number in range(len(sent))]
    assert len({event["player"] for event in traces if event["why"] == "player"}) == 3
    # The slowest call of each name is kept.
    for (kind, name), call in calls(locust.summary).items():
        slowest = max(total_ms(event) for event in traces if (event["kind"], event["name"]) == (kind, name))
        assert slowest >= call["ok_ms"]["max"] - 0.01, name
    pushed = {event["name"] for event in traces if event["kind"] == "PUSHED"}
    assert {"match_data", "matchmaker_matched"} <= pushed
    # Each has its player, and the state of the player at that time.
    uids = {event["player"]: event["uid"] for event in traces if event["kind"] == "WS"}
    noted = [event for event in traces if event["kind"] in {"PUSHED", "SAMPLE"}]
    assert {event["player"]: event["uid"] for event in noted} == {
        event["player"]: uids[event["player"]] for event in noted
    }
    states = {(event["name"], event["state"]) for event in noted}
    # A delivery can still arrive after its receiver has left.
    inside = {state for name, state in states if name == "tick_lateness"}
    assert inside, states
    assert all("in match" in state for state in inside), states
    assert all("woken_ms" in event for event in traces if event["cid"] and event["outcome"] == "ok")
    assert any(event["state"] == "in matchmaker" for event in traces)
    assert all(len(event["sid"]) in {0, 16} and "-" not in event["uid"] for event in traces)
    document = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    assert len([event for event in document["traceEvents"] if event["ph"] == "X"]) == len(traces)
    assert_no_secret(locust)
    # The figures equal those of a run without traces.
    assert sum(call["count"] for call in locust.summary["calls"]) > 0
    assert "requests" not in next(iter(locust.timeline))
    assert "traces" not in list(locust.timeline)[-1]


def test_workers_send_their_traces_to_the_master(tmp_path: Path) -> None:
    with Locust(
        tmp_path, "-u", "4", "-r", "4", "-t", "10s", "--processes", "2", "--nakama-traces", "2"
    ) as locust:
        assert locust.finish() == 0
    [folder] = locust.folders
    traces = read_traces(folder)
    workers = {worker["id"] for worker in locust.summary["workers"]}
    assert {event.get("source") for event in traces} == workers
    assert len(workers) == 2


def test_no_traces_unless_requested(tmp_path: Path) -> None:
    locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "2s")
    assert locust.finish() == 0
    [folder] = locust.folders
    assert not list(folder.glob("trace*"))


def _connections(traces: list[TraceEvent]) -> dict[str, list[TraceEvent]]:
    """Calls with a cid of players that are kept whole, by player; one connection each without reconnects."""
    whole = {event["player"] for event in traces if event["why"] == "player"}
    found: dict[str, list[TraceEvent]] = defaultdict(list)
    for event in sorted(traces, key=lambda event: event["at"]):
        if event["player"] in whole and event["kind"] == "WS" and event["name"] != "connect":
            found[event["player"]].append(event)
    assert found
    return found
