"""A request ends when the kernel has the answer's last byte, where the transport reads it by itself."""

from __future__ import annotations

import ssl
import threading
import time
from time import perf_counter

import gevent
import pytest
import trustme

from nakama_bots.errors import RestError
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
def test_the_delay_of_this_process(transport: str, status: str, *, encrypted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    asked, answered = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.answer()
        connection.request()
        asked.set()
        # In two parts: the second one counts.
        answer = answer_bytes(status=status)
        connection.send(answer[:30])
        time.sleep(HELD)
        connection.send(answer[30:])
        answered.set()
        connection.until_closed()

    def do_something_else() -> None:
        while not asked.is_set():
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
        other = gevent.spawn(do_something_else)
        began = perf_counter()
        if status.startswith("2"):
            client.get_account(session)
        else:
            with pytest.raises(RestError) as raised:
                client.get_account(session)
            assert raised.value.elapsed == observer.calls[1].elapsed
        took = perf_counter() - began
        other.join()
        http.close()
    call = observer.calls[1]
    if transport == "requests":
        assert call.waited is None
        assert call.elapsed <= took
        return
    assert call.waited is not None
    assert call.waited >= HELD
    assert call.elapsed >= HELD
    assert call.elapsed + call.waited <= took


def test_a_stamp_of_before_the_request_is_not_believed() -> None:
    rig = Rig(ok(arrived=perf_counter() - 1.0, waited=1.5))
    observer = Calls()
    rig.client = Client(Target("game.test"), Credentials(), transport=rig.transport, observer=observer)
    began = perf_counter()
    rig.client.get_account(Session(token(time.time() + 3600)))
    (call,) = observer.calls
    assert call.waited is None
    assert 0.0 <= call.elapsed <= perf_counter() - began
