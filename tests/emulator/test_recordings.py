"""The emulator answers as recorded from a real Nakama 3.40.0."""

from __future__ import annotations

import asyncio

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .conftest import Fresh
from .replay import DATA, UNKNOWN_ID, Mismatch, load, replay, unify

SCENARIOS = sorted(path.stem for path in DATA.glob("*.json"))
# These depend on what others leave behind: rooms with history, logged-out users, matchmaker statistics.
ALONE = ("channel.", "rest.", "connect.logout", "matchmaker.one_way", "matchmaker.two")
# A ticket is active for two intervals: on a busy machine the other ticket may come later.
INTERVALS = {"matchmaker.one_way_query": 2.0}
# A direct channel's id has the lower user id first: with these seeds it is the same user as in the recording.
SEEDS = {"channel.dm": 0, "rest.channel_messages": 3}


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if not name.startswith(ALONE)])
def test_scenario(scenario: str, emulator: EmulatorProcess) -> None:
    asyncio.run(replay(load(scenario), emulator.url))


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name.startswith(ALONE)])
def test_scenario_on_a_new_server(scenario: str, fresh: Fresh) -> None:
    seed = ("--seed", str(SEEDS[scenario])) if scenario in SEEDS else ()
    interval = INTERVALS.get(scenario, 0.3)
    emulator = fresh("--token-expiry", "7200", *seed, matchmaker_interval=interval)
    asyncio.run(replay(load(scenario), emulator.url))


def test_every_recording_exists() -> None:
    assert len(SCENARIOS) >= 70
    assert all(load(name)["entries"] for name in SCENARIOS)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": "<uuid:1>", "b": "<uuid:1>"}, {"a": UNKNOWN_ID, "b": UNKNOWN_ID.replace("4", "5")}),
        ({"t": "<time>"}, {"t": "2026-11-23T20:40:03.500Z"}),
        ([1, 2], [2, 1]),
    ],
)
def test_replayer_finds_differences(expected: object, actual: object) -> None:
    assert unify(expected, actual, {}) is None


def test_replayer_fails_on_a_changed_recording(emulator: EmulatorProcess) -> None:
    changed = load("keepalive.pong_message")
    changed["entries"][-1]["frame"] = {"pong": {"unexpected": 1}}

    with pytest.raises(Mismatch, match=r"keepalive\.pong_message"):
        asyncio.run(replay(changed, emulator.url))
