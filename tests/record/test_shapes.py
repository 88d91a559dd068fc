"""Odd messages of a client or server do not break a recording, which cannot be repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .support import Recorded

ODD: tuple[Any, ...] = (None, 3, "x", "--5", "²", "{", ["x"], [None], {"a": 1}, {"a": {"b": []}})


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
@pytest.mark.parametrize(
    ("key", "field", "rest"),
    [
        ("matchmaker_add", "string_properties", {"min_count": 2, "max_count": 2}),
        ("matchmaker_add", "numeric_properties", {"min_count": 2, "max_count": 2}),
        ("matchmaker_add", "min_count", {"max_count": 4}),
        ("channel_join", "type", {"target": "hall"}),
        ("party_create", "max_size", {"open": True}),
        ("party_join", "party_id", {}),
        ("match_join", "metadata", {"match_id": "m-1."}),
        ("match_data_send", "op_code", {"match_id": "m-1.", "data": "AAAA"}),
        ("rpc", "payload", {"id": "own"}),
        ("status_follow", "user_ids", {}),
        ("of_the_future", "data", {"text": "long enough for the data file " * 6}),
    ],
)
def test_odd_messages(key: str, field: str, rest: dict[str, Any], odd: Any) -> None:
    recorded = Recorded()
    recorded.message("match_create", {}, {"match": {"match_id": "m-1."}})
    recorded.message(key, odd, {"match": {"match_id": "m-2."}})
    recorded.message(key, {field: odd, **rest}, {"channel": {"id": "c-1"}})
    recorded.push("party", {"open": True, field: odd})
    recorded.message("channel_join", {"target": "the end"}, {"channel": {"id": "c-2"}})
    assert 'chat("the end")' in recorded.files()[0]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
@pytest.mark.parametrize("key", ["notifications", "matchmaker_matched", "party", "channel_message"])
def test_odd_pushes(key: str, odd: Any) -> None:
    recorded = Recorded()
    recorded.push(key, odd)
    recorded.push(key, {"notifications": odd, "users": odd, "ticket": "t-1", "token": "token-of-match"})
    recorded.message("match_join", {"token": "token-of-match"}, {"match": {"match_id": "m-1."}})
    assert "join_match(" in recorded.files()[0]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_odd_requests(odd: Any) -> None:
    recorded = Recorded()
    recorded.rest("PUT", "/v2/storage", {"objects": odd})
    recorded.rest("POST", "/v2/storage", {"object_ids": odd})
    recorded.rest("PUT", "/v2/account", odd)
    recorded.rest("POST", "/v2/group", odd)
    recorded.rest("GET", "/v2/account")
    assert "get_account()" in recorded.files()[0]


@pytest.mark.parametrize("odd", ["x", "--5", "²"])
def test_odd_queries(odd: str) -> None:
    recorded = Recorded()
    recorded.rest("GET", f"/v2/friend?limit={odd}")
    recorded.rest("GET", "/v2/account")
    assert "get_account()" in recorded.files()[0]
