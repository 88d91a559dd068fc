from __future__ import annotations

import gzip

import orjson
import pytest

from nakama_bots.errors import RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record import gauges
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline, TimelineError, gauges_only, interval_length
from nakama_bots.results.run_folder import TIMELINE_FILE, read_timeline, write_timeline

START = 1_700_000_000.0


def interval(source, at, answers, seconds=1.0):
    recorder = Recorder(0.0)
    for elapsed in answers:
        recorder.call(FinishedCall("WS", "ping", 0.0, elapsed, 7, None))
    recorder.call(FinishedCall("WS", "match_join", 0.0, 10.0, 0, RequestTimeout("no answer")))
    recorder.count("ticks_sent", len(answers))
    return {
        "source": source,
        "at": at,
        "seconds": seconds,
        "recorded": recorder.drain(),
        "gauges": {gauges.USERS: 5.0},
    }


@pytest.fixture
def timeline():
    timeline = Timeline(START)
    for second in range(10):
        timeline.add(interval("a", START + second, [0.001 * (second + 1)] * 3))
        timeline.add(interval("b", START + second + 0.4, [0.5] * 300))
    return timeline


def test_a_window_has_the_intervals_that_are_wholly_inside(timeline):
    inside = list(timeline.within(START + 2, START + 5))
    assert [(row["source"], row["at"] - START) for row in inside] == [
        ("a", 2), ("b", pytest.approx(2.4)), ("a", 3), ("b", pytest.approx(3.4)), ("a", 4),
    ]  # fmt: skip
    recorder = Recorder(0.0)
    for interval in inside:
        recorder.merge(interval["recorded"])
    row = recorder.calls["WS", "ping"].ok
    assert (row.count, row.min, row.max) == (3 * 3 + 2 * 300, 0.003, 0.5)
    assert recorder.counts == {"ticks_sent": 609}
    assert timeline.ended == pytest.approx(START + 10.4)


def test_a_time_line_round_trips(timeline, tmp_path):
    timeline.add(gauges_only("server", START + 11, 2.0, {"nakama_sessions": 7}))
    path = write_timeline(tmp_path, timeline)
    for read in (read_timeline(tmp_path), read_timeline(path)):
        assert list(read) == list(timeline)
        assert read.started == START
    assert [entry.name for entry in tmp_path.iterdir()] == [TIMELINE_FILE]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:200], "not a whole gzip file"),
        (lambda data: b"{}", "not a whole gzip file"),
        (lambda data: gzip.compress(b""), 'its "schema" is None'),
        (lambda data: gzip.compress(b'{"schema":"nakama-bots/timeline/2"}'), "timeline/2"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-40]), "a damaged time line"),
        (lambda data: gzip.compress(gzip.decompress(data) + b'{"source":"a"}\n'), "missing required field at"),
        (
            lambda data: gzip.compress(
                gzip.decompress(data).replace(b'"count', b'"c').replace(b"raw_us", b"raw")
            ),
            "missing required field",
        ),
    ],
)
def test_a_bad_file_is_named(timeline, tmp_path, change, message):
    path = write_timeline(tmp_path, timeline)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(TimelineError, match=message) as caught:
        read_timeline(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TimelineError, match=r"timeline\.jsonl\.gz: cannot be read"):
        read_timeline(tmp_path)


def test_intervals_grow_with_the_run():
    assert [interval_length(elapsed) for elapsed in (0.0, 599.9, 600.0, 1800.0, 3600.0, 86400.0)] == [
        1.0, 1.0, 2.0, 5.0, 10.0, 10.0,
    ]  # fmt: skip
    rows, elapsed = 0, 0.0
    while elapsed < 86400:
        elapsed += interval_length(elapsed)
        rows += 1
    assert rows < 10_000


def test_gauges_of_several_processes_are_combined():
    assert gauges.fold(gauges.USERS, [3, 4]) == 7
    assert gauges.fold("nakama_sessions", [3]) == 3


def test_every_row_is_json(timeline):
    assert orjson.loads(orjson.dumps(list(timeline))) == list(timeline)
