"""``on_<event>``: every push through its typed handler."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

from nakama_bots import errors
from nakama_bots.realtime.catalog import PUSHES
from nakama_bots.realtime.handlers import PushHandlers

from .conftest import Open
from .server import Peer, ScriptedServer, close_frame, pong, upgraded

USER = {"user_id": "u", "session_id": "s", "username": "n"}
PLAIN = {
    "on_error": "error",
    "on_channel_presence": "channel_presence_event",
    "on_match_presence": "match_presence_event",
    "on_matchmaker_ticket": "matchmaker_ticket",
    "on_matchmaker_matched": "matchmaker_matched",
    "on_party": "party",
    "on_party_close": "party_close",
    "on_party_join_request": "party_join_request",
    "on_party_leader": "party_leader",
    "on_party_matchmaker_ticket": "party_matchmaker_ticket",
    "on_party_presence": "party_presence_event",
    "on_party_update": "party_update",
    "on_status_presence": "status_presence_event",
    "on_stream_presence": "stream_presence_event",
    "on_stream_data": "stream_data",
}
READ: list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]] = [
    ("on_notification", "notifications",
     {"notifications": [{"id": "1", "content": '{"k":[1,2]}'}, {"id": "2"}]},
     [{"id": "1", "content": {"k": [1, 2]}}, {"id": "2", "content": {}}]),
    ("on_channel_message", "channel_message",
     {"channel_id": "c", "content": '{"text":"hi"}'}, [{"channel_id": "c", "content": {"text": "hi"}}]),
    ("on_match_data", "match_data",
     {"match_id": "m", "presence": USER, "op_code": "-7", "data": "aGk="},
     [{"match_id": "m", "presence": USER, "op_code": -7, "data": b"hi"}]),
    ("on_match_data", "match_data", {"match_id": "m"}, [{"match_id": "m", "op_code": 0, "data": b""}]),
    ("on_party_data", "party_data",
     {"party_id": "p", "presence": USER, "data": "aGk="},
     [{"party_id": "p", "presence": USER, "op_code": 0, "data": b"hi"}]),
]  # fmt: skip
CASES = [(name, key, {"some": key}, [{"some": key}]) for name, key in PLAIN.items()] + READ


@pytest.mark.parametrize(("name", "key", "body", "expected"), CASES)
def test_handler_receives_pushes_until_it_is_removed(
    name: str, key: str, body: dict[str, Any], expected: list[dict[str, Any]], open_socket: Open
) -> None:
    done = Event()
    received: list[Any] = []

    def handler(push: Any) -> None:
        received.append(push)
        if len(received) == len(expected):
            done.set()

    def script(peer: Peer) -> None:
        pong(peer)
        peer.text({key: body})
        done.wait()
        pong(peer)
        peer.text({key: body})
        pong(peer)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        remove = getattr(socket, name)(handler)
        socket.ping_pong()
        done.wait()
        assert received == expected
        remove()
        socket.ping_pong()
        socket.ping_pong()
        assert received == expected
        socket.close()


def test_every_push_has_a_handler() -> None:
    own = {"on_disconnect", "on_heartbeat_timeout"}
    names = {name for name, _ in inspect.getmembers(PushHandlers) if name.startswith("on_")}
    assert names == {case[0] for case in CASES} | own
    # The definition has a ping from the server, but no server sends it.
    assert {case[1] for case in CASES} == PUSHES - {"ping"}


def test_unreadable_push_is_logged(open_socket: Open, caplog: pytest.LogCaptureFixture) -> None:
    read = AsyncResult()

    def script(peer: Peer) -> None:
        peer.text({"channel_message": {"content": "no JSON"}})
        peer.text({"channel_message": {"content": json.dumps({"a": 1})}})
        read.get()

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on_channel_message(read.set)
        assert read.get()["content"] == {"a": 1}
        socket.close()
    assert "a handler of channel_message failed" in caplog.text


def test_on_disconnect(open_socket: Open) -> None:
    reported: AsyncResult[errors.CallError] = AsyncResult()
    missed: list[object] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.send(close_frame(1000, "server-side session disconnect"))
        peer.expect_close()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        socket.on_heartbeat_timeout(missed.append)
        socket.on_disconnect(reported.set)
        assert str(reported.get()) == "1000 server-side session disconnect"
    assert missed == []


def test_on_heartbeat_timeout(open_socket: Open) -> None:
    reported: AsyncResult[errors.HeartbeatTimeout] = AsyncResult()
    ended: AsyncResult[errors.CallError] = AsyncResult()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.request()
        ended.get()

    with ScriptedServer(script) as server:
        socket = open_socket(server, heartbeat_interval=0.05, heartbeat_timeout=0.05)
        socket.on_heartbeat_timeout(reported.set)
        socket.on_disconnect(ended.set)
        assert isinstance(reported.get(), errors.HeartbeatTimeout)
        assert ended.get() is reported.get()
