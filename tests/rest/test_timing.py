"""A request ends when the kernel receives the answer's last byte, if the transport reads the socket itself."""

from __future__ import annotations

import ssl
import threading
import time
from time import perf_counter

import gevent
import pytest
import trustme

from nakama_bots.errors import RestError
from nakama_bots.net.arrival import CLOCK
from nakama_bots.observer import FinishedCall, NullObserver
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import TRANSPORTS
from nakama_bots.session import Session
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Credentials, Target

from .scripted import Connection, answer_bytes, serving
from .support import Rig, ok, token

HELD = 0.1


class Calls(NullObserver):
    def __init__(self) -> None:
        self.calls: list[FinishedCall] = []

    def call(self, call: FinishedCall) -> None:
        self.calls.append(call)


@pytest.mark.usefixtures("stamps")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_delay_of_this_process_is_not_in_the_elapsed_time(
    transport: str, status: str, *, encrypted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    requested, answered = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.answer()
        connection.request()
        requested.set()
        # In two parts: the second ends the request.
        answer = answer_bytes(status=status)
        connection.send(answer[:30])
        time.sleep(HELD)
        connection.send(answer[30:])
        answered.set()
        connection.until_closed()

    def block_the_process() -> None:
        while not requested.is_set():
            gevent.sleep(0.001)
        answered.wait()
        time.sleep(HELD)

    observer = Calls()
    with serving(script, context=context if encrypted else None) as server:
        http = TRANSPORTS[transport](Network(Tls(insecure=True)))
        client = Client(
            Target("127.0.0.1", server.port, encrypted), Credentials(),
            transport=http, observer=observer,
        )  # fmt: skip
        session = Session(token(time.time() + 3600))
        client.get_account(session)
        other = gevent.spawn(block_the_process)
        start = perf_counter()
        if status.startswith("2"):
            client.get_account(session)
        else:
            with pytest.raises(RestError) as raised:
                client.get_account(session)
            assert raised.value.elapsed == observer.calls[1].elapsed
        duration = perf_counter() - start
        other.join()
        http.close()
    call = observer.calls[1]
    if transport == "requests":
        assert call.waited is None
        assert call.elapsed <= duration
        return
    assert call.waited is not None
    assert call.waited >= HELD
    assert call.elapsed >= HELD
    assert call.elapsed + call.waited <= duration


def test_timestamp_before_the_request_is_ignored() -> None:
    arrived = perf_counter() - 1.0
    rig = Rig(ok(arrived=arrived, waited=1.5))
    observer = Calls()
    rig.client = Client(Target("game.test"), Credentials(), transport=rig.transport, observer=observer)
    CLOCK.take()
    rig.client.get_account(Session(token(time.time() + 3600)))
    (call,) = observer.calls
    assert call.waited is None
    # Until the read.
    assert call.elapsed == pytest.approx(arrived + 1.5 - call.started)
    assert CLOCK.take().early == 1
