"""Pushes of the server: handlers, taps and expectations."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.realtime import socket as module

from .conftest import Calls, Open
from .server import PING, PONG, Peer, ScriptedServer, frame, pong, text, upgraded


def test_blocked_handler_does_not_block_pings_and_replies(open_socket: Open) -> None:
    blocked, answered, release, done = Event(), Event(), Event(), Event()
    received: list[object] = []

    def handler(body: dict[str, object]) -> None:
        socket.ping_pong()
        received.append(body["content"])
        if not blocked.is_set():
            blocked.set()
            release.wait()
        if len(received) == 3:
            done.set()

    def script(peer: Peer) -> None:
        for number in range(3):
            peer.text({"channel_message": {"content": number}})
        pong(peer)
        blocked.wait()
        peer.send(frame(PING, b"are you there"))
        assert peer.read_frame() == (PONG, b"are you there")
        answered.set()
        pong(peer)
        pong(peer)
        pong(peer)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on("channel_message", handler)
        answered.wait()
        socket.ping_pong()
        assert received == [0]
        release.set()
        done.wait()
        assert received == [0, 1, 2]
        socket.close()


def test_handler_that_raises_does_not_affect_others(
    open_socket: Open, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    done = Event()

    def raises(error: Exception):
        def handler(body: object) -> None:
            raise error

        return handler

    def script(peer: Peer) -> None:
        peer.text({"channel_message": {}})
        done.wait()

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on("channel_message", raises(ValueError("a bug")))
        socket.on("channel_message", raises(errors.ConnectionClosed(1000, "over")))
        socket.on("channel_message", lambda body: done.set())
        socket.tap("channel_message", lambda *_: 1 / 0)
        done.wait()
        socket.close()
    assert "a handler of channel_message failed" in caplog.text
    assert "ConnectionClosed: 1000 over" in caplog.text
    assert "a tap of channel_message failed" in caplog.text
    # The CallError of the handler was counted as a failed call.
    assert {name: number for name, number in calls.counts.items() if name.startswith("handler_")} == {
        "handler_failures": 2,
        "handler_failed.handler.channel_message.ValueError": 1,
        "handler_failed.tap.channel_message.ZeroDivisionError": 1,
    }


def test_repeated_failures_are_counted_and_logged_rarely(
    open_socket: Open, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    done = Event()

    def script(peer: Peer) -> None:
        for number in range(120):
            peer.text({"channel_message": {"code": number}})
        done.wait()

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.tap("channel_message", lambda *_: 1 / 0)
        socket.on("channel_message", lambda body: done.set() if body["code"] == 119 else None)
        done.wait()
        socket.close()
    assert calls.counts["handler_failures"] == 120
    assert caplog.text.count("Traceback") == 1
    assert "a tap of channel_message has failed 100 times: ZeroDivisionError" in caplog.text
    assert len(caplog.records) == 3  # the first, the 10th and the 100th


def test_handler_that_closes_the_socket_receives_no_more_pushes(open_socket: Open) -> None:
    closed = Event()
    received: list[object] = []

    def handler(body: object) -> None:
        received.append(body)
        socket.close()
        closed.set()

    push = text({"channel_message": {}})
    with ScriptedServer(upgraded(lambda peer: peer.send(push * 3))) as server:
        socket = open_socket(server)
        socket.on("channel_message", handler)
        closed.wait()
        gevent.idle()
    assert received == [{}]
    assert isinstance(socket.error, errors.ConnectionClosed)


def test_close_kills_a_blocked_handler(open_socket: Open) -> None:
    blocked, killed = Event(), Event()

    def handler(body: object) -> None:
        try:
            blocked.set()
            Event().wait()
        finally:
            killed.set()

    with ScriptedServer(upgraded(lambda peer: peer.text({"channel_message": {}}))) as server:
        socket = open_socket(server)
        socket.on("channel_message", handler)
        blocked.wait()
        socket.close()
        killed.wait()


def test_disconnect_is_reported_while_a_handler_blocks(open_socket: Open) -> None:
    blocked, notified = Event(), Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.text({"channel_message": {}})
        blocked.wait()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        socket.on("channel_message", lambda body: (blocked.set(), Event().wait()))
        socket.on("disconnect", lambda error: notified.set())
        notified.wait()
        socket.close()


def test_pushes_above_the_backlog_are_dropped_and_counted(
    open_socket: Open, caplog: pytest.LogCaptureFixture
) -> None:
    extra = 250
    blocked, release, done = Event(), Event(), Event()
    received: list[int] = []
    tapped: list[int] = []

    def handler(body: dict[str, int]) -> None:
        received.append(body["n"])
        if body["n"] == 0:
            blocked.set()
            release.wait()
        if body["n"] == module.MAX_BACKLOG:
            done.set()

    def script(peer: Peer) -> None:
        peer.text({"stream_data": {"n": 0}})
        blocked.wait()
        numbers = range(1, module.MAX_BACKLOG + extra + 1)
        peer.send(b"".join(text({"stream_data": {"n": number}}) for number in numbers))
        pong(peer)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on("stream_data", handler)
        socket.tap("stream_data", lambda body, arrived_at, size: tapped.append(body["n"]))
        socket.ping_pong()  # its reply follows the flood, and the handler does not delay it
        assert len(tapped) == module.MAX_BACKLOG + extra + 1
        assert socket.ledger.pushes_dropped == extra
        release.set()
        done.wait()
        assert received == list(range(module.MAX_BACKLOG + 1))
        socket.close()
    assert sum("too slow" in record.message for record in caplog.records) == 1


def test_listeners_are_called_in_order_and_can_be_removed(open_socket: Open) -> None:
    received: list[str] = []

    def script(peer: Peer) -> None:
        for _ in range(2):
            peer.text({"error": {"message": "no cid"}})
            pong(peer)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on("error", lambda body: received.append("handler " + body["message"]))
        off = socket.tap("error", lambda body, arrived_at, size: received.append(f"tap {size}"))
        socket.ping_pong()
        gevent.idle()
        off()
        off()
        socket.ping_pong()
        gevent.idle()
        size = len('{"error": {"message": "no cid"}}')
        assert received == [f"tap {size}", "handler no cid", "handler no cid"]
        assert socket.ledger.pushes == 2
        socket.close()


@pytest.mark.parametrize("method", ["on", "tap", "expect", "wait_for"])
def test_unknown_event_is_refused(method: str, open_socket: Open) -> None:
    with ScriptedServer(upgraded()) as server:
        socket = open_socket(server)
        arguments = ["match_dat"] if method in ("expect", "wait_for") else ["match_dat", print]
        with pytest.raises(errors.ConfigError, match="match_data") as caught:
            getattr(socket, method)(*arguments)
        assert caught.value.value == "match_dat"
        socket.close()


def test_expectation_starts_before_the_request(open_socket: Open) -> None:
    def script(peer: Peer) -> None:
        request = peer.request()
        for n in (1, 2, 3):
            peer.text({"matchmaker_matched": {"n": n}})
        peer.answer(request, matchmaker_ticket={"ticket": "t"})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        with socket.expect("matchmaker_matched", lambda body: body["n"] == 2) as expectation:
            socket.add_matchmaker()
            assert expectation.wait() == {"n": 2}
            assert expectation.wait() == {"n": 2}  # the result is kept
        assert expectation.wait(0) == {"n": 2}
        assert expectation.size == len('{"matchmaker_matched": {"n": 2}}')
        assert expectation.arrived_at > 0
        socket.close()


def test_expectation_can_wait_again_after_a_timeout(open_socket: Open) -> None:
    proceed = Event()

    def script(peer: Peer) -> None:
        proceed.wait()
        peer.text({"match_data": {"n": 1}})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        with socket.expect("match_data") as expectation:
            with pytest.raises(errors.RequestTimeout, match=r"match_data: no match_data within 0\.01 s"):
                expectation.wait(0.01)
            proceed.set()
            assert expectation.wait() == {"n": 1}
        with socket.expect("match_data") as left:
            pass
        with pytest.raises(RuntimeError, match="with block"):
            left.wait()
        with pytest.raises(RuntimeError, match="with block"):
            socket.expect("match_data").wait()
        socket.close()


def test_exception_in_a_condition_is_raised_by_wait_for(open_socket: Open) -> None:
    with ScriptedServer(upgraded(lambda peer: peer.text({"match_data": {}}))) as server:
        socket = open_socket(server)
        with pytest.raises(KeyError, match="n"):
            socket.wait_for("match_data", lambda body: body["n"])
        socket.close()


def test_killed_wait_for_stops_checking_its_condition(open_socket: Open) -> None:
    checked: list[object] = []

    def script(peer: Peer) -> None:
        pong(peer)
        request = peer.request()
        peer.text({"match_data": {}})
        peer.answer(request, pong={})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        caller = gevent.spawn(socket.wait_for, "match_data", checked.append)
        socket.ping_pong()
        caller.kill()
        socket.ping_pong()
        assert checked == []
        socket.close()
