"""Every typed operation once against the emulator. The contract tests check the answers in depth."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator

import pytest

from nakama_bots import errors
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.realtime.api import ChannelType
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.target import Target


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with EmulatorProcess.start(matchmaker_interval=0.1) as emulator:
        yield emulator.url


def _session(url: str, name: str) -> Session:
    request = urllib.request.Request(
        f"{url}/v2/account/authenticate/device?create=true",
        data=json.dumps({"id": f"realtime-api-{name}"}).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(b"defaultkey:").decode()},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        body = json.load(response)
    return Session(body["token"], body["refresh_token"])


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Socket, Socket]]:
    with Socket(Target.parse(url)) as one, Socket(Target.parse(url)) as two:
        one.connect(_session(url, "one"), create_status=True)
        two.connect(_session(url, "two"))
        yield one, two
        for socket in (one, two):
            assert socket.ledger.sent == socket.ledger.ended
            assert socket.ledger.unmatched == 0


def test_ping(pair: tuple[Socket, Socket]) -> None:
    pair[0].ping_pong()


def test_chat(pair: tuple[Socket, Socket]) -> None:
    one, two = pair
    channel = one.join_chat("lobby", ChannelType.ROOM, persistence=True)
    two.join_chat("lobby")
    with two.expect("channel_message", lambda body: body["channel_id"] == channel["id"]) as push:
        ack = one.write_chat_message(channel["id"], {"text": "hi"})
        assert json.loads(push.wait()["content"]) == {"text": "hi"}
    assert one.update_chat_message(channel["id"], ack["message_id"], {"text": "ho"})["message_id"]
    assert one.remove_chat_message(channel["id"], ack["message_id"])["message_id"]
    one.leave_chat(channel["id"])


def test_match(pair: tuple[Socket, Socket]) -> None:
    one, two = pair
    match = one.create_match()
    joined = two.join_match(match["match_id"], metadata={"level": "1"})
    assert [presence["user_id"] for presence in joined["presences"]] == [match["self"]["user_id"]]
    with two.expect("match_data") as received:
        one.send_match_state(match["match_id"], 7, b"state", [joined["self"]])
        body = received.wait()
    assert (body["op_code"], base64.b64decode(body["data"])) == ("7", b"state")
    two.leave_match(match["match_id"])
    with pytest.raises(errors.MatchNotFound):
        one.join_match("11111111-1111-4111-8111-111111111111.")


def test_matchmaker(pair: tuple[Socket, Socket]) -> None:
    one, two = pair
    one.remove_matchmaker(one.add_matchmaker(min_count=9, max_count=9)["ticket"])
    with one.expect("matchmaker_matched") as matched:
        for socket in pair:
            socket.add_matchmaker(
                "*",
                2,
                2,
                string_properties={"mode": "duel"},
                numeric_properties={"rank": 3.0},
                count_multiple=2,
            )
        token = matched.wait()["token"]
    assert one.join_match(token=token)["match_id"] == two.join_match(token=token)["match_id"]


def test_party(pair: tuple[Socket, Socket]) -> None:
    one, two = pair
    party = one.create_party(open=False, max_size=4, label='{"mode":"raid"}', hidden=True)
    party_id = party["party_id"]
    with one.expect("party_join_request") as asked, two.expect("party") as joined:
        two.join_party(party_id)
        asking = asked.wait()["presences"]
        assert one.list_party_join_requests(party_id)["presences"] == asking
        one.accept_party_member(party_id, asking[0])
        member = joined.wait()["self"]
    with two.expect("party_data") as push:
        one.send_party_data(party_id, 7, "hello")
        assert push.wait()["data"] == base64.b64encode(b"hello").decode()
    ticket = one.add_matchmaker_party(party_id, "+properties.none:x", 4, 4, {"mode": "raid"}, {"rank": 1.0}, 2)
    one.remove_matchmaker_party(party_id, ticket["ticket"])
    with two.expect("party_update") as updated:
        one.update_party(party_id, '{"mode":"duel"}', open=True)
        assert updated.wait() == {"party_id": party_id, "label": '{"mode":"duel"}', "open": True}
    one.promote_party_member(party_id, member)
    two.remove_party_member(party_id, party["self"])
    two.close_party(party_id)
    two.leave_party(party_id)


def test_status(pair: tuple[Socket, Socket]) -> None:
    one, two = pair
    me = one.join_chat("status")["self"]["user_id"]
    assert [presence["user_id"] for presence in two.follow_users([me])["presences"]] == [me]
    with two.expect("status_presence_event") as event:
        one.update_status("in the lobby")
        assert event.wait()["joins"][0]["status"] == "in the lobby"
    one.update_status()
    two.unfollow_users([me])


def test_rpc(pair: tuple[Socket, Socket]) -> None:
    with pytest.raises(errors.RuntimeFunctionNotFound):
        pair[0].rpc("no_such_function", "{}")
    with pytest.raises(errors.RuntimeFunctionNotFound):
        pair[0].rpc("no_such_function")
    with pytest.raises(errors.RuntimeFunctionNotFound):
        pair[0].rpc("no_such_function", http_key="key")
