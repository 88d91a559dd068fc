"""The socket's limits, its keepalive, and messages that close it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nakama_bots.emulator import handlers
from nakama_bots.emulator.dispatch.realtime import MessageDispatcher
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.server.process import EmulatorProcess

from .support import RawSocket, Recorder, login, make_core

MALFORMED = (1000, "received malformed payload")


@pytest.fixture
def token(emulator: EmulatorProcess, request: pytest.FixtureRequest) -> str:
    return str(login(emulator.url, f"device-{abs(hash(request.node.name)):020}")["token"])


def echo(size: int) -> bytes:
    """An ``rpc`` message of exactly ``size`` bytes."""
    empty = json.dumps({"cid": "1", "rpc": {"id": "echo", "payload": ""}})
    return json.dumps({"cid": "1", "rpc": {"id": "echo", "payload": "x" * (size - len(empty))}}).encode()


def test_message_size_limit(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(echo(4096))
        assert len(client.receive_json()["rpc"]["payload"]) > 4000
        client.send(echo(4097))
        assert client.receive_close() == (1009, "")


def test_fragments_are_one_message(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(b'{"cid":"1",', final=False)
        client.send(b'"ping":{}}', opcode=0)
        assert client.receive_json() == {"cid": "1", "pong": {}}
        whole = echo(6000)
        client.send(whole[:3000], final=False)
        client.send(whole[3000:], opcode=0)
        assert client.receive_close() == (1009, "")


def test_bytes_that_are_not_utf8(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(b'{"cid":"1","rpc":{"id":"echo","payload":"\xff"}}')
        assert client.receive_close() == MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "[" * 4000,
        '{"rpc":' * 500,
        '{"cid":"' + "\\u0000" * 600 + '","ping":1e999}',
        '{"cid":"1","match_data_send":{"match_id":"x","op_code":99999999999999999999999}}',
        '{"cid":"1","channel_join":{"target":"x","type":2147483648}}',
        '{"cid":"1","matchmaker_add":{"numeric_properties":{"a":"ten"}}}',
        '{"cid":"1","status_follow":{"user_ids":"x"}}',
        '{"cid":"1","status_follow":{"user_ids":[1]}}',
        '{"cid":"1","matchmaker_add":{"string_properties":[]}}',
        '{"cid":"1","match_data_send":{"presences":[{"nope":1}]}}',
        '{"cid":"1","channel_join":{"target":"x","hidden":1}}',
        '{"cid":"1","match_create":{"name":"a","name":"b"}}',
        '{"cid":"1","channel_join":{"target":"a:b","target":"c"}}',
        '{"cid":"1","channel_message_update":{"channel_id":"a","channelId":"b"}}',
        "NaN",
        "null",
    ],
)
def test_hostile_text_closes_only_the_socket(emulator: EmulatorProcess, token: str, text: str) -> None:
    with RawSocket(emulator.url, token) as bystander, RawSocket(emulator.url, token) as client:
        client.send(text.encode())
        assert client.receive_close() == MALFORMED
        bystander.send({"ping": {}})
        assert bystander.receive_json() == {"pong": {}}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["cid", "ping", "rpc", "match_join", "channel_join", "matchmaker_add", "target"]
                ),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_text_is_answered_or_closes_the_socket(emulator: EmulatorProcess, token: str, text: bytes) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(text)
        client.send({"cid": "after", "ping": {}})
        while True:
            opcode, payload = client.receive()
            if opcode == 8:
                assert payload[2:].decode() in (MALFORMED[1], "error processing message")
                break
            if json.loads(payload) == {"cid": "after", "pong": {}}:
                break


def test_burst_within_the_queue_is_answered_in_order(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        pings = [RawSocket.frame(json.dumps({"cid": str(n), "ping": {}}).encode()) for n in range(60)]
        client.socket.sendall(b"".join(pings))
        assert [client.receive_json()["cid"] for _ in range(60)] == [str(n) for n in range(60)]


def test_burst_over_the_queue_closes_the_socket(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        client.socket.sendall(RawSocket.frame(b'{"cid":"1","ping":{}}') * 1000)
        assert client.receive_close() == (1000, "session outgoing queue full")


def test_client_that_does_not_read_is_dropped(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as reader, RawSocket(emulator.url, token, receive_buffer=4096) as deaf:
        reader.send({"cid": "1", "match_create": {}})
        match_id = reader.receive_json()["match"]["match_id"]
        reader.receive_json()
        deaf.send({"cid": "1", "match_join": {"match_id": match_id}})
        joined = reader.receive_json()["match_presence_event"]["joins"][0]
        sent = {"match_data_send": {"match_id": match_id, "op_code": 1, "data": "A" * 3600}}
        # Each answered ping proves that the data before it was handled; at some point the queue is full.
        for number in range(5000):
            reader.send(sent)
            reader.send({"cid": str(number), "ping": {}})
            answer = reader.receive_json()
            if "match_presence_event" in answer:
                assert answer["match_presence_event"]["leaves"][0]["session_id"] == joined["session_id"]
                break
        else:
            pytest.fail("the deaf client is still there")
        assert not deaf.receive_all()


def test_protocol_ping_is_answered_with_its_payload(emulator: EmulatorProcess, token: str) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(b"payload", opcode=9)
        assert client.receive() == (10, b"payload")


@pytest.fixture(scope="module")
def impatient() -> Iterator[EmulatorProcess]:
    """An emulator that pings every 0.2 s and waits 0.5 s."""
    with EmulatorProcess.start(extra=("--ping-period", "0.2", "--pong-wait", "0.5")) as process:
        yield process


def test_client_without_pongs_is_closed(impatient: EmulatorProcess) -> None:
    token = login(impatient.url, "device-without-pongs")["token"]
    with RawSocket(impatient.url, token) as client:
        assert client.receive() == (9, b"")
        code, reason = client.receive_close()
        assert code == 1000
        assert reason.startswith("read tcp 127.0.0.1:")
        assert reason.endswith(": i/o timeout")


def test_pongs_keep_a_socket_open(impatient: EmulatorProcess) -> None:
    token = login(impatient.url, "device-with-pongs")["token"]
    with RawSocket(impatient.url, token) as client:
        for _ in range(5):  # five pings take twice the time that it waits for a pong
            assert client.receive() == (9, b"")
            client.send(b"", opcode=10)


def test_twenty_messages_keep_a_socket_open_without_pongs(impatient: EmulatorProcess) -> None:
    token = login(impatient.url, "device-with-messages")["token"]
    with RawSocket(impatient.url, token) as client:
        pings = 0
        while pings < 5:
            for _ in range(20):
                client.send({"ping": {}})
            answered = 0
            while answered < 20:
                opcode, _ = client.receive()
                answered += opcode == 1
                pings += opcode == 9
                assert opcode != 8
            # Wait for its next ping before the next twenty messages.
            pings += client.receive()[0] == 9


@pytest.mark.parametrize("code", [b"", (1000).to_bytes(2, "big"), (4001).to_bytes(2, "big")])
def test_close_is_answered_with_its_code(emulator: EmulatorProcess, token: str, code: bytes) -> None:
    with RawSocket(emulator.url, token) as client:
        client.send(code + (b"bye" if code else b""), opcode=8)
        assert client.receive() == (8, code)
        with pytest.raises(EOFError):
            client.receive()


def test_slow_function_delays_only_its_own_socket() -> None:
    async def scenario() -> list[str]:
        core = make_core()
        gate = asyncio.Event()

        async def slow(_: RpcContext, payload: str) -> str:
            await gate.wait()
            if payload:
                raise RuntimeFunctionError(payload)
            return "done"

        core.functions["slow"] = slow
        session = Recorder(core)
        dispatcher = MessageDispatcher(core, handlers.MESSAGES)
        answers = []
        for payload in ("", "boom"):
            call = json.dumps({"cid": "1", "rpc": {"id": "slow", "payload": payload}}).encode()
            pending = dispatcher.dispatch(session, call)
            assert pending is not None
            assert session.frames == []
            gate.set()
            await pending
            answers.append(session.frames.pop())
            gate.clear()
        return answers

    assert asyncio.run(scenario()) == [
        {"cid": "1", "rpc": {"id": "slow", "payload": "done"}},
        {"cid": "1", "error": {"code": 7, "message": "boom"}},
    ]


def test_stopped_emulator_closes_its_sockets() -> None:
    with EmulatorProcess.start() as emulator:
        token = login(emulator.url, "device-0000000001")["token"]
        with RawSocket(emulator.url, token) as client:
            client.send({"ping": {}})
            assert client.receive_json() == {"pong": {}}
            emulator.stop()
            assert client.receive_close() == (1001, "server shutting down")
            assert not emulator.alive
