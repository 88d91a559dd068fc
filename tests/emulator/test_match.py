"""Relayed matches of three players: receivers of data and of presence events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher

from .support import Recorder, make_core


class Three:
    """Three sessions in one match; their events of the joins are already read."""

    def __init__(self) -> None:
        self.core = make_core()
        self.dispatcher = MessageDispatcher(self.core, handlers.MESSAGES)
        self.members = [Recorder(self.core, username=name) for name in ("a", "b", "c")]
        self.say(0, {"match_create": {}})
        self.match_id = self.members[0].frames[0]["match"]["match_id"]
        for number in (1, 2):
            self.say(number, {"match_join": {"match_id": self.match_id}})
        for member in self.members:
            member.frames.clear()

    def say(self, number: int, message: dict[str, Any]) -> None:
        assert self.dispatcher.dispatch(self.members[number], json.dumps(message).encode()) is None

    def data(self, presences: list[dict[str, str]] | None = None) -> list[bool]:
        """Which members receive data of the first one."""
        body: dict[str, Any] = {"match_id": self.match_id, "op_code": 1, "data": "YQ=="}
        self.say(0, {"match_data_send": body if presences is None else {**body, "presences": presences}})
        got = [bool(member.frames) for member in self.members]
        for member in self.members:
            member.frames.clear()
        return got


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, [False, True, True]),
        ([], [False, True, True]),
        ([1], [False, True, False]),
        ([0, 2], [True, False, True]),
    ],
)
def test_receivers_of_data(chosen: list[int] | None, expected: list[bool]) -> None:
    three = Three()
    presences = (
        None
        if chosen is None
        else [{"user_id": three.members[n].user_id, "session_id": three.members[n].id} for n in chosen]
    )
    assert three.data(presences) == expected


def test_data_to_unknown_presences() -> None:
    three = Three()
    unknown = "11111111-1111-4111-8111-111111111111"
    assert three.data([{"user_id": unknown, "session_id": unknown}]) == [False] * 3
    # A presence without valid ids drops the message for all.
    listed = {"user_id": three.members[1].user_id, "session_id": three.members[1].id}
    for broken in (
        {"user_id": listed["user_id"]},
        {"session_id": listed["session_id"]},
        {**listed, "user_id": "x"},
    ):
        assert three.data([listed, broken]) == [False] * 3


def test_ended_session_leaves_its_match() -> None:
    three = Three()
    three.core.close_session(three.members[2])
    leaves = [{"user_id": three.members[2].user_id, "session_id": three.members[2].id, "username": "c"}]
    event = {"match_presence_event": {"match_id": three.match_id, "leaves": leaves}}
    assert three.members[0].frames == [event]
    assert three.members[1].frames == [event]
    assert three.members[2].frames == []
