"""One scripted session on the emulator and on a real server: answers, pushes and their order are the same.

The real server's side is ``data/differential.json``; with ``NAKAMA_URL`` that server plays the session too.
What differs on purpose (docs/emulator.md) is not in the script, or has a placeholder in the transcript.

To record the real server again, with ``nakama_modules/`` and ``modules/boards.lua`` loaded into it::

    NAKAMA_RECORD=1 NAKAMA_URL=http://127.0.0.1:7350 python -m pytest tests/contract/test_differential.py
"""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.dispatch.operations import OPERATIONS
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.realtime.catalog import REPLIES

from .differential_script import FAMILIES, play
from .transcript import Names, Step, compare

HERE = Path(__file__).parent
RECORDED = HERE / "data" / "differential.json"
MODULE = HERE / "modules" / "boards.lua"
REFERENCES = ("recorded", "live") if os.environ.get("NAKAMA_URL") else ("recorded",)
NAMES = [family.__name__ for family in FAMILIES]
# As on the recorded server; with the default of a minute, tokens would expire in a slow run.
TOKEN_EXPIRY = "7200"


@pytest.fixture(scope="module")
def live() -> list[Step]:
    """The session on the server at ``NAKAMA_URL``; recorded if ``NAKAMA_RECORD`` is set."""
    keys = (
        os.environ.get("NAKAMA_SERVER_KEY", "defaultkey"),
        os.environ.get("NAKAMA_HTTP_KEY", "defaulthttpkey"),
    )
    steps, unexpected = play(os.environ["NAKAMA_URL"], *keys)
    assert unexpected == []
    if os.environ.get("NAKAMA_RECORD"):
        assert has_boards(steps), (
            "the server has no function 'contract_boards': load tests/contract/modules/boards.lua"
        )
        lines = ",\n".join(json.dumps(step, sort_keys=True, ensure_ascii=False) for step in steps)
        RECORDED.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return steps


@pytest.fixture(scope="module")
def emulated() -> list[Step]:
    """The session on an emulator."""
    extra = ("--module", str(MODULE), "--token-expiry", TOKEN_EXPIRY)
    with EmulatorProcess.start(matchmaker_interval=0.2, extra=extra) as emulator:
        steps, unexpected = play(emulator.url)
        assert emulator.alive
    assert "Traceback" not in emulator.stderr
    assert unexpected == []
    return steps


def has_boards(steps: list[Step]) -> bool:
    return next(step for step in steps if step["step"] == "leaderboards.make")["got"]["status"] == 200


def of_family(steps: list[Step], family: str) -> list[Step]:
    return [step for step in steps if step["family"] == family]


@pytest.fixture(params=REFERENCES)
def reference(request: pytest.FixtureRequest) -> list[Step]:
    """The transcript of a real server."""
    if "live" in REFERENCES:
        # Played first, so that a new recording is read.
        live: list[Step] = request.getfixturevalue("live")
        if request.param == "live":
            return live
    steps: list[Step] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return steps


@pytest.mark.parametrize("family", NAMES)
def test_emulator_answers_as_a_real_server(reference: list[Step], emulated: list[Step], family: str) -> None:
    if family == "boards" and not has_boards(reference):
        pytest.skip("the server has no function 'contract_boards': load tests/contract/modules/boards.lua")
    found = compare(of_family(reference, family), of_family(emulated, family))
    assert not found, "\n".join(map(str, found))


def test_session_covers_every_family_operation_and_message(reference: list[Step]) -> None:
    assert len(reference) >= 150
    assert [name for name in NAMES if not of_family(reference, name)] == []
    assert {step["sent"].get("by") for step in reference} >= {"ann", "ben", "cal"}
    paths = {step["sent"]["http"] for step in reference if "http" in step["sent"]}
    shapes = {
        name: re.compile(rf"{method} {re.sub(r'{[a-z_]+}', '[^/]+', template)}")
        for (method, template), name in OPERATIONS.items()
    }
    assert [name for name, shape in shapes.items() if not any(map(shape.fullmatch, paths))] == []
    messages = {key for step in reference for key in step["sent"].get("message", ())}
    assert set(REPLIES) <= messages


def change_answer(steps: list[Step]) -> None:
    steps[0]["got"]["body"]["created"] = 1


def lose_a_push(steps: list[Step]) -> None:
    next(step for step in steps if len(step.get("pushes", ())) == 2)["pushes"].pop("ann")


def reverse_the_order(steps: list[Step]) -> None:
    next(step for step in steps if len(step.get("order", ())) > 1)["order"].reverse()


def lose_a_step(steps: list[Step]) -> None:
    del steps[5]


def add_a_step(steps: list[Step]) -> None:
    steps.append({**steps[0], "step": "one more"})


@pytest.mark.parametrize("damage", [change_answer, lose_a_push, reverse_the_order, lose_a_step, add_a_step])
def test_any_change_is_a_difference(emulated: list[Step], damage: Any) -> None:
    changed = copy.deepcopy(emulated)
    damage(changed)
    assert compare(emulated, emulated) == []
    found = compare(emulated, changed)
    assert len({one.step for one in found}) == 1


def test_generated_values_are_named_after_their_first_step() -> None:
    one, two = "0aaaaaaa-0000-4000-8000-000000000000", "9aaaaaaa-0000-1000-8000-000000000000"
    names = Names("tag")
    assert names.normalise({"id": one, "users": [{"id": two, "n": 2}, {"id": one, "n": 1}]}, "a") == {
        "id": "<a:v4#1>", "users": [{"id": "<a:v4#1>", "n": 1}, {"id": "<a:v1#1>", "n": 2}],
    }  # fmt: skip
    assert names.normalise([f"4.{one}.{two}.", f"4.{two}.{one}."], "b") == ["4.<a:v1#1>.<a:v4#1>."] * 2
    stamps = {"a": "2026-01-02T03:04:05.678Z", "b": "2026-01-02T03:04:05Z", "c": "1970-01-01T00:00:00Z"}
    assert names.normalise(stamps, "c") == {"a": "<time:frac>", "b": "<time>", "c": "1970-01-01T00:00:00Z"}
    assert names.normalise({"cursor": "abc", "match_id": f"{one}.node-1", "name": "x-tag"}, "d") == {
        "cursor": "<cursor>", "match_id": "<a:v4#1>.<node>", "name": "x-RUN",
    }  # fmt: skip
