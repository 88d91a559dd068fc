"""CRON expressions of reset schedules: the same next time, and the same refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from .support import Server

EXPECTED: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "data" / "schedules.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("after", sorted(EXPECTED))
def test_next_time(server: Server, after: str) -> None:
    """``data/schedules.json`` has the answers of a real server; "never" includes refused expressions."""
    expected = EXPECTED[after]
    request = {"expressions": sorted(expected), "after": int(datetime.fromisoformat(after).timestamp())}
    answer: Any = server.client.rpc(server.new_session(), server.function("contract_schedules"), request)[
        "payload"
    ]
    got = {
        text: "never" if when == "refused" or when < 0 else datetime.fromtimestamp(when, UTC).isoformat()
        for text, when in answer.items()
    }
    assert got == expected
