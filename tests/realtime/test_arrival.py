"""The time of an answer ends when the kernel receives it, not when this process reads it."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import perf_counter

import gevent.ssl
import pytest
import trustme
from gevent.event import Event

from nakama_bots.net.arrival import (
    CLOCK,
    CONTROL_SIZE,
    MOST_APART,
    ArrivalClock,
    ArrivalCounts,
    read_apart,
    tcp_path,
    time_since,
)
from nakama_bots.observer import SHARED_STAMP
from nakama_bots.realtime.frames import frame_sizes
from nakama_bots.realtime.protocol import RealtimeProtocol
from nakama_bots.settings.network import Tls

from .conftest import Calls, Open
from .server import Peer, ScriptedServer, text, upgraded

HELD = 0.1
CONVERSION = 0.0005
"""Seconds that two clock readings may differ by."""
SO_TIMESTAMPNS = 35


class Clocks:
    """Two manual clocks; ``slow`` seconds pass once, at the next reading of the wall clock."""

    def __init__(self) -> None:
        self.wall_is = 1_800_000_000.0
        self.now_is = 500.0
        self.slow = 0.0

    def wall(self) -> float:
        self.run(self.slow)
        self.slow = 0.0
        return self.wall_is

    def now(self) -> float:
        return self.now_is

    def run(self, seconds: float) -> None:
        self.wall_is += seconds
        self.now_is += seconds

    def stamp(self) -> list[tuple[int, int, bytes]]:
        seconds = int(self.wall_is)
        data = struct.pack("@qq", seconds, int((self.wall_is - seconds) * 1e9))
        return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, data)]


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def clock(clocks: Clocks) -> ArrivalClock:
    return ArrivalClock(clocks.wall, clocks.now)


def test_wait(clocks: Clocks, clock: ArrivalClock) -> None:
    stamp = clocks.stamp()
    clocks.run(0.25)
    assert clock.waited(stamp, clocks.now()) == pytest.approx(0.25, abs=1e-5)
    assert clock.waited([(socket.SOL_SOCKET, 29, bytes(16))], clocks.now()) is None


@pytest.mark.parametrize("step", [-3600.0, -0.01, 0.01, 3600.0])
def test_step_of_the_wall_clock(step: float, clocks: Clocks, clock: ArrivalClock) -> None:
    before = clocks.stamp()
    clocks.run(0.001)
    clocks.wall_is += step
    clocks.run(0.001)
    # Messages that arrived before the step have no wait time, on this socket and on others.
    assert clock.waited(before, clocks.now()) is None
    assert clock.waited(before, clocks.now()) is None
    clocks.run(0.001)
    after = clocks.stamp()
    clocks.run(0.002)
    assert clock.waited(after, clocks.now()) == pytest.approx(0.002, abs=1e-5)
    assert clock.take().steps == 1


def test_delay_between_clock_readings_is_not_a_step(clocks: Clocks, clock: ArrivalClock) -> None:
    stamp = clocks.stamp()
    clocks.run(0.003)
    now = clocks.now()
    clocks.slow = 0.02
    assert clock.waited(stamp, now) == pytest.approx(0.003, abs=1e-5)
    assert clock.take().steps == 0


def test_timestamp_in_the_future(clocks: Clocks, clock: ArrivalClock) -> None:
    now = clocks.now()
    clocks.run(0.00001)
    assert clock.waited(clocks.stamp(), now) == 0.0  # within the error of the conversion
    clocks.run(0.1)
    assert clock.waited(clocks.stamp(), now) is None


def test_counts(clock: ArrivalClock) -> None:
    clock.note(2, 0.5)
    clock.note(1, 0.2)
    clock.note(3, None)
    clock.note(0, 9.0)  # a read that completed no message
    assert clock.take() == ArrivalCounts(3, 3, 1.2, 0.5, 0)
    assert clock.take() == ArrivalCounts(0, 0, 0.0, 0.0, 0)


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with one, other:
            yield one, other


@pytest.mark.usefixtures("stamps")
def test_late_read_from_a_real_socket() -> None:
    clock = ArrivalClock()
    with connected() as (one, other):
        assert clock.enable(one)
        before = perf_counter()
        other.send(b"x")
        time.sleep(HELD)
        data, control, _, _ = one.recvmsg(10, CONTROL_SIZE)
        now = perf_counter()
        path = tcp_path(one)
    assert data == b"x"
    waited = clock.waited(control, now)
    assert waited is not None
    assert HELD <= waited <= now - before
    assert path is not None
    assert 0 < path.rtt < 10
    assert path.retransmits == 0


def test_unsupported_socket() -> None:
    closed = socket.socket()
    closed.close()
    assert not ArrivalClock().enable(closed)
    assert not ArrivalClock().enable(object())
    assert tcp_path(closed) is None


@pytest.mark.usefixtures("stamps")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_delay_of_this_process_is_not_in_the_elapsed_time(
    open_socket: Open, calls: Calls, *, encrypted: bool
) -> None:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def script(peer: Peer) -> None:
        peer.answer(peer.request(), pong={})
        time.sleep(HELD)  # the kernel has the answer while this process is busy

    with ScriptedServer(upgraded(script), tls=context if encrypted else None) as server:
        socket = open_socket(server, Tls(insecure=True) if encrypted else None)
        started = perf_counter()
        socket.ping_pong()
        duration = perf_counter() - started
        socket.close()
    elapsed, waited = calls.times["ping"][0]
    assert waited is not None
    assert waited >= HELD
    assert elapsed + waited <= duration


@pytest.mark.usefixtures("stamps")
def test_wait_time_of_an_expected_push(open_socket: Open, calls: Calls) -> None:
    def script(peer: Peer) -> None:
        cid = peer.request()["cid"]
        # In one segment: a second segment would wait for the acknowledgement of the first.
        peer.send(text({"stream_data": {}}) + text({"cid": cid, "pong": {}}))
        time.sleep(HELD)

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        with socket.expect("stream_data") as expectation:
            socket.ping_pong()
            expectation.wait()
            read = perf_counter()
        socket.close()
    assert expectation.waited is not None
    assert expectation.waited >= HELD
    assert expectation.arrived_at + expectation.waited <= read
    assert not calls.samples  # the answer was the last message of its read


@pytest.mark.usefixtures("stamps")
def test_answer_that_shares_the_timestamp_of_a_later_message(open_socket: Open, calls: Calls) -> None:
    def script(peer: Peer) -> None:
        peer.answer(peer.request(), pong={})
        peer.send(text({"cid": peer.request()["cid"], "pong": {}}) + text({"stream_data": {}}))

    with ScriptedServer(upgraded(script)) as server:
        socket = open_socket(server)
        socket.ping_pong()
        assert not calls.samples
        with socket.expect("stream_data") as expectation:
            socket.ping_pong()
            expectation.wait()
        socket.close()
    (slack,) = calls.samples[SHARED_STAMP]
    elapsed, _ = calls.times["ping"][1]
    assert 0.0 < slack <= elapsed


@pytest.mark.usefixtures("stamps")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_answer_followed_by_unread_messages(open_socket: Open, calls: Calls, *, encrypted: bool) -> None:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    times: list[float] = []

    def script(peer: Peer) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = peer.request()
        times.append(perf_counter())
        peer.answer(request, pong={})
        times.append(perf_counter())
        for _ in range(3):
            time.sleep(HELD / 5)  # the client reads nothing
            peer.text({"stream_data": {}})

    with ScriptedServer(upgraded(script), tls=context if encrypted else None) as server:
        client = open_socket(server, Tls(insecure=True) if encrypted else None)
        started = perf_counter()
        client.ping_pong()
        client.close()
    elapsed, waited = calls.times["ping"][0]
    assert waited is not None
    # The kernel may have merged the messages; the slack is the largest error of the elapsed time.
    slack = sum(calls.samples[SHARED_STAMP])
    assert elapsed >= times[0] - started - CONVERSION
    assert elapsed - slack <= times[1] - started + CONVERSION


@pytest.mark.usefixtures("stamps")
def test_waiting_messages_are_read_one_by_one() -> None:
    messages = [text({"stream_data": {"data": "x" * size}}) for size in (1, 200, 70_000)]
    clock = ArrivalClock()
    with connected() as (one, other):
        assert clock.enable(one)
        for whole in (messages[:2], messages[:1] * 3, messages[:1] * (MOST_APART + 1)):
            sent = b"".join(whole)
            other.sendall(sent + messages[2][:9])
            reads = read_apart(one, 65536, frame_sizes)
            left = messages[2][:9]
            # The first part of the next message is read with the rest of it.
            assert b"".join(data for data, *_ in reads) == (sent if len(whole) <= MOST_APART else sent + left)
            stamps = [control for _, control, *_ in reads]
            assert all(stamp != later for stamp, later in pairwise(stamps))
            if len(whole) <= MOST_APART:
                assert one.recv(100) == left
    assert frame_sizes(b"".join(messages)) == [len(message) for message in messages]
    assert frame_sizes(messages[2][:5]) == []


def test_awaiting_counts_requests_and_listeners(open_socket: Open) -> None:
    go = Event()

    def script(peer: Peer) -> None:
        for _ in range(2):
            request = peer.request()
            go.wait()
            go.clear()
            peer.answer(request, pong={})

    with ScriptedServer(upgraded(script)) as server:
        client = open_socket(server)
        for others in (0, 1):
            asking = gevent.spawn(client.ping_pong)
            gevent.idle()
            assert client.awaiting == 1 + others
            go.set()
            asking.get()
            assert client.awaiting == 0
            client.tap("stream_data", lambda *_: None)
        client.close()


def test_time_since_a_start() -> None:
    CLOCK.take()
    assert time_since(1.0, 1.25, 0.5) == (0.25, 0.5)
    assert CLOCK.take().early == 0
    assert time_since(1.0, 0.75, 0.5) == (0.25, None)
    assert time_since(1.0, 0.5, 0.25) == (0.0, None)
    assert CLOCK.take().early == 2


def test_timestamp_before_the_request_is_ignored(calls: Calls) -> None:
    class Waiter:
        def switch(self, value: object) -> None: ...
        def throw(self, error: BaseException) -> None: ...

    protocol = RealtimeProtocol(calls)
    cid, _ = protocol.request("ping", {}, Waiter(), 100.0, 10.0)
    protocol.receive(f'{{"cid": "{cid}", "pong": {{}}}}'.encode(), 99.0, 1.5)
    assert calls.times["ping"] == [(0.5, None)]
