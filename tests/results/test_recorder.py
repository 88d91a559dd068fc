from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nakama_bots.errors import (
    Abandoned,
    CallError,
    ConnectionClosed,
    ConnectionRefused,
    HeartbeatTimeout,
    ProtocolError,
    RequestTimeout,
    ScenarioFault,
    SessionExpired,
    realtime_error,
    rest_error,
)
from nakama_bots.observer import TICK_LATENESS, FinishedCall, Observer
from nakama_bots.results.record.recorder import OTHER, OUTCOMES, Recorder, outcome_of
from nakama_bots.results.shapes import ShapeError

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiIxIn0.c2lnbmF0dXJl"
ID = "2f1c8c1e-0b1c-4d0e-9f5e-3a1b2c3d4e5f"

OF_EACH_KIND = [
    (None, "ok"),
    (rest_error(404, 5, "not found"), "server_error"),
    (realtime_error(4, f"Match {ID} not found", operation="match_join"), "server_error"),
    (RequestTimeout("no answer within 10 s"), "timeout"),
    (ConnectionClosed(1001, "going away"), "closed"),
    (HeartbeatTimeout(1006, "no pong"), "closed"),
    (Abandoned("stopped"), "abandoned"),
    (ConnectionRefused("nothing listens there"), "failed"),
    (ProtocolError("a masked frame"), "failed"),
    (SessionExpired("both tokens expired"), "failed"),
    (CallError("something else"), "failed"),
]

calls = st.tuples(
    st.just("call"),
    st.sampled_from(["WS", "PUSH", "GET"]),
    st.sampled_from(["match_join", "ping", "/v2/account", "a", "b", "c"]),
    st.floats(0, 100),
    st.floats(-1, 4000),
    st.integers(0, 5000),
    st.sampled_from([error for error, _ in OF_EACH_KIND]),
    st.one_of(st.none(), st.floats(0, 4000)),
)
samples = st.tuples(st.just("sample"), st.sampled_from([TICK_LATENESS, "x", "y", "z"]), st.floats(-1, 4000))
counts = st.tuples(st.just("count"), st.sampled_from(["ledger.sent", "x", "y", "z"]), st.integers(0, 9))
# An event, how often it occurs (a batch is 256), and the worker that records it.
events = st.lists(
    st.tuples(st.one_of(calls, samples, counts), st.sampled_from([1, 1, 1, 2, 130]), st.integers(0, 2)),
    max_size=30,
)


def feed(recorder, event, times=1):
    method, *arguments = event
    for _ in range(times):
        if method == "call":
            recorder.call(FinishedCall(*arguments))
        else:
            getattr(recorder, method)(*arguments)


def content(recorder):
    """Everything that a recorder holds, in an order that does not depend on arrival."""
    recorded = recorder.recorded()
    return {
        **recorded,
        "calls": sorted(recorded["calls"], key=lambda row: (row["kind"], row["name"])),
        "errors": sorted(recorded["errors"], key=lambda row: (row["kind"], row["name"], row["label"])),
    }


@settings(deadline=None)
@given(events, st.sets(st.integers(0, 29)))
def test_any_split_drained_and_merged_equals_one_recorder(happened, drained_after):
    one, master = Recorder(0.0), Recorder(0.0)
    workers = [Recorder(0.0) for _ in range(3)]
    for index, (event, times, worker) in enumerate(happened):
        feed(one, event, times)
        feed(workers[worker], event, times)
        if index in drained_after:
            master.merge(msgpack.unpackb(msgpack.packb(workers[worker].drain())))
    for worker in workers:
        master.merge(orjson.loads(orjson.dumps(worker.drain())))
    assert content(master) == content(one)


@settings(deadline=None)
@given(events, st.sets(st.integers(0, 29)))
def test_at_the_limit_one_worker_still_merges_exactly(happened, drained_after):
    one, worker, master = Recorder(0.0, limit=2), Recorder(0.0, limit=2), Recorder(0.0, limit=2)
    for index, (event, times, _) in enumerate(happened):
        feed(one, event, times)
        feed(worker, event, times)
        if index in drained_after:
            master.merge(worker.drain())
    master.merge(worker.drain())
    assert content(master) == content(one)


@settings(deadline=None)
@given(events)
def test_at_the_limit_nothing_is_lost_and_rows_are_bounded(happened):
    master, workers = Recorder(0.0, limit=2), [Recorder(0.0, limit=2) for _ in range(3)]
    for event, times, worker in happened:
        feed(workers[worker], event, times)
    for worker in workers:
        master.merge(worker.drain())
    by_method = {
        method: [(event, times) for event, times, _ in happened if event[0] == method]
        for method in ("call", "sample", "count")
    }
    all_calls = sum(times for _, times in by_method["call"])
    failures = sum(times for event, times in by_method["call"] if event[6])
    rows = master.calls.values()
    assert sum(row.ok.count + row.failed.count for row in rows) == all_calls
    assert sum(row.failed.count for row in rows) == failures
    assert sum(sum(row.outcomes.values()) for row in rows) == failures
    stopped = sum(row.outcomes.get("abandoned", 0) for row in rows)
    assert sum(row.count for row in master.errors.values()) == failures - stopped
    assert sum(row.size for row in rows) == sum(event[5] * times for event, times in by_method["call"])
    assert sum(row.count for row in master.samples.values()) == sum(times for _, times in by_method["sample"])
    assert sum(master.counts.values()) == sum(event[2] * times for event, times in by_method["count"])
    # Two names, the (other) row, and the package's own name, which is always kept.
    assert len(master.calls) <= 3
    assert len(master.errors) <= 3
    assert len(master.samples) <= 4
    assert len(master.counts) <= 4


def test_late_names_share_one_row_and_known_ones_keep_theirs():
    recorder = Recorder(0.0, limit=1)
    for name in ("first", "second", "third", "first"):
        recorder.call(FinishedCall("WS", name, 0.0, 0.1, 10, RequestTimeout(f"no answer to {name}")))
        recorder.sample(name, 0.1)
        recorder.count(name)
    for own in ("ledger.sent", TICK_LATENESS):
        recorder.count(own, 5)
        recorder.sample(own, 1.0)
    assert {key: row.failed.count for key, row in recorder.calls.items()} == {
        ("WS", "first"): 2,
        (OTHER, OTHER): 2,
    }
    assert {key: row.count for key, row in recorder.errors.items()} == {
        ("WS", "first", "RequestTimeout: no answer to first"): 2,
        (OTHER, OTHER, OTHER): 2,
    }
    assert recorder.counts == {"first": 2, OTHER: 2 + 5, "ledger.sent": 5}
    assert {name: row.count for name, row in recorder.samples.items()} == {
        "first": 2,
        OTHER: 2 + 1,
        TICK_LATENESS: 1,
    }


@pytest.mark.parametrize(("error", "outcome"), OF_EACH_KIND)
def test_every_outcome_of_a_call(error, outcome):
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "ping", 0.0, 0.1, 7, error))
    row = recorder.calls["WS", "ping"]
    if error is None:
        assert (row.ok.count, row.failed.count, row.outcomes) == (1, 0, {})
    else:
        assert outcome_of(error) == outcome
        assert (row.ok.count, row.failed.count, row.outcomes) == (0, 1, {outcome: 1})
    assert row.size == 7
    assert outcome in OUTCOMES


def test_failures_are_not_in_the_percentiles():
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "ping", 0.0, 0.001, 7, None))
    recorder.call(FinishedCall("WS", "ping", 0.0, 10.0, 0, RequestTimeout("no answer")))
    row = recorder.calls["WS", "ping"]
    assert row.ok.max == 0.001
    assert row.failed.min == 10.0


def test_failures_with_different_ids_share_the_earliest_example():
    recorder = Recorder(100.0)
    for started, last in ((107.0, "7"), (103.0, "3"), (105.0, "5")):
        error = realtime_error(4, f"Match {ID[:-1]}{last} not found", operation="match_join")
        recorder.call(FinishedCall("WS", "match_join", started, 0.5, 0, error))
    ((key, row),) = recorder.errors.items()
    assert key == ("WS", "match_join", "MatchNotFound: 4 MATCH_NOT_FOUND: Match <id> not found")
    assert (row.count, row.first_seen) == (3, 3.5)
    assert row.example == f"match_join: 4 MATCH_NOT_FOUND: Match {ID[:-1]}3 not found"


def test_records_have_no_secrets_and_bounded_texts():
    recorder = Recorder(0.0)
    for text in (f"refused {TOKEN}", "bad http_key=hunter22", "Basic aHVudGVyMjI6 refused", "x" * 5000):
        recorder.call(FinishedCall("GET", "/v2/account", 0.0, 0.1, 0, rest_error(401, 16, text)))
    dumped = orjson.dumps(recorder.recorded()).decode()
    assert TOKEN not in dumped
    assert "hunter22" not in dumped
    assert "aHVudGVyMjI6" not in dumped
    assert len(recorder.errors) == 4
    assert max(len(label) for _, _, label in recorder.errors) == 300
    assert max(len(row.example) for row in recorder.errors.values()) == 300


def test_drain_resets_and_recorded_does_not():
    recorder = Recorder(0.0)
    feed(recorder, ("call", "WS", "ping", 0.0, 0.1, 7, None))
    feed(recorder, ("count", "x", 3))
    assert recorder.recorded() == recorder.recorded()
    assert recorder.drain()["counts"] == {"x": 3}
    empty = recorder.drain()
    assert (empty["calls"], empty["samples"], empty["counts"], empty["errors"]) == ([], {}, {}, [])


def test_reset_forgets_names_and_moves_the_origin():
    recorder = Recorder(0.0, limit=1)
    recorder.count("first")
    recorder.reset(50.0)
    recorder.count("second")
    recorder.call(FinishedCall("WS", "ping", 51.0, 1.0, 0, RequestTimeout("no answer")))
    assert recorder.counts == {"second": 1}
    assert [row.first_seen for row in recorder.errors.values()] == [2.0]


def test_a_recorder_is_an_observer():
    observer: Observer = Recorder(0.0)
    observer.count("x")


def broken(change):
    recorder = Recorder(0.0)
    feed(recorder, ("count", "x", 3))
    feed(recorder, ("sample", "x", 3.0), 300)
    feed(recorder, ("call", "WS", "ping", 0.0, 0.1, 7, None), 300)
    payload = recorder.drain()
    change(payload)
    return payload


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "the schema 'nakama-bots/recorded/1' is expected, not None"),
        ({"schema": "nakama-bots/recorded/2"}, "not 'nakama-bots/recorded/2'"),
        (broken(lambda p: p.pop("counts")), "recorded: Object missing required field counts"),
        (broken(lambda p: p["counts"].update(x="3")), r"recorded\.counts\[...\]: Expected int, got str"),
        (broken(lambda p: p["calls"][0].update(bytes=1.5)), r"recorded\.calls\[0\]\.bytes: Expected int"),
        (broken(lambda p: p["calls"][0]["ok"].update(hdr="AAAA")), "not an encoded HDR histogram"),
        (broken(lambda p: p["samples"]["x"].update(raw_us=[-1])), "raw value"),
    ],
)
def test_a_bad_payload_is_refused_whole(payload, message):
    recorder = Recorder(0.0)
    with pytest.raises(ShapeError, match=message):
        recorder.merge(payload)
    assert content(recorder) == content(Recorder(0.0))


class Word(StrEnum):
    """A subclass of str."""

    FISH = "fish"


BAD_NAMES = [None, 7, "", "x" * 501, "a \ud800 b", [], b"fish"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=[str(number) for number in range(len(BAD_NAMES))])
def test_bad_names_are_refused(name: Any) -> None:
    recorder = Recorder(0.0)
    for keep in (
        lambda: recorder.count(name),
        lambda: recorder.sample(name, 0.1),
        lambda: recorder.call(FinishedCall(name, "bite", 0.0, 0.1, 1, None)),
        lambda: recorder.call(FinishedCall("MINE", name, 0.0, 0.1, 1, None)),
    ):
        with pytest.raises(ScenarioFault, match=r"(name|kind) of a"):
            keep()
    assert (recorder.calls, recorder.samples, recorder.counts) == ({}, {}, {})


@pytest.mark.parametrize("number", [0.5, "1", None, 2**63, -(2**70), 2**70, 10**400, float("nan"), [1]])
def test_bad_counts_are_refused(number: Any) -> None:
    recorder = Recorder(0.0)
    recorder.count("fish", 3)
    for name in ("fish", "other"):
        with pytest.raises(ScenarioFault, match=f"count '{name}': .* accepted: a whole number"):
            recorder.count(name, number)
    assert recorder.counts == {"fish": 3}


def test_a_series_and_a_tally_are_in_the_next_read() -> None:
    recorder = Recorder(0.0)
    nap, bites = recorder.series("nap", "nap.cat"), recorder.tally("bites")
    nap(0.002)
    bites(2)
    assert recorder.samples["nap.cat"].max == recorder.samples["nap"].max == 0.002
    assert recorder.counts == {"bites": 2}
    nap(4000.0)
    nap(-1.0)
    bites(1)
    taken = recorder.take()
    assert (taken.samples["nap"].count, taken.samples["nap"].overflow, taken.samples["nap"].underflow) == (
        3,
        1,
        1,
    )
    assert taken.counts == {"bites": 3}
    nap(0.002)
    bites(1)
    recorder.reset(1.0)
    assert (recorder.samples, recorder.counts) == ({}, {})
    nap(0.002)
    assert recorder.drain()["samples"]["nap"]["raw_us"] == [2000]


def test_a_number_that_python_cannot_print_is_refused() -> None:
    with pytest.raises(ScenarioFault, match="a value of type int cannot be kept"):
        Recorder(0.0).count("fish", 10**5000)


def test_a_total_stays_within_64_bits() -> None:
    recorder = Recorder(0.0)
    recorder.count("fish", 2**63 - 1)
    with pytest.raises(ScenarioFault):
        recorder.count("fish")
    assert recorder.counts == {"fish": 2**63 - 1}


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "1", None, 1j, 10**400, [1]])
def test_bad_times_are_refused(seconds: Any) -> None:
    recorder = Recorder(0.0)
    with pytest.raises(ScenarioFault, match=r"sample 'nap': .* accepted: a finite number of seconds"):
        recorder.sample("nap", seconds)
    with pytest.raises(ScenarioFault, match="time of call 'bite'"):
        recorder.call(FinishedCall("MINE", "bite", 0.0, seconds, 1, None))
    if seconds is not None:
        with pytest.raises(ScenarioFault, match="time of call 'bite'"):
            recorder.call(FinishedCall("MINE", "bite", 0.0, 0.1, 1, None, seconds))
    assert (recorder.calls, recorder.samples) == ({}, {})


@pytest.mark.parametrize("size", [1.5, -1, "1", None, 2**63])
def test_bad_sizes_are_refused(size: Any) -> None:
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("MINE", "bite", 0.0, 0.1, 7, None))
    with pytest.raises(ScenarioFault, match="size of call 'bite'"):
        recorder.call(FinishedCall("MINE", "bite", 0.0, 0.1, size, None))
    row = recorder.calls["MINE", "bite"]
    assert (row.ok.count, row.size) == (1, 7)


@pytest.mark.parametrize("error", [ValueError("none of ours"), "failed", 0])
def test_foreign_errors_are_refused(error: Any) -> None:
    recorder = Recorder(0.0)
    with pytest.raises(ScenarioFault, match="accepted: None or a CallError"):
        recorder.call(FinishedCall("MINE", "bite", 0.0, 0.1, 1, error))
    assert recorder.calls == {}


def test_kept_names_and_texts_can_be_written_and_merged() -> None:
    recorder = Recorder(0.0)
    recorder.count(Word.FISH, True)
    recorder.count("fish", 2)
    recorder.call(FinishedCall("MINE", Word.FISH, float("nan"), 0.1, 1, CallError("a \ud800 surrogate")))
    total = Recorder(0.0)
    total.merge(orjson.loads(orjson.dumps(recorder.recorded())))
    assert total.counts == {"fish": 3}
    assert [type(name) for name in recorder.counts] == [str]
    ((_, name, _),) = total.errors
    assert name == "fish"


def test_a_fault_names_value_and_accepted_values_without_secrets() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiJwIn0.c2ln"
    with pytest.raises(ScenarioFault) as caught:
        Recorder(0.0).count(token, 0.5)  # type: ignore[arg-type]
    assert (
        str(caught.value) == "count '<token>': 0.5 cannot be kept; accepted: a whole number of at most 64 bits"
    )
    assert "0.5" not in caught.value.label
