"""The catalogue against recorded replies and pushes of a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nakama_bots.realtime.catalog import PUSHES, REPLIES, Reply

RECORDED = json.loads((Path(__file__).parent / "data" / "recorded_keys.json").read_text())


@pytest.mark.parametrize("key", RECORDED["replies"])
def test_reply_to_each_recorded_request(key: str) -> None:
    reply = REPLIES[key]
    assert RECORDED["replies"][key] == ["" if reply is Reply.EMPTY else reply]


def test_requests_without_a_reply() -> None:
    assert sorted(key for key, reply in REPLIES.items() if reply is Reply.NONE) == RECORDED["silent"]


def test_every_request_was_recorded() -> None:
    assert set(REPLIES) == set(RECORDED["replies"]) | set(RECORDED["silent"])


def test_every_recorded_push_is_known() -> None:
    # The protocol defines both as pushes, but the server sends neither by itself.
    assert set(RECORDED["pushes"]) == PUSHES - {"ping", "matchmaker_ticket"}
