"""HAR files as browsers and mitmproxy export them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.players.replay import SUFFIX
from nakama_bots.realtime.protobuf import ProtobufAdapter
from nakama_bots.record.capture.har import read_har
from nakama_bots.record.writing.scenario import finish
from nakama_bots.record.writing.write import RecordOptions

from .support import check_source, token

USER = "11111111-2222-4333-8444-555555555555"
TOKEN = token(USER, "harriet-of-har")


def entry(method: str, path: str, at: float, answer: Any, body: Any = None, **more: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method, "url": f"https://game.example.com{path}",
        "headers": [{"name": "Authorization", "value": f"Bearer {TOKEN}"}],
    }  # fmt: skip
    if body is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(body)}
    content = base64.b64encode(json.dumps(answer).encode()).decode()
    return {
        "startedDateTime": f"2026-01-01T00:00:{at:09.6f}Z", "time": 12.5, "request": request,
        "response": {"status": 200, "content": {"encoding": "base64", "text": content}}, **more,
    }  # fmt: skip


def messages(binary: bool) -> list[dict[str, Any]]:
    start = 1_767_225_600.0
    channel = {"id": "2...hall", "presences": [], "self": {"user_id": USER}}
    envelopes = [
        ("send", {"cid": "1", "channel_join": {"target": "hall", "type": 1, "persistence": True}}),
        ("receive", {"cid": "1", "channel": channel}),
        ("send", {"cid": "2", "channel_message_send": {"channel_id": "2...hall", "content": '{"text":"hi"}'}}),
        (
            "receive",
            {"cid": "2", "channel_message_ack": {"channel_id": "2...hall", "message_id": "m-12345678"}},
        ),
        ("send", {"cid": "3", "channel_leave": {"channel_id": "2...hall"}}),
        ("receive", {"cid": "3"}),
    ]
    found = []
    for number, (kind, envelope) in enumerate(envelopes):
        data = json.dumps(envelope)
        if binary:
            data = base64.b64encode(ProtobufAdapter().encode(dict(envelope))).decode()
        moment = start + 2 + number / 10
        found.append({"type": kind, "time": moment, "opcode": 2 if binary else 1, "data": data})
    return found


@pytest.mark.parametrize("binary", [False, True], ids=["json", "protobuf"])
def test_a_session_in_a_har_file(tmp_path: Path, binary: bool) -> None:
    entries = [
        entry("GET", "/index.html", 0, "a page"),
        entry(
            "POST", "/v2/account/authenticate/device?create=true", 0.5, {"token": TOKEN}, {"id": "a-device-id"}
        ),
        entry("GET", "/v2/account", 1, {"user": {"id": USER, "username": "harriet-of-har"}}),
        entry("GET", f"/ws?token={TOKEN}&format=json", 1.5, "", _webSocketMessages=messages(binary)),
        {"nonsense": True},
    ]
    entries[1]["request"]["headers"][0]["value"] = "Basic " + base64.b64encode(b"planted-key:").decode()
    path = tmp_path / "browser.har"
    path.write_text(json.dumps({"log": {"entries": entries}}))
    lines: list[str] = []
    scenario = tmp_path / "from_har.py"
    assert finish(read_har(path), RecordOptions(scenario), lines.append)
    source = check_source(scenario)
    assert "self.player.api.get_account()" in source
    assert 'with self.player.chat("hall") as room:' in source
    assert "room.say(" in source
    calls = orjson.loads(scenario.with_suffix(SUFFIX).read_bytes())["calls"]["player"]
    assert [name for _, name, _ in calls] == [
        "/v2/account", "channel_join", "channel_message_send", "channel_leave",
    ]  # fmt: skip
    for private in ("planted-key", "harriet-of-har", "a-device-id", TOKEN, USER):
        assert private not in source
    assert any("not to Nakama's API" in line for line in lines)
    assert any("not as HAR has it" in line for line in lines)


def exported(
    path: Path, change: Callable[[list[dict[str, Any]]], object], encoding: str = "utf-8"
) -> list[str]:
    """Export a HAR file with changed websocket messages; return the names of its calls."""
    sent = messages(binary=False)
    change(sent)
    entries = [entry("GET", f"/ws?token={TOKEN}&format=json", 1.5, "", _webSocketMessages=sent)]
    path.write_text(json.dumps({"log": {"entries": entries}}), encoding=encoding)
    tape = read_har(path)
    assert all(0 <= call.at < 60 for call in tape.calls)
    return [call.name for call in tape.calls if call.answered]


def milliseconds(sent: list[dict[str, Any]]) -> None:
    for one in sent:
        one["time"] *= 1000


def dates(sent: list[dict[str, Any]]) -> None:
    for one in sent:
        one["time"] = datetime.fromtimestamp(one["time"], UTC).isoformat()


def junk(sent: list[dict[str, Any]]) -> None:
    sent[1:1] = [7, {"type": "send", "opcode": "text"}, {"type": "send", "time": []}]  # type: ignore[list-item]


def lone_surrogate(sent: list[dict[str, Any]]) -> None:
    sent[2]["data"] = sent[2]["data"].replace("hi", "hi\ud83d")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("change", [lambda _: None, milliseconds, dates, junk, lone_surrogate])
def test_files_of_other_tools(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], encoding: str
) -> None:
    names = exported(tmp_path / "tool.har", change, encoding)
    assert names == ["channel_join", "channel_message_send", "channel_leave"]


@pytest.mark.parametrize("text", ["", "{}", '{"log": {"entries": 3}}', "\x00\x01", "[" * 100_000])
def test_bad_har_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.har"
    path.write_text(text)
    with pytest.raises(ConfigError, match="--har"):
        read_har(path)
