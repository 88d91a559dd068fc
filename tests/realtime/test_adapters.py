"""Binary frames: the adapter against recorded bytes, and a socket with it against a scripted server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots import errors
from nakama_bots.observer import NullObserver
from nakama_bots.realtime.adapters import TEXT_ADAPTER
from nakama_bots.realtime.catalog import PUSHES, REPLIES
from nakama_bots.realtime.protobuf import ProtobufAdapter
from nakama_bots.realtime.protocol import RealtimeProtocol
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.target import Target
from nakama_bots.types import protobuf as schema

from .conftest import TOKEN
from .server import BINARY, PING, PONG, TEXT, Peer, ScriptedServer, frame

FRAMES = json.loads((Path(__file__).parent / "data" / "frames.json").read_text(encoding="utf-8"))
ADAPTER = ProtobufAdapter()


@pytest.mark.parametrize("one", FRAMES["binary"], ids=lambda one: one["hex"])
def test_recorded_bytes(one: dict[str, Any]) -> None:
    payload = bytes.fromhex(one["hex"])
    assert ADAPTER.decode(payload) == one["envelope"]
    assert ADAPTER.encode(one["envelope"]) == payload


@pytest.mark.parametrize("side", ["received", "accepted"])
def test_recorded_messages_on_both_adapters(side: str) -> None:
    for envelope in FRAMES[side]:
        assert TEXT_ADAPTER.decode(TEXT_ADAPTER.encode(envelope)) == envelope
        decoded = ADAPTER.decode(ADAPTER.encode(envelope))
        # The decoded message omits sent defaults, as the server does.
        assert (
            decoded == envelope if side == "received" else decoded.items() >= {"cid": envelope["cid"]}.items()
        )


def test_schema_has_every_message_of_the_catalogue() -> None:
    replies = {reply for reply in REPLIES.values() if isinstance(reply, str)}
    fields = {field.name for field in schema.envelope_class().DESCRIPTOR.fields}
    assert fields == {"cid"} | REPLIES.keys() | replies | PUSHES


def test_compiled_schema_is_up_to_date(tmp_path: Path) -> None:
    folder = Path(schema.__file__).parent / "schema"
    compiled = tmp_path / "compiled"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports"]
    subprocess.run([*command, f"--descriptor_set_out={compiled}", "realtime.proto"], check=True, timeout=60)
    ours, new = (
        [file for file in FileDescriptorSet.FromString(path.read_bytes()).file if file.name == "realtime.proto"]
        for path in (folder / "realtime.binpb", compiled)
    )
    assert ours == new


@given(
    st.integers(-(2**63), 2**63 - 1), st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]))
)
def test_round_trip_gives_the_json_values(op_code: int, data: bytes, text: str) -> None:
    encoded = base64.b64encode(data).decode()
    sent = {"match_id": text, "op_code": str(op_code), "data": encoded, "reliable": op_code > 0}
    defaults = {"match_id": "", "op_code": "0", "data": "", "reliable": False}
    left = {key: value for key, value in sent.items() if value != defaults[key]}
    assert ADAPTER.decode(ADAPTER.encode({"match_data": sent})) == {"match_data": left}
    # A wrapper is kept even with its default value: online with an empty status is not offline.
    assert ADAPTER.decode(ADAPTER.encode({"status_update": {"status": text}})) == {
        "status_update": {"status": text}
    }


@pytest.mark.parametrize(
    ("envelope", "message"),
    [
        ({"cid": "1", "rpc": {"nope": 1}}, "message: 'rpc' cannot be used; .* no field named \"nope\""),
        ({"cid": "1", "party_create": {"max_size": "many"}}, "message: 'party_create' .*max_size"),
        ({"no_such": {}}, "message: 'no_such'"),
    ],
)
def test_bad_messages(envelope: dict[str, object], message: str) -> None:
    with pytest.raises(errors.ConfigError, match=message) as caught:
        ADAPTER.encode(envelope)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_an_envelope() -> None:
    with pytest.raises(ValueError, match="parsing"):
        ADAPTER.decode(b"\xff\xff\xff")
    with pytest.raises(errors.ProtocolError, match="bytes that are not an envelope"):
        RealtimeProtocol(NullObserver(), ADAPTER).receive(b"\xff\xff\xff", 0.0)


def binary(envelope: dict[str, object]) -> bytes:
    return frame(BINARY, ADAPTER.encode(envelope))


def open_binary(server: ScriptedServer) -> Socket:
    socket = Socket(Target("127.0.0.1", server.port), adapter=ADAPTER)
    socket.connect(Session(TOKEN))
    return socket


def test_socket_speaks_protobuf() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        assert b"format=protobuf" in peer.head.partition(b"\r\n")[0]
        opcode, payload = peer.read_frame()
        assert opcode == BINARY
        assert ADAPTER.decode(payload) == {"cid": "1", "rpc": {"id": "echo", "payload": "x"}}
        peer.send(frame(PING, b"p") + binary({"match_data": {"match_id": "m", "op_code": "7", "data": "aGk="}}))
        assert peer.read_frame() == (PONG, b"p")
        # In two fragments, as a server may send a long one.
        whole = ADAPTER.encode({"cid": "1", "rpc": {"id": "echo", "payload": "y"}})
        peer.send(frame(BINARY, whole[:3], fin=False) + frame(0, whole[3:]))
        assert peer.read_frame() == (
            BINARY,
            ADAPTER.encode({"match_data_send": {"match_id": "m", "op_code": "1", "data": "eA=="}}),
        )
        peer.finish()

    with ScriptedServer(script) as server, open_binary(server) as socket:
        with socket.expect("match_data") as push:
            assert socket.rpc("echo", "x") == {"id": "echo", "payload": "y"}
            assert push.wait() == {"match_id": "m", "op_code": "7", "data": "aGk="}
        with pytest.raises(errors.ConfigError, match="nope"):
            socket.request("rpc", {"nope": 1})
        assert socket.pending == 0
        socket.send_match_state("m", 1, "x")
        socket.close()
        assert (socket.ledger.ok, socket.ledger.pushes) == (1, 1)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(frame(TEXT, b"{}"), 1003), (frame(BINARY, b"\xff\xff\xff"), 1007)],
    ids=["text", "no envelope"],
)
def test_bytes_that_are_not_protobuf_end_the_connection(sent: bytes, code: int) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(sent)
        assert peer.expect_close()[0] == code

    with (
        ScriptedServer(script) as server,
        open_binary(server) as socket,
        pytest.raises(errors.ProtocolError),
    ):
        socket.wait_for("match_data")
