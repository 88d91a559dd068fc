"""ReconnectingSocket against a server that ends connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

from nakama_bots import errors
from nakama_bots.backoff import Backoff
from nakama_bots.realtime import reconnect
from nakama_bots.realtime.reconnect import ReconnectingSocket
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.target import Target, Timeouts

from .conftest import TOKEN
from .server import Peer, ScriptedServer, close_frame, pong

QUICK = Backoff(attempts=4, first=0.001, most=0.002)
USER = {"user_id": "u", "session_id": "s", "username": "n"}


class Counts:
    """An observer that records counts."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.sockets: list[Socket] = []

    def call(self, *_: object) -> None: ...

    def sample(self, *_: object) -> None: ...

    def count(self, name: str, number: int = 1) -> None:
        self.counted[name] += number


@pytest.fixture
def counts() -> Iterator[Counts]:
    counts = Counts()
    yield counts
    for socket in counts.sockets:
        assert socket.pending == 0
        assert not socket.connected
        assert socket.ledger.sent == socket.ledger.ended


def line(
    server: ScriptedServer,
    counts: Counts,
    backoff: Backoff = QUICK,
    session: Callable[[], Session] | None = None,
) -> ReconnectingSocket:
    def make() -> Socket:
        counts.sockets.append(Socket(Target("127.0.0.1", server.port), timeouts=Timeouts(request=5)))
        return counts.sockets[-1]

    return ReconnectingSocket(make, session or (lambda: Session(TOKEN)), backoff=backoff, observer=counts)


class Connections:
    """One script per connection, in order. Each connection is upgraded first."""

    def __init__(self, *scripts: Callable[[Peer], object]) -> None:
        self.scripts = iter(scripts)

    def __call__(self, peer: Peer) -> None:
        script = next(self.scripts)
        if script is not refuse:
            peer.upgrade()
        script(peer)


def refuse(peer: Peer) -> None:
    peer.read_head()
    peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


def drop(peer: Peer) -> None:
    peer.send(close_frame(1001, "going away"))
    peer.expect_close()


def answering(
    replies: list[tuple[str, dict[str, Any]]], then: Callable[[Peer], object]
) -> Callable[[Peer], None]:
    """Return a script that expects these requests in order, answers each, and continues with ``then``."""

    def script(peer: Peer) -> None:
        for key, reply in replies:
            request = peer.request()
            assert key in request, f"expected {key}, not {request}"
            peer.answer(request, **reply)
        then(peer)

    return script


def test_kept_state_is_restored(counts: Counts) -> None:
    restored_requests: list[dict[str, Any]] = []
    received: list[object] = []
    ends: list[str] = []

    def restored(peer: Peer) -> None:
        assert b"status=false" in peer.head, "the status itself is restored, not the default one"
        for reply in ({}, {"status": {}}, {"channel": {"id": "2...lobby", "self": USER}},
                      {"match": {"match_id": "m.", "self": USER}}, {}):  # fmt: skip
            restored_requests.append(peer.request())
            peer.answer(restored_requests[-1], **reply)
        peer.text({"match_data": {"match_id": "m."}})
        pong(peer)
        peer.finish()

    first = answering(
        [
            ("status_update", {}),
            ("status_follow", {"status": {}}),
            ("status_unfollow", {}),
            ("channel_join", {"channel": {"id": "2...lobby", "self": USER}}),
            ("channel_join", {"channel": {"id": "2...other", "self": USER}}),
            ("match_create", {"match": {"match_id": "m.", "self": USER}}),
            ("match_join", {"match": {"match_id": "left.", "self": USER}}),
            ("match_leave", {}),
            ("party_join", {}),
        ],
        drop,
    )
    with ScriptedServer(Connections(first, restored)) as server, line(server, counts) as socket:
        socket.on_disconnect(lambda error: ends.append(str(error)))
        socket.on_match_data(received.append)
        socket.connect(create_status=True)
        socket.update_status("here")
        socket.follow_users(["a", "b", "a"])
        socket.unfollow_users(["b"])
        socket.keep(socket.join_chat("lobby", hidden=True)["id"])
        socket.join_chat("other")
        socket.keep(socket.create_match("name")["match_id"])
        socket.join_match(token="t", metadata={"level": "1"})
        socket.keep("left.")
        socket.leave_match("left.")
        with socket.socket.expect("disconnect") as ended:
            socket.join_party("p")
            socket.keep("p")
            with pytest.raises(errors.ConnectionClosed):
                ended.wait()
        gevent.idle()
        socket.wait_connected(5)
        socket.ping_pong()
        gevent.idle()
        assert socket.connected
        socket.close()
        assert socket.ledger.sent == socket.ledger.ok == 9 + 5 + 1
    assert [{k: v for k, v in one.items() if k != "cid"} for one in restored_requests] == [
        {"status_update": {"status": "here"}},
        {"status_follow": {"user_ids": ["a"]}},
        {"channel_join": {"target": "lobby", "type": 1, "persistence": True, "hidden": True}},
        {"match_join": {"match_id": "m."}},
        {"party_join": {"party_id": "p"}},
    ]
    assert received == [{"match_id": "m.", "op_code": 0, "data": b""}]
    assert ends == ["1001 going away"]
    assert counts.counted == {reconnect.RECONNECTS: 1}


def test_failed_attempts_are_repeated(counts: Counts) -> None:
    lost = Event()

    def in_the_middle(peer: Peer) -> None:
        assert "status_update" in peer.request()
        drop(peer)

    last = answering([("status_update", {}), ("ping", {"pong": {}})], Peer.finish)
    first = answering([("status_update", {})], drop)
    scripts = Connections(first, refuse, in_the_middle, last)
    with ScriptedServer(scripts) as server, line(server, counts) as socket:
        socket.connect()
        socket.on_disconnect(lambda _: lost.set())
        socket.update_status("x")
        lost.wait()
        socket.wait_connected(5)
        socket.ping_pong()
        socket.close()
        ledger = socket.ledger
        assert (ledger.sent, ledger.ok, ledger.closed) == (4, 3, 1)
    assert counts.counted == {reconnect.RECONNECTS: 1}


def test_refused_rejoin_is_dropped(counts: Counts) -> None:
    lost = Event()
    joined = {"match": {"match_id": "m.", "self": USER}}
    gone = {"error": {"code": 4, "message": "Match not found"}}
    scripts = Connections(
        answering([("match_join", joined)], drop),
        answering([("match_join", gone), ("ping", {"pong": {}})], Peer.finish),
    )
    with ScriptedServer(scripts) as server, line(server, counts) as socket:
        socket.connect()
        socket.on_disconnect(lambda _: lost.set())
        socket.join_match("m.")
        with pytest.raises(errors.ConfigError, match=r"id: 'other' .* accepted: m\."):
            socket.keep("other")
        socket.keep("m.")
        lost.wait()
        socket.wait_connected(5)
        socket.ping_pong()
        with pytest.raises(errors.ConfigError, match="that was joined"):
            socket.keep("m.")
        socket.close()
    assert counts.counted == {reconnect.RECONNECTS: 1, reconnect.REJOINS_REFUSED: 1}


def test_gives_up_after_the_last_attempt(counts: Counts) -> None:
    scripts = Connections(drop, *[refuse] * QUICK.attempts)
    with ScriptedServer(scripts) as server, line(server, counts) as socket:
        lost = Event()
        socket.on_disconnect(lambda _: lost.set())
        socket.connect()
        lost.wait()
        with pytest.raises(errors.HandshakeRefused, match="503"):
            socket.wait_connected(5)
        assert isinstance(socket.given_up, errors.HandshakeRefused)
        assert not socket.connected
        with pytest.raises(errors.ConnectionClosed):
            socket.ping_pong()
        socket.close()
    assert counts.counted == {reconnect.RECONNECTS_GIVEN_UP: 1}


def test_gives_up_when_the_server_drops_every_connection(counts: Counts) -> None:
    backoff = Backoff(attempts=3, first=0.001, most=60)
    scripts = Connections(*[drop] * 4)
    with ScriptedServer(scripts) as server, line(server, counts, backoff) as socket:
        ends: list[object] = []
        over = Event()

        def ended(error: object) -> None:
            ends.append(error)
            if len(ends) == 4:
                over.set()

        socket.on_disconnect(ended)
        socket.connect()
        over.wait()
        with pytest.raises(errors.ConnectionClosed, match="going away"):
            socket.wait_connected(5)
    assert counts.counted == {reconnect.RECONNECTS: 3, reconnect.RECONNECTS_GIVEN_UP: 1}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (errors.SessionExpired("log in again"), errors.SessionExpired),
        (ValueError("a bug"), errors.ConnectionFailed),
    ],
)
def test_gives_up_at_once_without_a_session(
    raised: Exception, expected: type[errors.CallError], counts: Counts
) -> None:
    sessions = iter([Session(TOKEN)])

    def session() -> Session:
        try:
            return next(sessions)
        except StopIteration:
            raise raised from None

    lost = Event()
    with ScriptedServer(Connections(drop)) as server, line(server, counts, session=session) as socket:
        socket.on_disconnect(lambda _: lost.set())
        socket.connect()
        lost.wait()
        with pytest.raises(expected):
            socket.wait_connected(5)
    assert counts.counted == {reconnect.RECONNECTS_GIVEN_UP: 1}


def test_close_cancels_backoff_and_connect(counts: Counts) -> None:
    requested, stuck = Event(), Event()

    def hang(peer: Peer) -> None:
        peer.request()
        requested.set()
        stuck.wait()

    for backoff, scripts in (
        (Backoff(attempts=1, first=3600, most=3600, uniform=lambda _, most: most), [drop]),
        (QUICK, [answering([("status_update", {})], drop), hang]),
    ):
        stuck.clear()
        with ScriptedServer(Connections(*scripts), quit_scripts=True) as server:
            socket = line(server, counts, backoff)
            lost = Event()
            socket.on_disconnect(lambda _, lost=lost: lost.set())
            socket.connect()
            if hang in scripts:
                socket.update_status("x")
                requested.wait()
            lost.wait()
            waiting = gevent.spawn(socket.wait_connected)
            gevent.idle()
            socket.close()
            socket.close()
            with pytest.raises(errors.Abandoned):
                waiting.get()
            with pytest.raises(RuntimeError, match="closed"):
                socket.connect()
    assert counts.counted == {}


def test_killed_connect_leaves_no_connection(counts: Counts) -> None:
    requested = Event()

    def silent(peer: Peer) -> None:
        peer.read_head()
        requested.set()
        peer.expect_eof()

    with ScriptedServer(silent) as server:
        socket = line(server, counts)
        caller = gevent.spawn(socket.connect)
        requested.wait()
        caller.kill()
        assert not socket.connected
        with pytest.raises(errors.ConnectionClosed, match="not connected"):
            socket.ping_pong()
        with pytest.raises(errors.RequestTimeout, match="no connection"):
            socket.wait_connected(0)
        socket.close()


def test_close_during_connect(counts: Counts) -> None:
    requested, proceed = Event(), Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        requested.set()
        proceed.wait()
        peer.upgrade()
        peer.finish()

    with ScriptedServer(script) as server:
        socket = line(server, counts)
        caller = gevent.spawn(socket.connect)
        requested.wait()
        socket.close()
        proceed.set()
        with pytest.raises(errors.Abandoned):
            caller.get()


def test_remove_a_handler(counts: Counts) -> None:
    received: AsyncResult[object] = AsyncResult()
    missed: list[object] = []

    def pushes(peer: Peer) -> None:
        pong(peer)
        peer.text({"stream_data": {"stream": {}}})
        assert peer.request()["match_data_send"]["reliable"] is True
        peer.finish()

    with ScriptedServer(Connections(pushes)) as server, line(server, counts) as socket:
        with pytest.raises(errors.ConfigError, match="no_such_push"):
            socket.on("no_such_push", missed.append)
        before = socket.on_stream_data(missed.append)
        socket.connect()
        after = socket.on_stream_data(missed.append)
        socket.on_stream_data(received.set)
        for remove in (before, after, after):
            remove()
        socket.ping_pong()
        assert received.get() == {"stream": {}}
        socket.send_match_state("m.", 1, b"", reliable=True)
        socket.close()
    assert missed == []


@pytest.mark.parametrize(
    "reply", [{}, {"match": {}}, {"match": {"match_id": None}}, {"match": {"match_id": ["m"]}}]
)
def test_reply_without_an_id_is_returned_but_not_kept(counts: Counts, reply: dict[str, Any]) -> None:
    def script(peer: Peer) -> None:
        peer.answer(peer.request(), **reply)
        peer.answer(peer.request(), channel={})
        peer.finish()

    with ScriptedServer(Connections(script)) as server, line(server, counts) as socket:
        socket.connect()
        if reply:
            assert socket.create_match() == reply["match"]
        else:
            with pytest.raises(errors.ProtocolError, match="the reply has no 'match'"):
                socket.create_match()
        assert socket.join_chat("lobby", 1) == {}
        with pytest.raises(errors.ConfigError):
            socket.keep("m")
