"""Violations that close a socket, sent below the client, which never sends them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import websocket

from nakama_bots.errors import ConnectionClosed
from nakama_bots.session import Session

from .support import Line, Raw, Server

PING = '{"cid":"1","ping":{}}'
MALFORMED = (1000, "received malformed payload")
NOT_PROCESSED = (1000, "error processing message")


def close_after(
    server: Server, session: Session, data: str | bytes, opcode: int = websocket.ABNF.OPCODE_TEXT
) -> tuple[int | None, str]:
    """How the server closes a working socket after this message.

    Repeated if TCP ended without a close frame: Nakama 3.40 loses it in 3 of 2100 cases.
    """
    for attempt in range(3):
        with Raw(server, session.token) as raw:
            raw.send(PING)
            assert raw.receive() == {"cid": "1", "pong": {}}
            raw.send(data, opcode)
            try:
                return raw.received_close()
            except websocket.WebSocketConnectionClosedException:
                if attempt == 2 or not server.real:
                    raise
    raise AssertionError


def echo_of(size: int) -> str:
    """An rpc message of ``size`` bytes."""
    head, tail = '{"cid":"1","rpc":{"id":"no_such_rpc","payload":"', '"}}'
    return head + "x" * (size - len(head) - len(tail)) + tail


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("not json", MALFORMED),
        ('{"cid":"1","ping":', MALFORMED),
        ("[]", MALFORMED),
        ("", MALFORMED),
        ('{"cid":"1","no_such_message":{}}', MALFORMED),
        ('{"cid":"1","match_create":{"no_such":1}}', MALFORMED),
        ('{"cid":"1","match_join":{"match_id":5}}', MALFORMED),
        ('{"cid":5,"ping":{}}', MALFORMED),
        ('{"cid":"1","ping":"x"}', MALFORMED),
        ('{"cid":"1","ping":{},"match_create":{}}', MALFORMED),
        ('{"cid":"1","cid":"2","ping":{}}', MALFORMED),
        ('{"cid":"1","match_join":{"match_id":"a.","token":"b"}}', MALFORMED),
        ('{"match_data_send":{"match_id":"x","data":"!!!"}}', MALFORMED),
        ('{"match_data_send":{"match_id":"x","op_code":"one"}}', MALFORMED),
        ('{"match_data_send":{"match_id":"x","op_code":1.5}}', MALFORMED),
        ('{"cid":"1","rpc":{"id":"echo","payload":"\\ud800"}}', MALFORMED),
        ("{}", NOT_PROCESSED),
        ('{"cid":"1"}', NOT_PROCESSED),
        ('{"cid":"1","ping":null}', NOT_PROCESSED),
        ('{"cid":"1","match":{}}', NOT_PROCESSED),
        ('{"cid":"1","error":{"code":1}}', NOT_PROCESSED),
    ],
)
def test_bad_text(server: Server, session: Session, text: str, close: tuple[int, str]) -> None:
    assert close_after(server, session, text) == close


def test_bytes_that_are_not_utf8(server: Server, session: Session) -> None:
    data = b'{"cid":"1","rpc":{"id":"echo","payload":"\xff"}}'
    assert close_after(server, session, data) == MALFORMED


def test_binary_message(server: Server, session: Session) -> None:
    close = close_after(server, session, PING, websocket.ABNF.OPCODE_BINARY)
    assert close == (1000, "received unexpected WebSocket message type")


def test_longest_message(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send(echo_of(4096))
        assert raw.receive() == {"cid": "1", "error": {"code": 6, "message": "RPC function not found"}}


def test_too_long_message(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send(echo_of(4097))
        assert raw.received_close() == (1009, "")


def test_too_long_message_in_two_fragments(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        text = echo_of(6000)
        raw.send_fragments(text[:3000], text[3000:])
        assert raw.received_close() == (1009, "")


def test_fragments(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send_fragments(PING[:9], PING[9:])
        assert raw.receive() == {"cid": "1", "pong": {}}


def test_unmasked_frame(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send_bytes(bytes([0x81, len(PING)]) + PING.encode())
        assert raw.received_close() == (1002, "bad MASK")


def test_without_cid(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send('{"status_unfollow":{}}')
        assert raw.receive() == {}
        raw.send('{"match_join":{"match_id":"nope"}}')
        assert raw.receive() == {"error": {"code": 3, "message": "Invalid match ID"}}
        raw.send('{"ping":{}}')
        assert raw.receive() == {"pong": {}}


@pytest.mark.parametrize("cid", ["same", 'é中<>&"', "x" * 1000, "a b"])
def test_cids_are_returned_unchanged(server: Server, session: Session, cid: str) -> None:
    with Raw(server, session.token) as raw:
        for _ in range(2):
            raw.send(json.dumps({"cid": cid, "ping": {}}))
            assert raw.receive() == {"cid": cid, "pong": {}}


def test_tolerated_messages(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send('  \n {"cid" : "ws" , "ping" : { } } \n')
        assert raw.receive() == {"cid": "ws", "pong": {}}
        raw.send('{"cid":"e\\u0041","statusUnfollow":{"userIds":[]}}')
        assert raw.receive() == {"cid": "eA"}
        raw.send('{"pong":{}}')  # never answered
        raw.send('{"cid":"last","ping":{}}')
        assert raw.receive() == {"cid": "last", "pong": {}}


def test_pings_of_the_client_are_answered(server: Server, session: Session) -> None:
    with Raw(server, session.token) as raw:
        raw.send(b"payload", websocket.ABNF.OPCODE_PING)
        assert raw.receive_frame() == (websocket.ABNF.OPCODE_PONG, b"payload")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    # A server sends no reason for 1009; the client reports what was too big.
    [("s" * 5000, 1009, "message too big"), (7, *MALFORMED)],
    ids=["too long", "malformed"],
)
def test_close_ends_pending_requests_of_the_client(
    connect: Callable[..., Line],
    status: object,
    code: int,
    reason: str,
) -> None:
    line = connect()
    with pytest.raises(ConnectionClosed) as caught:
        line.socket.request("status_update", {"status": status})
    assert caught.value.code == code
    assert caught.value.reason.startswith(reason)
    assert caught.value.operation == "status_update"
    assert line.socket.ledger.closed == 1
    with pytest.raises(ConnectionClosed):
        line.socket.ping_pong()
