from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ProtocolError
from nakama_bots.rest.documents import decode, json_text, with_text

from .support import Rig, ok
from .test_client import fresh

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "a"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_document_round_trip_does_not_decode_nested_text(value: object) -> None:
    assert decode({"objects": [{"value": orjson.dumps(value).decode()}]}) == {"objects": [{"value": value}]}


@pytest.mark.parametrize("text", ["", "{", "nope", "NaN", "[1,]", "{'a':1}"])
def test_text_that_is_not_json_stays_text(text: str) -> None:
    page = {"messages": [{"content": text}, {"content": '{"a":1}'}]}
    assert decode(page) == {"messages": [{"content": text}, {"content": {"a": 1}}]}


def test_every_field_that_holds_a_document_or_an_int64() -> None:
    answer = {
        "user": {"metadata": "{}", "username": "{}"},
        "wallet": '{"gold":1}',
        "payload": "[1]",
        "records": [{"score": "9007199254740993", "subscore": "-1", "rank": "2", "num_score": 3}],
        "rank_count": "4",
        "devices": [{"id": "d", "vars": {"value": "1", "score": "x"}}],
    }
    assert decode(answer) == {
        "user": {"metadata": {}, "username": "{}"},
        "wallet": {"gold": 1},
        "payload": [1],
        "records": [{"score": 9007199254740993, "subscore": -1, "rank": 2, "num_score": 3}],
        "rank_count": 4,
        "devices": [{"id": "d", "vars": {"value": "1", "score": "x"}}],
    }


def test_int64_that_is_not_a_number_is_one_failure() -> None:
    rig = Rig(ok({"records": [{"score": "many"}]}))
    with pytest.raises(ProtocolError, match="int64"):
        rig.client.list_leaderboard_records(fresh(), "board")
    assert rig.observer.outcomes() == [("GET", "/v2/leaderboard/{leaderboard_id}", ProtocolError)]


def test_documents_are_sent_as_text() -> None:
    assert json_text({"a": [1, None]}) == '{"a":[1,null]}'
    assert json_text('{"a": 1}') == '{"a": 1}'
    rig = Rig()
    session = fresh()
    rig.client.write_storage_objects(
        session, [{"collection": "c", "key": "k", "value": {"a": 1}}, {"key": "l", "value": '{"b": 2}'}]
    )
    rig.client.write_leaderboard_record(session, "b", {"score": 2**62, "metadata": {"level": 1}})
    rig.client.write_tournament_record(session, "t", score="3")
    rig.client.add_friends(session, ["u"], metadata={"from": "lobby"})
    assert [sent.body for sent in rig.transport.sent] == [
        {"objects": [{"collection": "c", "key": "k", "value": '{"a":1}'}, {"key": "l", "value": '{"b": 2}'}]},
        {"score": 2**62, "metadata": '{"level":1}'},
        {"score": "3"},
        None,
    ]
    assert rig.transport.sent[3].path == "/v2/friend?ids=u&metadata=%7B%22from%22%3A%22lobby%22%7D"
    given_by_caller = {"metadata": {"a": 1}}
    assert with_text(given_by_caller, "metadata") == {"metadata": '{"a":1}'}
    assert given_by_caller == {"metadata": {"a": 1}}
