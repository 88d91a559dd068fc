"""The functions of ``nk``, called from the same Lua on the emulator and on a real server.

The results of a real server are in ``data/nk.json``. To record them again, with ``nakama_modules/`` and
``modules/`` loaded::

    NAKAMA_RECORD=1 NAKAMA_URL=http://127.0.0.1:7350 python -m pytest tests/contract/test_nk.py
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.runtime.nk import FUNCTIONS
from nakama_bots.errors import RestError
from nakama_bots.session import Session

from .nk_script import FAILURES, FAMILIES, LANGUAGE, NOBODY, SYSTEM, Do
from .support import Line, Server, clean, unique

RECORDED = Path(__file__).parent / "data" / "nk.json"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ANY_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CURSOR = re.compile(r"[\w-]{24,}={0,2}|[\w-]{16,}={1,2}")
_HEX = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
# A real server names a module by its full path.
_PLACE = re.compile(r"[^\s\"]*\.lua:\d+")
# The node name of the recorded server, and of an emulator.
_NODE = re.compile(r"\b(nakama\d*|emulator)\b")


def _user_id(session: Session) -> str:
    return session.user_id


class Play:
    """One family's calls on a server; values that differ between runs are normalised."""

    def __init__(self, server: Server, family: str) -> None:
        self.server = server
        self.run = unique("n").replace("-", "_")
        self.names: dict[str, str] = {"run": self.run}
        self.users: dict[str, Session] = {}
        self.seen: list[str] = []
        sessions = [server.new_session(username=f"{number}_{self.run}") for number in range(3)]
        # Many lists are ordered by id, and so are the two users of a direct channel.
        for name, session in zip(("alice", "bob", "carol"), sorted(sessions, key=_user_id), strict=True):
            self.users[name] = session
            self.names[name] = session.user_id
            self.names[f"{name}.username"] = session.username
        self.caller = self.users["alice"]
        self.started = time.time()

    def fill(self, value: Any) -> Any:
        if isinstance(value, str):
            for name in sorted(self.names, key=len, reverse=True):
                value = value.replace(f"${name}", self.names[name])
            return value
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list | tuple) else value

    def call(self, step: Do) -> Any:
        request: dict[str, Any] = {"name": step.name, "args": self.fill(step.args), "count": len(step.args)}
        if step.then:
            request["then"] = step.then
        answer: Any = self.server.client.rpc(self.caller, "contract_nk", request)["payload"]
        for name, path in (step.save or {}).items():
            value: Any = answer["values"]
            for part in path.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.names[name] = value
        return self.known(answer, unordered=step.unordered)

    def known(self, answer: Any, *, unordered: bool = False) -> Any:
        if unordered and isinstance(answer.get("values"), list) and isinstance(answer["values"][0], list):
            answer["values"][0].sort(key=lambda one: sorted(json.dumps(one)))
        return self.same(answer)

    def same(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {self.text(name): self.same(item, name) for name, item in sorted(value.items())}
        if isinstance(value, list):
            return [self.same(item, key) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            recent = (self.started - 400 * 86400, self.started + 2 * 366 * 86400)
            if recent[0] <= value <= recent[1] or recent[0] <= value / 1000 <= recent[1]:
                return "<time>"
        return value

    def text(self, value: str) -> str:
        for name in sorted(self.names, key=lambda name: -len(self.names[name])):
            value = value.replace(self.names[name], f"<{name}>")
        value = _TOKEN.sub("<token>", value) if "<" not in value else value
        if _CURSOR.fullmatch(value) and not _HEX.fullmatch(value) and not _ANY_UUID.fullmatch(value):
            return "<cursor>"
        value = _PLACE.sub("<file>", value).replace("proto:\u00a0", "proto: ")  # depends on the build of Go
        value = _UUID.sub(lambda found: self.numbered(found[0]), value)
        return _NODE.sub("<node>", value)

    def numbered(self, identifier: str) -> str:
        if identifier in (NOBODY, SYSTEM):
            return identifier
        if identifier not in self.seen:
            self.seen.append(identifier)
        return f"<id {self.seen.index(identifier)}>"


def play(server: Server, family: str) -> list[Any]:
    play = Play(server, family)
    line = None
    if family == "realtime":
        line = Line(server, play.caller)
        match = line.socket.create_match()
        play.names["session"] = match["self"]["session_id"]
    found = [[step.name, play.call(step)] for step in FAMILIES[family]]
    if line is not None:
        clean(line)
    return found


def language(server: Server) -> list[Any]:
    play = Play(server, "language")
    call = server.client.rpc
    return [
        [name, play.known(call(play.caller, "contract_lua", {"name": name})["payload"])] for name in LANGUAGE
    ]


def failures(server: Server) -> list[Any]:
    session, found = server.new_session(), []
    for failure in FAILURES:
        with pytest.raises(RestError) as caught:
            server.client.rpc(session, "contract_fail", failure)
        found.append([failure["message"], [caught.value.status, caught.value.code, caught.value.message]])
    return found


PLAYS = {**dict.fromkeys(FAMILIES, play), "language": language, "failures": failures}


@pytest.fixture(scope="module", autouse=True)
def module(server: Server) -> None:
    server.function("contract_nk")


@pytest.mark.parametrize("family", PLAYS)
def test_functions_return_the_same_as_on_a_real_server(server: Server, family: str) -> None:
    found = play(server, family) if family in FAMILIES else PLAYS[family](server)  # type: ignore[call-arg]
    recorded: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if server.real and os.environ.get("NAKAMA_RECORD"):
        recorded[family] = json.loads(json.dumps(found))
        text = json.dumps(recorded, indent=0, sort_keys=True, ensure_ascii=False)
        RECORDED.write_text(text + "\n", encoding="utf-8")
    expected = recorded[family]
    wrong = [
        f"{number} {name}: expected {wanted}, got {got}"
        for number, ((name, wanted), (_, got)) in enumerate(zip(expected, found, strict=True))
        if wanted != json.loads(json.dumps(got))
    ]
    assert not wrong, "\n".join(wrong)


def test_storage_write_is_retried_after_a_conflict(server: Server) -> None:
    session, collection = server.new_session(), unique("retry")
    for number in (1, 2):
        request = {"collection": collection, "key": "k"}
        assert server.client.rpc(session, "contract_retry", request)["payload"]["count"] == 1
        named = {"collection": collection, "key": "k", "user_id": session.user_id}
        request = {"name": "storage_read", "args": [[named]], "count": 1}
        read = server.client.rpc(session, "contract_nk", request)["payload"]
        assert read["values"][0][0]["value"] == {"n": number}


def test_context_of_a_call(server: Server, session: Session) -> None:
    context = server.client.rpc(session, "contract_context", "x")["payload"]
    common = {
        "env": "table", "execution_mode": "string", "headers": "table", "mode": "rpc", "node": "string",
        "payload": '"x"', "query_params": "table", "user_id": "string", "user_session_exp": "number",
        "username": "string", "version": "string",
    }  # fmt: skip
    context = {name: value for name, value in context.items() if not name.startswith("client_")}
    for name in ("vars", "trace_id"):  # if there are any
        context.pop(name, None)
    assert context == common


def test_every_function_has_a_case(server: Server) -> None:
    called = {name for steps in FAMILIES.values() for step in steps for name in (step.name, step.then)}
    source = (Path(__file__).parent / "modules" / "nk_calls.lua").read_text(encoding="utf-8")
    assert set(FUNCTIONS) - called - set(re.findall(r"nk\.(\w+)", source)) == set()
