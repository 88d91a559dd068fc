"""What the server sends by itself: handlers, taps and expectations."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.realtime import socket as module

from .conftest import Calls, Open
from .server import PING, PONG, Peer, ScriptedServer, frame, pong, text, upgraded


def test_handlers_may_block_and_use_the_socket_while_pings_and_replies_go_on(open_socket: Open) -> None:
    blocked, answered, let_go, done = Event(), Event(), Event(), Event()
    heard: list[object] = []

    def handler(body: dict[str, object]) -> None:
        socket.ping_pong()
        heard.append(body["content"])
        if not blocked.is_set():
            blocked.set()
            let_go.wait()
        if len(heard) == 3:
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
        assert heard == [0]
        let_go.set()
        done.wait()
        assert heard == [0, 1, 2]
        socket.close()


def test_a_handler_that_raises_disturbs_nobody(
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
    # The handler's CallError has been counted where it was a call.
    assert {name: number for name, number in calls.counts.items() if name.startswith("handler_")} == {
        "handler_failures": 2,
        "handler_failed.handler.channel_message.ValueError": 1,
        "handler_failed.tap.channel_message.ZeroDivisionError": 1,
    }


def test_a_storm_of_failures_is_logged_once_and_counted(
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


def test_a_handler_that_closes_the_socket_gets_no_further_push(open_socket: Open) -> None:
    closed = Event()
    heard: list[object] = []

    def handler(body: object) -> None:
        heard.append(body)
        socket.close()
        closed.set()

    push = text({"channel_message": {}})
    with ScriptedServer(upgraded(lambda peer: peer.send(push * 3))) as server:
        socket = open_socket(server)
        socket.on("channel_message", handler)
        closed.wait()
        gevent.idle()
    assert heard == [{}]
    assert isinstance(socket.error, errors.ConnectionClosed)


def test_a_blocked_handler_that_is_closed_over_is_killed(open_socket: Open) -> None:
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


def test_disconnect_is_told_beside_a_handler_that_never_returns(open_socket: Open) -> None:
    blocked, told = Event(), Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.text({"channel_message": {}})
        blocked.wait()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        socket.on("channel_message", lambda body: (blocked.set(), Event().wait()))
        socket.on("disconnect", lambda error: told.set())
        told.wait()
        socket.close()


def test_a_flood_for_a_blocked_handler_is_dropped_and_counted(
    open_socket: Open, caplog: pytest.LogCaptureFixture
) -> None:
    extra = 250
    blocked, let_go, done = Event(), Event(), Event()
    heard: list[int] = []
    tapped: list[int] = []

    def handler(body: dict[str, int]) -> None:
        heard.append(body["n"])
        if body["n"] == 0:
            blocked.set()
            let_go.wait()
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
        socket.ping_pong()  # behind the flood, and not held up by the handler
        assert len(tapped) == module.MAX_BACKLOG + extra + 1
        assert socket.ledger.pushes_dropped == extra
        let_go.set()
        done.wait()
        assert heard == list(range(module.MAX_BACKLOG + 1))
        socket.close()
    assert sum("too slow" in record.message for record in caplog.records) == 1


def test_listeners_are_called_in_order_and_can_be_taken_off(open_socket: Open) -> None:
    heard: list[str] = []

    def script(peer: Peer) -> None:
        for _ in range(2):
            peer.text({"error": {"message": "no cid"}})
            pong(peer)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.on("error", lambda body: heard.append("handler " + body["message"]))
        off = socket.tap("error", lambda body, arrived_at, size: heard.append(f"tap {size}"))
        socket.ping_pong()
        gevent.idle()
        off()
        off()
        socket.ping_pong()
        gevent.idle()
        size = len('{"error": {"message": "no cid"}}')
        assert heard == [f"tap {size}", "handler no cid", "handler no cid"]
        assert socket.ledger.pushes == 2
        socket.close()


@pytest.mark.parametrize("method", ["on", "tap", "expect", "wait_for"])
def test_an_event_that_never_comes_is_refused(method: str, open_socket: Open) -> None:
    with ScriptedServer(upgraded()) as server:
        socket = open_socket(server)
        arguments = ["match_dat"] if method in ("expect", "wait_for") else ["match_dat", print]
        with pytest.raises(errors.ConfigError, match="match_data") as caught:
            getattr(socket, method)(*arguments)
        assert caught.value.value == "match_dat"
        socket.close()


def test_an_expectation_begins_before_its_cause(open_socket: Open) -> None:
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
            assert expectation.wait() == {"n": 2}  # it has come, and stays
        assert expectation.wait(0) == {"n": 2}
        assert expectation.size == len('{"matchmaker_matched": {"n": 2}}')
        assert expectation.arrived_at > 0
        socket.close()


def test_an_expectation_may_wait_longer_after_a_timeout(open_socket: Open) -> None:
    go_on = Event()

    def script(peer: Peer) -> None:
        go_on.wait()
        peer.text({"match_data": {"n": 1}})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        with socket.expect("match_data") as expectation:
            with pytest.raises(errors.RequestTimeout, match=r"match_data: no match_data within 0\.01 s"):
                expectation.wait(0.01)
            go_on.set()
            assert expectation.wait() == {"n": 1}
        with socket.expect("match_data") as left:
            pass
        with pytest.raises(RuntimeError, match="with block"):
            left.wait()
        with pytest.raises(RuntimeError, match="with block"):
            socket.expect("match_data").wait()
        socket.close()


def test_what_a_condition_raises_is_raised_where_it_is_waited_for(open_socket: Open) -> None:
    with ScriptedServer(upgraded(lambda peer: peer.text({"match_data": {}}))) as server:
        socket = open_socket(server)
        with pytest.raises(KeyError, match="n"):
            socket.wait_for("match_data", lambda body: body["n"])
        socket.close()


def test_a_killed_wait_for_looks_out_no_longer(open_socket: Open) -> None:
    asked: list[object] = []

    def script(peer: Peer) -> None:
        pong(peer)
        request = peer.request()
        peer.text({"match_data": {}})
        peer.answer(request, pong={})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        caller = gevent.spawn(socket.wait_for, "match_data", asked.append)
        socket.ping_pong()
        caller.kill()
        socket.ping_pong()
        assert asked == []
        socket.close()
