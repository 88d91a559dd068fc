from __future__ import annotations

from typing import Any

import pytest

from nakama_bots.errors import (
    CallError,
    ConnectionClosed,
    ConnectionRefused,
    HostNotFound,
    NotFound,
    RequestTimeout,
    TlsError,
    Unavailable,
)
from nakama_bots.rest.client import Client
from nakama_bots.rest.retry import Retry
from nakama_bots.rest.transports.transport import TRANSPORTS, Response
from nakama_bots.settings.target import Credentials, Target, Timeouts

from .scripted import Connection, closing, keep_answering, serving, silent
from .support import NOW, Make, Recorder, Rig, Step, ok, send
from .test_client import fresh

UNAVAILABLE = Response(503, {}, b'{"code":14,"message":"busy"}')
MISSING = Response(404, {}, b'{"code":5,"message":"none"}')


class RetryRig(Rig):
    def __init__(self, retry: Retry | None, *steps: Step, request: float = 10.0) -> None:
        super().__init__(*steps)
        self.client = Client(
            Target("game.test"), Credentials("server-key-1"), transport=self.transport, observer=self.observer,
            retry=retry, timeouts=Timeouts(request=request), clock=lambda: NOW,
        )  # fmt: skip


def longest(low: float, high: float) -> float:
    assert low == 0.0
    return high


PATIENT = Retry(attempts=5, first=0.1, most=0.35, uniform=longest)


@pytest.mark.parametrize("failure", [UNAVAILABLE, ConnectionRefused("no"), ConnectionClosed(1006, "x")])
def test_off_by_default(failure: Step) -> None:
    rig = RetryRig(None, failure)
    with pytest.raises(CallError):
        rig.client.get_account(fresh())
    assert (len(rig.transport.sent), rig.transport.pauses, rig.observer.counts) == (1, [], [])


def test_waits_grow_to_the_maximum_and_retries_are_counted() -> None:
    failures: list[Step] = [
        UNAVAILABLE,
        ConnectionRefused("no"),
        ConnectionClosed(1006, "x"),
        RequestTimeout("t"),
    ]
    rig = RetryRig(PATIENT, *failures, ok({"email": "e"}))
    assert rig.client.get_account(fresh()) == {"email": "e"}
    assert rig.transport.pauses == [0.1, 0.2, 0.35, 0.35]
    assert rig.observer.counts == [("rest_retried", 1)] * 4
    assert rig.observer.outcomes() == [("GET", "/v2/account", None)]


def test_last_failure_is_raised_and_reported_once() -> None:
    rig = RetryRig(Retry(3, uniform=longest), ConnectionRefused("no"), UNAVAILABLE, UNAVAILABLE)
    with pytest.raises(Unavailable, match="busy"):
        rig.client.get_account(fresh())
    assert rig.observer.outcomes() == [("GET", "/v2/account", Unavailable)]
    assert len(rig.transport.sent) == 3


@pytest.mark.parametrize(
    ("failure", "kind"), [(MISSING, NotFound), (HostNotFound("x"), HostNotFound), (TlsError("x"), TlsError)]
)
def test_permanent_failures_are_not_retried(failure: Step, kind: type[CallError]) -> None:
    rig = RetryRig(PATIENT, failure)
    with pytest.raises(kind):
        rig.client.get_account(fresh())
    assert len(rig.transport.sent) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.rpc(fresh(), "f"),
        lambda client: client.write_tournament_record(fresh(), "t", {"score": 1}),
        lambda client: client.authenticate_device("device-0001"),
    ],
)
def test_calls_that_are_not_idempotent_are_not_retried(call: Any) -> None:
    rig = RetryRig(PATIENT, UNAVAILABLE)
    with pytest.raises(Unavailable):
        call(rig.client)
    assert (len(rig.transport.sent), rig.observer.counts) == (1, [])


@pytest.mark.parametrize(
    ("failure", "kind"), [(UNAVAILABLE, Unavailable), (RequestTimeout("t"), RequestTimeout)]
)
def test_no_retry_when_the_wait_would_pass_the_deadline(failure: Step, kind: type[CallError]) -> None:
    rig = RetryRig(Retry(9, first=60.0, most=60.0, uniform=longest), failure, request=30.0)
    with pytest.raises(kind):
        rig.client.get_account(fresh())
    assert (len(rig.transport.sent), rig.transport.pauses) == (1, [])


@pytest.mark.parametrize("name", sorted(TRANSPORTS))
def test_retry_after_a_closed_connection(name: str) -> None:
    observer = Recorder()
    with serving(closing(), keep_answering) as server:
        transport = TRANSPORTS[name]()
        retry = Retry(first=0.001)
        target = Target("127.0.0.1", server.port)
        client = Client(target, Credentials(), transport=transport, observer=observer, retry=retry)
        assert client.healthcheck() == {}
        transport.close()
    assert observer.counts == [("rest_retried", 1)]
    assert server.accepted == 2


def test_answer_timeout_within_the_request_timeout(make: Make) -> None:
    with serving(silent) as server, pytest.raises(RequestTimeout):
        send(make(), server.port, timeouts=Timeouts(connect=60.0, request=60.0, read=0.05))
    with serving(keep_answering) as server:
        transport = make()
        timeouts = Timeouts(connect=60.0, request=60.0, read=60.0)
        assert send(transport, server.port, timeouts=timeouts).status == 200
        transport.close()


def test_answer_timeout_of_a_trickled_answer(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

    def slow(connection: Connection) -> None:
        connection.request()
        connection.trickle(head + b"x" * 100000)

    with serving(slow) as server, pytest.raises(RequestTimeout):
        send(make(), server.port, timeouts=Timeouts(connect=60.0, request=60.0, read=0.2))
