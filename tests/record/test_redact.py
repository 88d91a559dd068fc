"""Personal data and secrets are in no file, wherever a game put them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .support import Recorded, token


@pytest.mark.parametrize(
    "body",
    [
        {"accessToken": "planted"}, {"userEmail": "planted"}, {"clientSecret": "planted"},
        {"X-Api-Key": "planted"}, {"auth": {"sessionToken": "planted"}}, {"credentials": ["planted"]},
        {"credentials": {"user": "planted"}}, {"pwd": "planted"}, {"custom_id": "planted"},
        {"inner": '{"refreshToken": "planted"}'}, {"nickName": "planted"}, {"player_name": "planted"},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_custom_fields(body: dict[str, Any]) -> None:
    recorded = Recorded()
    recorded.rest("POST", "/v2/rpc/own", json.dumps(body))
    recorded.rest("POST", "/v2/rpc/again", json.dumps({"why": "because of planted"}))
    assert "planted" not in recorded.files()[2]


def test_ip_and_mac_addresses() -> None:
    recorded = Recorded()
    texts = ["from 203.0.113.77.", "2001:db8::77aa", "[2001:db8::77aa]:80", "at 00:1b:44:11:3a:b7", "12:30:45"]
    recorded.rest(
        "POST", "/v2/rpc/where", json.dumps({"at": texts, "name": "bag::cat", "version": "1.2.3.4.5"})
    )
    everything = recorded.files()[2]
    for one in ("203.0.113.77", "77aa", "1b:44"):
        assert one not in everything
    for one in ("12:30:45", "bag::cat", "1.2.3.4.5"):
        assert one in everything


def test_names_that_are_only_in_a_request_or_a_payload() -> None:
    recorded = Recorded()
    recorded.rest("GET", "/v2/user?usernames=planted-by-name")
    recorded.message("status_follow", {"usernames": ["planted-follower"]}, {"status": {}})
    recorded.rest(
        "POST", "/v2/rpc/top", "{}", {"payload": json.dumps({"best": [{"userName": "planted J\u00f6rg"}]})}
    )
    recorded.rest("POST", "/v2/own/planted%20J%C3%B6rg/fight", {"a": 1})
    source, data, everything = recorded.files()
    assert "planted" not in everything
    # The path can still be sent, and its call is compared by the redacted name.
    (path,) = (line.split('"')[3] for line in source.splitlines() if "/fight" in line)
    assert path.isascii()
    assert " " not in path
    assert ["POST", path, "ok"] in data["calls"]["player"]


def test_match_state_keeps_its_size() -> None:
    recorded = Recorded()
    sent = [
        b'{"password": "planted-1", "at": "203.0.113.77", "nick": "planted J\\u00f6rg"}',
        '{"by": "planted J\u00f6rg"}'.encode(),
        b"\xff\x000planted-1x\xfe someone@mail.example 203.0.113.77",
        b"\x01\x02plain",
    ]
    recorded.message("match_create", {}, {"match": {"match_id": "m-1."}})
    for data in sent * 2:
        body = {"match_id": "m-1.", "op_code": "1", "data": base64.b64encode(data).decode()}
        recorded.message("match_data_send", body)
    _, data_file, everything = recorded.files()
    state = [base64.b64decode(row[2]) for row in data_file["state"]["player 1"]]
    assert list(map(len, state)) == list(map(len, sent * 2))
    assert state[3] == sent[3]
    for private in ("planted", "203.0.113.77", "mail.example"):
        assert private not in everything


@pytest.mark.parametrize("name", ["play", "score", "self", "import", "notifications", "record"])
def test_a_user_named_like_a_word_in_the_scenario(name: str) -> None:
    recorded = Recorded(token("11111111-2222-4333-8444-555555555555", name))
    recorded.rest("POST", "/v2/leaderboard/heights", {"score": "5"})
    recorded.rest("GET", "/v2/notification?limit=10")
    source = recorded.files()[0]
    assert 'self.player.api.write_leaderboard_record("heights", {"score": "5"})' in source
    assert "self.player.api.list_notifications(limit=10)" in source
