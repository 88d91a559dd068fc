"""Connections: which are reused, which requests are resent, and when idle connections close."""

from __future__ import annotations

import threading
from typing import Any

import gevent
import pytest

from nakama_bots.errors import CallError, ConnectionClosed, RequestTimeout
from nakama_bots.rest.transports.gevent_transport import IdleReaper
from nakama_bots.rest.transports.seam import IDLE_LIMIT
from nakama_bots.rest.transports.transport import GeventTransport, Response, Transport
from nakama_bots.settings.target import Timeouts

from .scripted import Connection, Script, closing, keep_answering, serving, silent
from .support import Make, send


def test_kept_connection_is_reused_and_no_cookie_is_kept(make: Make) -> None:
    def script(connection: Connection) -> None:
        while connection.request():
            connection.answer(headers=b"Set-Cookie: id=1; Path=/\r\n")

    with serving(script) as server:
        transport = make()
        for _ in range(3):
            assert send(transport, server.port).resent is False
        transport.close()
    assert server.accepted == 1
    assert b"cookie" not in b"".join(server.requests).lower()


def test_connection_close_header(make: Make) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.answer(headers=b"Connection: close\r\n")
        connection.until_closed()

    with serving(script) as server:
        transport = make()
        send(transport, server.port)
        send(transport, server.port)
        assert server.accepted == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_connection_closed_while_idle_is_not_reused(make: Make, method: str) -> None:
    def once(connection: Connection) -> None:
        connection.request()
        connection.answer()

    with serving(once, keep_answering) as server:
        transport = make()
        send(transport, server.port)
        server.ended[0].wait()
        assert send(transport, server.port, method).resent is False
        transport.close()
    assert server.accepted == 2
    assert len(server.requests) == 2


def close_on_second(connection: Connection) -> None:
    connection.request()
    connection.answer()
    connection.request()


def reset_on_second(connection: Connection) -> None:
    close_on_second(connection)
    connection.reset()


@pytest.mark.parametrize("stale", [close_on_second, reset_on_second])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_idempotent_request_lost_on_a_kept_connection_is_resent(make: Make, method: str, stale: Script) -> None:
    with serving(stale, keep_answering) as server:
        transport = make()
        send(transport, server.port)
        assert send(transport, server.port, method).resent is True
        transport.close()
    assert server.accepted == 2


def test_idempotent_request_is_resent_only_once(make: Make) -> None:
    with serving(close_on_second, closing()) as server:
        transport = make()
        send(transport, server.port)
        with pytest.raises(ConnectionClosed):
            send(transport, server.port)
    assert len(server.requests) == 3


def test_post_is_never_resent(make: Make) -> None:
    with serving(close_on_second, keep_answering) as server:
        transport = make()
        send(transport, server.port)
        with pytest.raises(ConnectionClosed):
            send(transport, server.port, "POST", b"{}")
        assert server.accepted == 1
        assert len(server.requests) == 2


def test_idle_connection_is_not_reused() -> None:
    now = [0.0]
    with serving(keep_answering) as server:
        transport = GeventTransport(clock=lambda: now[0])
        send(transport, server.port)
        now[0] += IDLE_LIMIT - 1
        send(transport, server.port)
        assert server.accepted == 1
        now[0] += IDLE_LIMIT
        send(transport, server.port)
        assert server.accepted == 2
        transport.close()


def test_idle_connection_is_closed() -> None:
    """A player that makes no calls for minutes must not hold a descriptor."""
    now = [0.0]
    with serving(keep_answering) as server:
        reaper = IdleReaper(period=0.01)
        transport = GeventTransport(clock=lambda: now[0], reaper=reaper)
        send(transport, server.port)
        other = GeventTransport(clock=lambda: 0.0, reaper=reaper)
        send(other, server.port)
        now[0] += IDLE_LIMIT
        with gevent.Timeout(10.0):
            while not server.ended[0].is_set():
                gevent.sleep(0.01)
        send(other, server.port)
        assert server.accepted == 2
        send(transport, server.port)
        assert server.accepted == 3
        other.close()
        transport.close()


def test_pool_size_and_timeout_while_waiting_for_a_slot() -> None:
    with serving(silent) as server:
        transport = GeventTransport(size=2)
        patient = [gevent.spawn(outcome, transport, server.port, Timeouts(request=600.0)) for _ in range(2)]
        while server.accepted < 2:
            gevent.sleep(0.01)
        hasty = [gevent.spawn(outcome, transport, server.port, Timeouts(request=0.2)) for _ in range(3)]
        gevent.joinall(hasty)
        assert [type(caller.value) for caller in hasty] == [RequestTimeout] * 3
        assert server.accepted == 2
        gevent.killall(patient)


def test_shared_pool_serves_players_concurrently() -> None:
    arrived = threading.Barrier(3)

    def script(connection: Connection) -> None:
        connection.request()
        arrived.wait()
        connection.answer()
        connection.until_closed()

    with serving(script) as server:
        transport = GeventTransport(size=3)
        callers = [gevent.spawn(send, transport, server.port) for _ in range(3)]
        gevent.joinall(callers, raise_error=True)
        transport.close()


def outcome(transport: Transport, port: int, timeouts: Timeouts, **options: Any) -> Response | CallError:
    try:
        return send(transport, port, timeouts=timeouts, **options)
    except CallError as error:
        return error
