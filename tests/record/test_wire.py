"""An odd request or frame does not lose the rest of a recording."""

from __future__ import annotations

import pytest

from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.capture.wire import Kept, WireSide

from .support import Recorded, token

BEARER = b"Authorization: Bearer " + token("11111111-2222-4333-8444-555555555555", "wire").encode() + b"\r\n"
GOOD = b"GET /v2/account HTTP/1.1\r\n" + BEARER + b"\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def recorded(*odd: tuple[bytes, bytes]) -> Tape:
    """The tape of odd requests and a good one, each on its own connection."""
    kept = Kept()
    for request, answer in (*odd, (GOOD, ANSWER)):
        wire = kept.open()
        kept.keep(wire, WireSide.CLIENT, 1.0, request)
        kept.keep(wire, WireSide.SERVER, 1.1, answer)
        kept.keep(wire, WireSide.END, 2.0, b"")
    return kept.tape()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET http://[odd/v2/account HTTP/1.1\r\n\r\n", ANSWER),
        (b"GET //[odd?a=b HTTP/1.1\r\n\r\n", ANSWER),
        (b"GET v2/odd HTTP/1.1\r\n\r\n", ANSWER),
        (b"GET /ws?token=[ HTTP/1.1\r\nAuthorization: Basic \xff\xff\r\n\r\n", ANSWER),
        (b"GET /v2/account HTTP/1.1\r\nAuthorization: Basic \xff\xff\r\n\r\n", ANSWER),
        (GOOD, b"HTTP/1.1 2\xb90 OK\r\n\r\n"),
        (GOOD, b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n"),
        (GOOD, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n"),
    ],
)
def test_odd_bytes(request_: bytes, answer: bytes) -> None:
    tape = recorded((request_, answer))
    assert [(call.name, call.answer) for call in tape.calls][-1] == ("/v2/account", {})


def test_paths_are_written_so_that_they_can_be_sent_again() -> None:
    own = Recorded()
    own.rest("GET", '/v2/own/a|b"c%20d', None)
    own.rest("GET", "http://[odd/v2/own", None)
    source = own.files()[0]
    assert 'self.player.api.call("GET", "/v2/own/a%7Cb%22c%20d")' in source
    assert "[odd" not in source
    assert own.tape.notes == ["a request whose path does not begin with a slash is left out"]


def test_messages_with_fields_unknown_to_the_client() -> None:
    own = Recorded()
    own.message("status_follow", {"usernames": ["a-friend"]}, {"status": {}})
    own.message(
        "channel_join", {"target": "hall", "type": 1, "hidden": True, "of the future": 1}, {"channel": {}}
    )
    own.message("of_the_future", {}, {"x": {}})
    own.message("channel_leave", {}, {"error": {"code": 3}})
    own.rest("GET", "/v2/group/mine/user?group_id=other")
    source, data, _ = own.files()
    assert 'self.player.socket.request("channel_leave", {})' in source
    assert 'self.player.api.call("GET", "/v2/group/mine/user", query={"group_id": "other"})' in source
    assert 'self.player.socket.request("status_follow", {"usernames": ' in source
    assert 'self.player.socket.request("of_the_future", {})' in source
    assert data["values"]["body"]["of the future"] == 1


@pytest.mark.parametrize("number", [1, 3])
def test_large_messages_are_in_the_data_file(number: int) -> None:
    own = Recorded()
    own.message("match_create", {}, {"match": {"match_id": "m-1."}})
    own.message("party_create", {"open": True, "max_size": 2}, {"party": {"party_id": "p-1."}})
    for _ in range(number):
        own.message("match_data_send", {"match_id": "m-1.", "op_code": "1", "data": "AP8A" * 5000})
    own.message("party_data_send", {"party_id": "p-1.", "op_code": "1", "data": "AP8B" * 5000})
    source, data, _ = own.files()
    assert len(source) < 2000
    assert len(data["state"]["player 1"]) == number
    assert "base64.b64decode(DATA.values[" in source
    assert "import base64" in source
