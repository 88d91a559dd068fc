"""Faults on demand: over the command line and the control port, on sockets and on REST."""

from __future__ import annotations

import http.client
import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from nakama_bots.emulator.server.faults import FaultError, Faults, mangle, parse, read
from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError

from .replay import from_binary, to_binary
from .support import TIMEOUT, RawSocket, login

PING = {"cid": "1", "ping": {}}
PONG = {"cid": "1", "pong": {}}


@pytest.fixture(scope="module")
def faulty() -> Iterator[EmulatorProcess]:
    extra = ("--control-port", "0", "--token-expiry", "7200", "--fault", "latency:on=status_update,ms=1")
    with EmulatorProcess.start(seed=1, extra=extra) as process:
        yield process
        assert process.alive
    assert process.exit_code == 0
    assert "Traceback" not in process.stderr


def control(emulator: EmulatorProcess, method: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{emulator.control_url}/faults", content, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.load(response)["faults"]


@pytest.fixture
def put(faulty: EmulatorProcess) -> Iterator[Any]:
    yield lambda *faults: control(faulty, "PUT", {"faults": list(faults)})
    control(faulty, "DELETE")


@pytest.fixture
def client(faulty: EmulatorProcess) -> Iterator[RawSocket]:
    token = str(login(faulty.url, "device-of-the-faulty-one")["token"])
    with RawSocket(faulty.url, token) as socket:
        yield socket


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("[::1]", 200),
        ("[::1]:80", 200),
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_control_port_accepts_only_local_hosts(faulty: EmulatorProcess, host: str, status: int) -> None:
    got, answer = request(faulty, "GET", host)
    assert got == status
    assert status == 200 or repr(host) in answer["error"]


@pytest.mark.parametrize("number", ["9" * 100_000, "1e999999", "-" + "9" * 100_000])
def test_number_with_too_many_digits(faulty: EmulatorProcess, number: str) -> None:
    body = b'{"faults": [{"kind": "latency", "on": "*", "ms": %s}]}' % number.encode()
    status, answer = request(faulty, "PUT", "localhost", body)
    assert status == 400
    assert "accepted" in answer["error"]


def request(emulator: EmulatorProcess, method: str, host: str, body: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(emulator.control_url.removeprefix("http://"), timeout=TIMEOUT)
    try:
        connection.request(method, "/faults", body, {"Host": host})
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def get(emulator: EmulatorProcess, path: str = "/healthcheck") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_faults_of_the_command_line_apply_until_replaced(faulty: EmulatorProcess, put: Any) -> None:
    (fault,) = put({"kind": "drop", "on": "rpc", "rate": 0.5, "times": 3})
    assert fault == {"kind": "drop", "on": "rpc", "rate": 0.5, "after": 0, "times": 3, "seen": 0, "hits": 0}
    assert control(faulty, "GET") == [fault]
    assert control(faulty, "DELETE") == []


def test_error(client: RawSocket, put: Any) -> None:
    put({"kind": "error", "on": "ping", "code": 3, "message": "no luck", "after": 1, "times": 1})
    for answer in (PONG, {"cid": "1", "error": {"code": 3, "message": "no luck"}}, PONG):
        client.send(PING)
        assert client.receive_json() == answer


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("drop", []),
        ("duplicate", [PONG, PONG]),
        ("wrong_cid", [{"cid": "wrong", "pong": {}}]),
        ("no_cid", [{"pong": {}}]),
        ("latency", [PONG]),
    ],
)
def test_answers(client: RawSocket, put: Any, kind: str, answers: list[object]) -> None:
    put({"kind": kind, "on": "ping", "times": 1, **({"ms": 5, "jitter": 4} if kind == "latency" else {})})
    client.send(PING)
    client.send({"cid": "end", "ping": {}})
    for answer in answers:
        assert client.receive_json() == answer
    assert client.receive_json() == {"cid": "end", "pong": {}}


@pytest.mark.parametrize("kind", ["truncate", "garble"])
def test_malformed_frames(client: RawSocket, put: Any, kind: str) -> None:
    put({"kind": kind, "on": "ping"})
    client.send(PING)
    _, payload = client.receive()
    with pytest.raises(json.JSONDecodeError):
        json.loads(payload)


def test_oversized_frame(client: RawSocket, put: Any) -> None:
    put({"kind": "oversize", "on": "ping", "size": 100_000})
    client.send(PING)
    assert len(client.receive()[1]) > 100_000


def test_binary_socket(faulty: EmulatorProcess, put: Any) -> None:
    with RawSocket(
        faulty.url, str(login(faulty.url, "device-of-the-binary-one")["token"]), "&format=protobuf"
    ) as client:
        put({"kind": "oversize", "on": "ping", "size": 100_000, "times": 1})
        client.send(to_binary(PING), 2)
        opcode, payload = client.receive()
        assert (opcode, from_binary(payload)) == (2, PONG)
        assert len(payload) > 100_000
        put({"kind": "wrong_cid", "on": "ping"}, {"kind": "duplicate", "on": "ping"})
        client.send(to_binary(PING), 2)
        for _ in range(2):
            assert from_binary(client.receive()[1]) == {**PONG, "cid": "wrong"}


def test_closes(client: RawSocket, put: Any) -> None:
    put({"kind": "close", "on": "ping", "code": 1011, "message": "out of order"})
    client.send(PING)
    assert client.receive_close() == (1011, "out of order")


def test_abrupt_end(client: RawSocket, put: Any) -> None:
    put({"kind": "abort", "on": "ping"})
    client.send(PING)
    assert not client.receive_all()


def test_pauses(client: RawSocket, put: Any) -> None:
    put(
        {"kind": "stop_reading", "on": "ping", "seconds": 0.05, "times": 1},
        {"kind": "stop_writing", "on": "ping", "seconds": 0.05, "times": 1},
    )
    client.send(PING)
    assert client.receive_json() == PONG


def test_pushes(faulty: EmulatorProcess, client: RawSocket, put: Any) -> None:
    put({"kind": "duplicate", "on": "push:status_presence_event"})
    client.send({"cid": "1", "status_update": {"status": "x"}})
    assert client.receive_json() == {"cid": "1"}
    assert client.receive_json() == client.receive_json()


def test_rest(faulty: EmulatorProcess, put: Any) -> None:
    route = "GET /healthcheck"
    put({"kind": "error", "on": route, "code": 14, "message": "gone"})
    assert get(faulty) == (503, b'{"code":14,"message":"gone"}')
    put({"kind": "close", "on": route, "message": "closing"})
    assert get(faulty) == (503, b'{"code":14,"message":"closing"}')
    put({"kind": "oversize", "on": route, "size": 5000}, {"kind": "latency", "on": route, "ms": 1})
    assert len(get(faulty)[1]) > 5000
    put({"kind": "garble", "on": route})
    assert get(faulty) == (200, b"\x00{not json")
    put({"kind": "stop_writing", "on": route, "seconds": 0.01})
    assert get(faulty) == (200, b"{}")
    for kind in ("abort", "drop", "truncate"):
        put({"kind": kind, "on": route})
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(faulty)


def test_refused_connects(faulty: EmulatorProcess, put: Any) -> None:
    token = str(login(faulty.url, "device-of-the-faulty-one")["token"])
    put({"kind": "refuse", "on": "connect", "times": 1})
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        get(faulty, f"/ws?token={token}")
    with RawSocket(faulty.url, token) as client:
        client.send(PING)
        assert client.receive_json() == PONG


def account(emulator: EmulatorProcess, token: str) -> int:
    request = urllib.request.Request(f"{emulator.url}/v2/account", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_tokens_expire_on_demand(faulty: EmulatorProcess, put: Any) -> None:
    token = str(login(faulty.url, "device-of-the-faulty-one")["token"])
    assert account(faulty, token) == 200
    assert put({"kind": "expire_tokens"}) == []
    assert account(faulty, token) == 401
    assert account(faulty, str(login(faulty.url, "device-of-the-faulty-one")["token"])) == 200


def test_restart_loses_everything(faulty: EmulatorProcess, client: RawSocket, put: Any) -> None:
    token = str(login(faulty.url, "device-before-the-restart")["token"])
    put({"kind": "restart"})
    assert client.receive_close() == (1001, "server restart")
    assert account(faulty, token) in (401, 404)
    assert login(faulty.url, "device-before-the-restart")["created"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "rain"}, "'rain' is not a kind of fault; accepted: latency, error"),
        ({"kind": "drop", "ms": 1}, "'ms' is not a field of drop; accepted: on, rate"),
        ({"kind": "drop", "rate": 2}, "rate 2 cannot be used; accepted: a number from 0 to 1"),
        ({"kind": "drop", "rate": True}, "rate True cannot be used"),
        ({"kind": "drop", "times": "x"}, "times 'x' cannot be used"),
        ({"kind": "drop", "on": 1}, "on 1 cannot be used; accepted: a text"),
        ("drop", "'drop' is not a kind of fault"),
    ],
)
def test_bad_faults_change_nothing(faulty: EmulatorProcess, put: Any, given: object, message: str) -> None:
    before = put({"kind": "drop", "on": "rpc"})
    with pytest.raises(FaultError, match=message):
        read(given)
    with pytest.raises(urllib.error.HTTPError) as caught:
        put(given)
    assert caught.value.code == 400
    assert message in json.load(caught.value)["error"]
    assert control(faulty, "GET") == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/faults", b"[", 400),
        ("PUT", "/faults", b'{"faults": 1}', 400),
        ("POST", "/faults", b"", 405),
        ("GET", "/other", None, 404),
    ],
)
def test_bad_control_requests(
    faulty: EmulatorProcess, method: str, path: str, body: bytes | None, status: int
) -> None:
    request = urllib.request.Request(faulty.control_url + path, body, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=TIMEOUT)
    assert caught.value.code == status
    caught.value.close()


def test_the_same_seed_hits_the_same_messages() -> None:
    def hits(seed: int) -> list[bool]:
        faults = Faults(random.Random(seed), [parse("drop:on=*,rate=0.5"), parse("latency:ms=2,jitter=1")])
        plans = [faults.plan("rpc") for _ in range(200)]
        assert all(0.001 <= plan.delay <= 0.003 for plan in plans)
        return ["drop" in plan.faults for plan in plans]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 60 < sum(hits(1)) < 140


def test_targets_of_a_fault() -> None:
    faults = Faults(random.Random(1), [parse("drop:on=*"), parse("abort:on=connect")])
    assert set(faults.plan("GET /v2/account").faults) == {"drop"}
    assert set(faults.plan("connect").faults) == {"abort"}
    assert mangle(faults.plan("rpc"), b"{}") == []


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("drop:rate", "'rate' in 'drop:rate' is not name=value"),
        ("drop:rate=2", "rate '2' cannot be used"),
        ("restart", "over --control-port only"),
    ],
)
def test_bad_option(option: str, message: str) -> None:
    with pytest.raises(EmulatorStartError, match=message):
        EmulatorProcess.start(extra=("--fault", option))
