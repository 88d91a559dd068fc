"""A run in blocks and its baseline file: it round-trips, and damaged files are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from nakama_bots.errors import Abandoned, RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.compare.profile import (
    BLOCKS,
    NothingToCompare,
    ProfileError,
    baseline_of,
    profile_of,
    read_profile,
    write_baseline,
)
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.sparse import highest_in, merged
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.run_folder import write_summary, write_timeline
from nakama_bots.results.summary import build_summary

from .conftest import STARTED

START = STARTED.timestamp()
PING = ("WS", "ping")


def interval(second, pings, source="local"):
    recorder = Recorder(0.0)
    for elapsed in pings:
        recorder.call(FinishedCall("WS", "ping", 0.0, elapsed, 7, None))
    recorder.call(
        FinishedCall("WS", "match_join", 0.0, 10.0, 0, RequestTimeout("no answer", operation="match_join"))
    )
    recorder.call(FinishedCall("WS", "match_join", 0.0, 1.0, 0, Abandoned("stopped", operation="match_join")))
    recorder.sample("tick_lateness", 0.002)
    return {
        "source": source, "at": START + second, "seconds": 1.0, "recorded": recorder.drain(), "gauges": {},
    }  # fmt: skip


@pytest.fixture
def timeline():
    timeline = Timeline(START)
    for second in range(40):
        for source in ("a", "b"):
            timeline.add(interval(second, [0.001 * (second + 1)] * 300, source))
    return timeline


@pytest.fixture
def folder(tmp_path, run, timeline):
    folder = tmp_path / "20260304-050607-duel"
    folder.mkdir()
    total = without_ends(timeline, 0.0, 0.0).recorder
    write_summary(folder, build_summary(run, total, ended=STARTED + timedelta(seconds=40), duration=40.0))
    write_timeline(folder, timeline)
    return folder


def test_each_block_has_its_time(summary, timeline):
    rows = profile_of("run", summary, timeline).rows
    assert list(rows) == [("SAMPLE", "tick_lateness"), ("WS", "match_join"), PING]
    assert len(rows[PING].ok) == BLOCKS
    # 40 seconds of two processes in 16 blocks: two or three seconds each.
    assert {sum(block.values()) for block in rows[PING].ok} == {1200, 1800}
    assert rows[PING].count == 40 * 600
    assert list(rows[PING].ok[0]) == [1000, 2000]
    # An abandoned call is not a failure.
    assert (rows["WS", "match_join"].count, rows["WS", "match_join"].failures) == (0, 80)


def test_the_ends_of_a_run_can_be_left_out(summary, timeline):
    profile = profile_of("run", summary, timeline, warmup=10.0, cooldown=5.0)
    assert profile.rows[PING].count == 25 * 600
    assert highest_in(min(merged(profile.rows[PING].ok))) == pytest.approx(11_000, rel=0.001)
    assert profile.window == {"warmup": 10.0, "cooldown": 5.0, "seconds": 25.0}


def test_a_run_that_is_too_short_is_refused(summary, timeline):
    with pytest.raises(NothingToCompare, match=r"^run: too short to be compared: 10\.0 s .* at least 16 s"):
        profile_of("run", summary, timeline, warmup=30.0)
    with pytest.raises(NothingToCompare, match=r"too short to be compared: 0\.0 s"):
        profile_of("run", summary, timeline, warmup=300.0)


def test_a_baseline_round_trips(folder, tmp_path):
    path = tmp_path / "baselines" / "duel.json"
    profile = read_profile(folder, warmup=2.0)
    write_baseline(path, baseline_of(profile))
    again = read_profile(path)
    assert again == replace(profile, label=str(path))
    row = next(row for row in orjson.loads(path.read_bytes())["rows"] if row["name"] == "ping")
    assert (row["count"], row["p50_ms"], row["p99_ms"]) == (38 * 600, 21.007, 40.031)
    assert "settings" not in orjson.loads(path.read_bytes())


def change(path, **values):
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | values))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "not whole JSON"),
        (lambda path: path.write_text("[]"), "neither a run's folder nor a baseline"),
        (lambda path: change(path, schema="nakama-bots/summary/1"), "neither a run's folder nor a baseline"),
        (lambda path: change(path, schema="nakama-bots/baseline/2"), "written by a newer nakama-bots"),
        (lambda path: change(path, rows=[{}]), r"a damaged baseline .*missing required field kind"),
        (lambda path: change(path, window=None), "a damaged baseline"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_bad_baselines_are_refused_in_one_line(folder, tmp_path, spoil, message):
    path = tmp_path / "duel.json"
    write_baseline(path, baseline_of(read_profile(folder)))
    spoil(path)
    with pytest.raises(ProfileError, match=message) as raised:
        read_profile(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("blocks", [["x"] * 16, [""] * 7, [""] * 15])
def test_damaged_blocks_are_refused(folder, tmp_path, blocks):
    path = tmp_path / "duel.json"
    write_baseline(path, baseline_of(read_profile(folder)))
    rows = orjson.loads(path.read_bytes())["rows"]
    change(path, rows=[rows[0] | {"blocks": blocks}])
    with pytest.raises(ProfileError, match="a damaged baseline"):
        read_profile(path)


def test_a_baseline_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="cannot be written"):
        write_baseline(tmp_path / "file" / "duel.json", baseline_of(read_profile(folder)))
