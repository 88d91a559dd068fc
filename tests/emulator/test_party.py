"""Parties: rare refusals and lists that no recording covers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher
from nakama_bots.emulator.dispatch.rest import Request, Router
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.handlers.matchmaker import run_interval
from nakama_bots.emulator.handlers.party import close_idle

from .support import Clock, Recorder, make_core


class Parties:
    """Players who send messages, and the answers."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.core = make_core(self.clock)
        self.dispatcher = MessageDispatcher(self.core, handlers.MESSAGES)
        self.router = Router(self.core, handlers.ROUTES)

    def player(self, name: str) -> Recorder:
        return Recorder(self.core, username=name)

    def say(self, session: Recorder, key: str, **body: Any) -> Any:
        session.frames.clear()
        assert self.dispatcher.dispatch(session, json.dumps({"cid": "1", key: body}).encode()) is None
        return next(frame for frame in session.frames if frame.get("cid") == "1")

    def create(self, leader: Recorder, **body: Any) -> str:
        return str(self.say(leader, "party_create", **body)["party"]["party_id"])

    def refusal(self, session: Recorder, key: str, **body: Any) -> str:
        return str(self.say(session, key, **body)["error"]["message"])

    def list(self, **query: str) -> Any:
        claims = SessionClaims("t", self.core.new_id(), "x", self.core.seconds(), self.core.seconds() + 60)
        token = claims.sign(self.core.options.encryption_key)
        parameters = {name: [value] for name, value in query.items()}
        request = Request("GET", "/v2/party", parameters, {"authorization": f"Bearer {token}"}, b"")
        answer = asyncio.run(self.router.answer(request))
        return json.loads(answer.body)


def presence(session: Recorder) -> dict[str, str]:
    return {"user_id": session.user_id, "session_id": session.id, "username": session.username}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("{", "failed to unmarshal party label: unexpected end of JSON input"),
        ("nul", "failed to unmarshal party label: unexpected end of JSON input"),
        ("tru!", "failed to unmarshal party label: invalid character '!' in literal true (expecting 'e')"),
        ("?", "failed to unmarshal party label: invalid character '?' looking for beginning of value"),
        ('"x"', "cannot unmarshal string into Go value of type map[string]interface {}"),
        ("1", "cannot unmarshal number into Go value"),
    ],
)
def test_bad_labels(label: str, message: str) -> None:
    parties = Parties()
    assert message in parties.refusal(parties.player("a"), "party_create", max_size=2, label=label)
    assert parties.say(parties.player("b"), "party_create", max_size=2, label="null")["party"]


def test_limits_of_requests_and_members() -> None:
    parties = Parties()
    leader, one, two, three = map(parties.player, "abcd")
    party = parties.create(leader, max_size=2)
    assert parties.say(one, "party_join", party_id=party) == {"cid": "1"}
    assert parties.say(two, "party_join", party_id=party) == {"cid": "1"}
    assert (
        parties.refusal(three, "party_join", party_id=party) == "Error joining party: party join requests full"
    )
    assert parties.say(leader, "party_accept", party_id=party, presence=presence(one)) == {"cid": "1"}
    refused = parties.refusal(leader, "party_accept", party_id=party, presence=presence(two))
    assert refused == "Error accepting party join request: party full"
    assert parties.refusal(three, "party_join", party_id=party) == "Error joining party: party full"


def test_requester_that_left() -> None:
    parties = Parties()
    leader, gone = parties.player("a"), parties.player("b")
    party = parties.create(leader, max_size=3)
    parties.say(gone, "party_join", party_id=party)
    parties.core.close_session(gone)
    refused = parties.refusal(leader, "party_accept", party_id=party, presence=presence(gone))
    assert refused == "Error accepting party join request: party could not accept request"


def test_leader_cannot_remove_itself() -> None:
    parties = Parties()
    leader = parties.player("a")
    party = parties.create(leader, max_size=3)
    refused = parties.refusal(leader, "party_remove", party_id=party, presence=presence(leader))
    assert refused == "Error removing party member or join request: party cannot remove self"


def test_empty_party_ends_after_two_idle_checks() -> None:
    parties = Parties()
    leader = parties.player("a")
    party = parties.create(leader)
    assert (
        parties.refusal(parties.player("b"), "party_join", party_id=party) == "Error joining party: party full"
    )
    close_idle(parties.core)
    parties.say(leader, "party_leave", party_id=party)
    for left in (1, 0):
        close_idle(parties.core)
        assert len(parties.core.parties) == left


def test_bad_query_and_hidden_label() -> None:
    parties = Parties()
    leader = parties.player("a")
    party = parties.create(leader, max_size=3)
    refused = parties.refusal(
        leader, "party_matchmaker_add", party_id=party, min_count=2, max_count=2, query="+"
    )
    assert refused == "Error adding party to matchmaker: matchmaker query invalid"
    refused = parties.refusal(leader, "party_update", party_id=party, hidden=True, label='{"a":1}')
    assert refused == "Error updating party: party is hidden and label is not empty, invalid operation"


def test_party_ticket_does_not_belong_to_a_member() -> None:
    parties = Parties()
    leader, other = parties.player("a"), parties.player("b")
    party = parties.create(leader, max_size=3)
    found = parties.say(leader, "party_matchmaker_add", party_id=party, min_count=2, max_count=2)
    ticket = found["party_matchmaker_ticket"]["ticket"]
    assert parties.refusal(leader, "matchmaker_remove", ticket=ticket) == "Matchmaker ticket not found"
    parties.say(other, "matchmaker_add", min_count=2, max_count=2, query="*")
    leader.frames.clear()
    run_interval(parties.core)
    assert leader.frames[0]["matchmaker_matched"]["self"]["party_id"] == party


def test_party_ticket_ends_when_a_member_leaves() -> None:
    parties = Parties()
    leader, member = parties.player("a"), parties.player("b")
    party = parties.create(leader, max_size=3, open=True)
    parties.say(member, "party_join", party_id=party)
    parties.say(leader, "party_matchmaker_add", party_id=party, min_count=2, max_count=2)
    assert parties.core.matchmaker.tickets == parties.core.matchmaker.active == 1
    parties.core.close_session(member)
    assert parties.core.matchmaker.tickets == 0


def test_lists_page_by_page() -> None:
    parties = Parties()
    created = [
        parties.create(parties.player("a"), max_size=2, open=number % 2 == 0, label=json.dumps({"n": number}))
        for number in range(3)
    ]
    parties.create(parties.player("b"), max_size=2, hidden=True)
    assert parties.list() == {}
    parties.clock.seconds += 1
    first = parties.list(limit="2")
    second = parties.list(limit="2", cursor=first["cursor"])
    listed = first["parties"] + second["parties"]
    assert sorted(party["party_id"] for party in listed) == sorted(created)
    assert "cursor" not in second
    assert [p["party_id"] for p in parties.list(open="false")["parties"]] == [created[1]]
    assert [p["party_id"] for p in parties.list(query="+label.n:>=2")["parties"]] == [created[2]]


@pytest.mark.parametrize("cursor", ["!!!", "WzFd", "e30", "bnVsbA", "WyIqIixudWxsLDEwLC0xXQ"])
def test_bad_cursors(cursor: str) -> None:
    assert Parties().list(cursor=cursor) == {"code": 13, "message": "Error listing matches."}
