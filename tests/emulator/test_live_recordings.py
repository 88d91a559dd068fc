"""Recordings in which time passes: matches that tick, intervals, expiry, keepalive; and other settings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Fresh
from .live import live_replay
from .replay import Mismatch

HERE = Path(__file__).parent
LIVE = HERE / "data" / "live"
SCENARIOS = sorted(path.stem for path in LIVE.glob("*.json"))
MODULES = ("--module", str(HERE / "wire_module.py"))
# Keepalive takes 30 s; logins and tokens count whole seconds of the server.
SPEED = 8.0
SPEEDS = {"limits.match_input_queue": 0.5, "match.authoritative": 2.0}
"""On a busy machine 300 messages may need longer than a tick of a second; a tick may be late by 50 ms, the time
that is left at the usual speed between a message that changes the label and the next join."""
SETTINGS: dict[str, tuple[str, ...]] = {
    "expiry.": ("--token-expiry", "3", "--refresh-token-expiry", "6"),
    "hooks.matchmaker": ("--module", str(HERE / "hook_module.py")),
    "single.": ("--single-socket", "--single-match", "--single-party"),
}


def load(name: str) -> dict[str, Any]:
    return json.loads((LIVE / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, fresh: Fresh) -> None:
    speed = SPEEDS.get(scenario, SPEED)
    try:
        play(scenario, speed, fresh)
    except Mismatch:
        # A late tick on a busy machine is not a failure; a difference at the recorded pace too is.
        play(scenario, min(speed, 1.0), fresh)


def play(scenario: str, speed: float, fresh: Fresh) -> None:
    settings = next((more for start, more in SETTINGS.items() if scenario.startswith(start)), ())
    interval = 0.5 if scenario.startswith("hooks.") else 14.0
    options = ("--token-expiry", "7200", "--speed", str(speed), *MODULES, *settings)
    emulator = fresh(*options, matchmaker_interval=interval)
    asyncio.run(live_replay(load(scenario), emulator.url, speed))
    assert emulator.alive


def test_every_recording_exists() -> None:
    assert len(SCENARIOS) == 39
    assert all(load(name)["entries"] for name in SCENARIOS)
