"""The socket against a scripted server."""

from __future__ import annotations

import json
import random

import gevent
import pytest
from gevent.event import Event

from nakama_bots import errors
from nakama_bots.realtime.socket import Socket
from nakama_bots.settings.target import Target

from .conftest import Calls, Open
from .server import CLOSE, Peer, ScriptedServer, close_frame, frame, pong, text, upgraded


def test_many_requests_answered_in_any_order(open_socket: Open, calls: Calls) -> None:
    count = 300

    def shuffled(peer: Peer) -> None:
        requests = [peer.request() for _ in range(count)]
        random.Random(7).shuffle(requests)
        peer.send(
            b"".join(text({"cid": one["cid"], "rpc": {"payload": one["rpc"]["payload"]}}) for one in requests)
        )

    with ScriptedServer(upgraded(shuffled)) as server:
        socket = open_socket(server)
        players = [gevent.spawn(socket.rpc, "echo", str(number)) for number in range(count)]
        gevent.joinall(players, raise_error=True)
        assert [player.value["payload"] for player in players] == [str(number) for number in range(count)]
        ledger = socket.ledger
        socket.close()
    assert (ledger.sent, ledger.ok) == (count, count)
    assert calls.outcomes("rpc") == ["ok"] * count


def test_error_types_of_errors_and_wrong_replies(open_socket: Open, calls: Calls) -> None:
    def script(peer: Peer) -> None:
        peer.answer(peer.request(), error={"code": 4, "message": "Match not found"})
        peer.answer(peer.request(), error={"message": "no code is code 0"})
        peer.answer(peer.request(), match={})

    with ScriptedServer(upgraded(script, pong)) as server:
        socket = open_socket(server)
        with pytest.raises(errors.MatchNotFound):
            socket.join_match("x.")
        with pytest.raises(errors.RuntimeException):
            socket.join_match("x.")
        with pytest.raises(errors.ProtocolError, match="'channel'"):
            socket.join_chat("room")
        socket.ping_pong()  # the connection is still open
        assert (socket.ledger.error, socket.ledger.ok) == (3, 1)
        socket.close()
    assert calls.outcomes("match_join") == ["MatchNotFound", "RuntimeException"]


def test_late_answer_is_counted_and_ignored(open_socket: Open, calls: Calls) -> None:
    timed_out = Event()

    def script(peer: Peer) -> None:
        first = peer.request()
        timed_out.wait()
        second = peer.request()
        peer.answer(first, pong={})
        peer.answer(first, pong={})
        peer.answer({"cid": "stranger"}, pong={})
        peer.answer(second, pong={})

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        with pytest.raises(errors.RequestTimeout, match=r"ping: no answer within 0\.02 s"):
            socket.request("ping", {}, timeout=0.02)
        timed_out.set()
        socket.ping_pong()
        ledger = socket.ledger
        socket.close()
    assert (ledger.sent, ledger.timeout, ledger.ok, ledger.late, ledger.unmatched) == (2, 1, 1, 1, 2)
    assert calls.outcomes("ping") == ["RequestTimeout", "ok"]


def test_each_request_has_its_own_timeout(open_socket: Open) -> None:
    with ScriptedServer(upgraded(*[Peer.request] * 4)) as server:
        socket = open_socket(server, request=60.0)
        patient = gevent.spawn(_abandoned, socket)
        gevent.idle()
        for timeout in (0.02, 0.0, 0.01):  # each shorter than the pending one
            with pytest.raises(errors.RequestTimeout):
                socket.request("ping", {}, timeout=timeout)
            assert socket.pending == 1
        assert socket.ledger.timeout == 3
        socket.close()
        patient.get()


def test_request_after_a_timeout_can_time_out_again(open_socket: Open) -> None:
    with ScriptedServer(upgraded(*[Peer.request] * 3)) as server:
        socket = open_socket(server)
        for _ in range(3):
            with pytest.raises(errors.RequestTimeout):
                socket.request("ping", {}, timeout=0.01)
        socket.close()


def test_killed_caller_leaves_no_pending_cid(open_socket: Open, calls: Calls) -> None:
    requested, killed = Event(), Event()

    def script(peer: Peer) -> None:
        request = peer.request()
        requested.set()
        killed.wait()
        peer.answer(request, pong={})

    with ScriptedServer(upgraded(script, pong)) as server:
        socket = open_socket(server)
        caller = gevent.spawn(socket.ping_pong)
        requested.wait()
        caller.kill()
        assert socket.pending == 0
        killed.set()
        socket.ping_pong()
        assert (socket.ledger.abandoned, socket.ledger.late, socket.ledger.ok) == (1, 1, 1)
        socket.close()
    assert calls.outcomes("ping") == ["Abandoned", "ok"]


def test_timeout_of_the_caller_abandons_the_request(open_socket: Open) -> None:
    with ScriptedServer(upgraded(Peer.request)) as server:
        socket = open_socket(server)
        with gevent.Timeout(0.02, exception=False):
            socket.ping_pong()
        assert socket.pending == 0
        assert socket.ledger.abandoned == 1
        socket.close()


ENDS = {
    "EOF": (lambda peer: None, errors.ConnectionClosed, 1006),
    "RST": (Peer.reset, errors.ConnectionClosed, 1006),
    "close": (
        lambda peer: peer.send(close_frame(1000, "session outgoing queue full")),
        errors.ConnectionClosed,
        1000,
    ),
    "not JSON": (lambda peer: peer.send(frame(1, b"{nope")), errors.ProtocolError, None),
    "array": (lambda peer: peer.send(text([])), errors.ProtocolError, None),
    "binary": (lambda peer: peer.send(frame(2, b"\x0a")), errors.ProtocolError, None),
    "broken frame": (lambda peer: peer.send(b"\xff\x00"), errors.ProtocolError, None),
}


@pytest.mark.parametrize("name", ENDS)
def test_end_of_the_connection_is_reported_once_to_every_waiter(
    name: str, open_socket: Open, calls: Calls
) -> None:
    end, kind, code = ENDS[name]

    def script(peer: Peer) -> None:
        peer.upgrade()
        for _ in range(5):
            peer.request()
        end(peer)

    def fails(function, *arguments) -> BaseException:
        with pytest.raises(errors.CallError) as caught:
            function(*arguments)
        return caught.value

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        lost: list[errors.CallError] = []
        ended = Event()
        socket.on("disconnect", lambda error: (lost.append(error), ended.set()))
        waiting = gevent.spawn(fails, socket.wait_for, "match_data")
        callers = [gevent.spawn(fails, socket.ping_pong) for _ in range(5)]
        gevent.joinall([*callers, waiting], raise_error=True)
        ended.wait()
        for failure in (caller.value for caller in callers):
            assert type(failure) is kind
            assert failure.operation == "ping"
            if code is not None:
                assert failure.code == code
        assert type(waiting.value) is kind
        assert waiting.value.operation == "match_data"
        assert lost == [socket.error]
        assert not socket.connected
        with pytest.raises(kind):
            socket.ping_pong()
        with pytest.raises(kind):
            socket.send_match_state("m.", 1, b"")
        with pytest.raises(kind):
            socket.wait_for("match_data")
        assert (socket.ledger.closed, socket.ledger.refused) == (5, 2)
        socket.close()
    assert len(lost) == 1
    assert calls.outcomes("ping") == [kind.__name__] * 6


def test_socket_that_is_not_connected(calls: Calls) -> None:
    socket = Socket(Target("127.0.0.1", 1), observer=calls)
    assert (socket.connected, socket.error, socket.pending) == (False, None, 0)
    with pytest.raises(errors.ConnectionClosed, match="not connected"):
        socket.ping_pong()
    with pytest.raises(errors.ConnectionClosed, match="not connected"):
        socket.send("match_data_send", {})
    assert socket.ledger.refused == 2
    socket.close()
    socket.close()


def test_close_abandons_pending_requests_and_is_idempotent(open_socket: Open, calls: Calls) -> None:
    requested = Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        request = peer.request()
        requested.set()
        assert peer.expect_close() == (1000, b"bye")
        peer.answer(request, pong={})  # too late, but before our close
        peer.text({"channel_message": {}})
        peer.send(close_frame(1000))
        peer.expect_eof()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        reported: list[object] = []
        socket.on("disconnect", reported.append)
        socket.on("channel_message", reported.append)
        with socket:
            caller = gevent.spawn(_abandoned, socket)
            requested.wait()
            socket.close(1000, "bye")
            caller.get()
        socket.close()
        gevent.idle()
    assert reported == []
    assert (socket.ledger.abandoned, socket.ledger.late) == (1, 1)
    with pytest.raises(errors.ConnectionClosed):
        socket.ping_pong()


def _abandoned(socket: Socket) -> None:
    with pytest.raises(errors.Abandoned):
        socket.ping_pong()


def test_caller_closes_on_its_reply_within_a_batch(open_socket: Open) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        requests = [peer.request() for _ in range(3)]
        peer.send(b"".join(text({"cid": one["cid"], "pong": {}}) for one in requests))
        peer.finish()

    def closes(socket: Socket) -> None:
        socket.ping_pong()
        socket.close()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        first = gevent.spawn(closes, socket)
        others = [gevent.spawn(_abandoned, socket) for _ in range(2)]
        gevent.joinall([first, *others], raise_error=True)
        assert (socket.ledger.ok, socket.ledger.abandoned, socket.ledger.late) == (1, 2, 2)


def test_heartbeats_are_sent_and_answered(open_socket: Open, calls: Calls) -> None:
    third = Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        answered = 0
        while True:
            opcode, payload = peer.read_frame()
            if opcode == CLOSE:
                peer.send(frame(CLOSE, payload))
                return
            peer.answer(json.loads(payload), pong={})
            answered += 1
            if answered == 3:
                third.set()

    with ScriptedServer(script) as server:
        socket = open_socket(server, heartbeat_interval=0.02)
        third.wait()
        assert socket.connected
        socket.ping_pong()  # its answer is read after those of earlier heartbeats
        socket.close()
    assert calls.outcomes("ping")[:2] == ["ok", "ok"]
    assert set(calls.outcomes("ping")) <= {"ok", "Abandoned"}


def test_missing_pong_ends_the_connection_and_all_requests(open_socket: Open, calls: Calls) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        while peer.sock.recv(4096):
            pass

    with ScriptedServer(script) as server:
        socket = open_socket(server, heartbeat_interval=0.05, heartbeat_timeout=0.05, request=60.0)

        def ask() -> None:
            with pytest.raises(errors.HeartbeatTimeout, match=r"no pong within 0\.05 s"):
                socket.rpc("slow")

        gevent.joinall([gevent.spawn(ask) for _ in range(20)], raise_error=True)
        assert isinstance(socket.error, errors.HeartbeatTimeout)
        assert (socket.ledger.closed, socket.ledger.timeout) == (socket.ledger.sent - 1, 1)
        assert socket.pending == 0
    assert calls.outcomes("rpc") == ["HeartbeatTimeout"] * 20


def test_requests_time_out_when_the_server_does_not_read(open_socket: Open) -> None:
    done = Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        done.wait()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        big = "x" * 60_000

        def ask() -> str:
            with pytest.raises(errors.RequestTimeout) as caught:
                socket.request("rpc", {"id": "echo", "payload": big}, timeout=0.1)
            return str(caught.value)

        callers = [gevent.spawn(ask) for _ in range(300)]
        gevent.joinall(callers, raise_error=True)
        texts = {caller.value for caller in callers}
        assert texts == {"rpc: no answer within 0.1 s", "rpc: the server has not read for 0.1 s"}
        ledger = socket.ledger
        assert ledger.timeout + ledger.refused == 300
        assert ledger.sent == ledger.timeout
        sender = gevent.spawn(socket.send_match_state, "m.", 1, b"x")
        asker = gevent.spawn(socket.ping_pong)
        gevent.idle()
        done.set()  # the server ends
        gevent.joinall([sender, asker])
        assert isinstance(sender.exception, errors.ConnectionClosed)
        assert isinstance(asker.exception, errors.ConnectionClosed)
        socket.close()


def test_backlog_is_sent_when_the_server_reads(open_socket: Open) -> None:
    count, proceed = 60, Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        proceed.wait()
        for _ in range(count):
            request = peer.request()
            peer.answer(request, rpc={"payload": request["rpc"]["payload"][:1]})
        assert "match_data_send" in peer.request()
        peer.finish()

    with ScriptedServer(script) as server:
        socket = open_socket(server)
        callers = [gevent.spawn(socket.rpc, "echo", str(n % 10) * 100_000) for n in range(count)]
        gevent.idle()
        proceed.set()
        gevent.joinall(callers, raise_error=True)
        assert [caller.value["payload"] for caller in callers] == [str(n % 10) for n in range(count)]
        socket.send_match_state("m.", 1, b"x")
        socket.close()
