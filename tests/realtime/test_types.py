"""The types of realtime messages against recorded frames, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from nakama_bots.realtime.catalog import PUSHES, REPLIES
from nakama_bots.types.realtime import Envelope

from .shapes import problems

FRAMES = json.loads((Path(__file__).parent / "data" / "frames.json").read_text(encoding="utf-8"))
# All recordings, if a checkout beside this one has them.
RECORDINGS = Path(__file__).parents[3] / "shared" / "wire"


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(RECORDINGS.glob("*.json")):
        scenarios = json.loads(file.read_text(encoding="utf-8")).get("scenarios")
        for scenario in scenarios if isinstance(scenarios, list) else ():
            for entry in scenario["entries"]:
                frame = entry.get("frame", entry.get("decoded"))
                if entry.get("dir") == "recv" and frame is not None:
                    yield scenario["id"], frame


@pytest.mark.parametrize("side", ["received", "accepted"])
def test_keys_of_recorded_frames(side: str) -> None:
    assert {found for frame in FRAMES[side] for found in problems(frame, Envelope)} == set()
    seen = {key for frame in FRAMES[side] for key in frame} - {"cid"}
    assert seen >= (PUSHES - {"ping"} if side == "received" else REPLIES.keys() - {"match_data_send", "pong"})


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")
def test_every_frame_of_all_recordings() -> None:
    found: dict[str, str] = {}
    count = 0
    for scenario, frame in recorded():
        count += 1
        for problem in problems(frame, Envelope):
            found.setdefault(problem, scenario)
    assert found == {}
    assert count > 800


def test_envelope_has_every_message_of_the_catalogue() -> None:
    replies = {reply for reply in REPLIES.values() if isinstance(reply, str)}
    assert get_type_hints(Envelope).keys() == {"cid"} | REPLIES.keys() | replies | PUSHES


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        ({"cid": 1}, [".cid: int"]),
        ({"match_dat": {}}, [".match_dat: unknown"]),
        ({"party_leader": {"party_id": "p"}}, [".party_leader.presence: missing"]),
        ({"match": {"match_id": "m", "self": {"user_id": "u", "session_id": "s"}}},
         [".match.self.username: missing"]),
        ({"status": {"presences": {}}}, [".status.presences: dict"]),
        ({"notifications": {"notifications": [{"id": "n", "subject": "s", "content": {}, "code": 1,
                                               "create_time": "t"}]}},
         [".notifications.notifications[].content: dict"]),
        ({"channel": {"self": {"user_id": "u", "session_id": "s", "username": "n"}}}, [".channel.id: missing"]),
        ({"matchmaker_add": {"numeric_properties": {"a": "1"}}}, [".matchmaker_add.numeric_properties{}: str"]),
        ({"match_data": []}, [".match_data: list"]),
        ({"error": {"message": "m", "context": 1}}, [".error.context: int"]),
    ],
)  # fmt: skip
def test_problems(frame: dict[str, Any], found: list[str]) -> None:
    assert problems(frame, Envelope) == found
