"""The frame reader against websocket-client's parser, the encoder against the scripted server's."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket._abnf import ABNF, continuous_frame, frame_buffer

from nakama_bots.realtime import frames
from nakama_bots.realtime.frames import Frame, FrameReader

from .server import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, frame

SIZES = st.one_of(
    st.integers(0, 200), st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), st.integers(65530, 66000)
)


class Bytes:
    """A stream of prepared bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        chunk, self.data = self.data[:size], self.data[size:]
        if not chunk:
            raise EOFError
        return chunk


def oracle(data: bytes) -> list[Frame]:
    """Return the frames that websocket-client reads from ``data``."""
    buffer = frame_buffer(Bytes(data).recv, skip_utf8_validation=True)
    message = continuous_frame(fire_cont_frame=False, skip_utf8_validation=True)
    found: list[Frame] = []
    while True:
        try:
            one = buffer.recv_frame()
        except EOFError:
            return found
        if one.opcode not in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY, ABNF.OPCODE_CONT):
            found.append((one.opcode, one.data))
            continue
        message.validate(one)
        message.add(one)
        if message.is_fire(one):
            opcode, whole = message.extract(one)
            found.append((opcode, whole.data))


def read(data: bytes, cuts: list[int]) -> tuple[list[Frame], FrameReader]:
    reader = FrameReader()
    found: list[Frame] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        # As a connection does.
        text = reader.whole_text(data[start:end])
        found += reader.feed(data[start:end]) if text is None else [(TEXT, text)]
    return found, reader


@st.composite
def control(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([PING, PONG, CLOSE]))
    if opcode == CLOSE:
        code = draw(st.sampled_from([1000, 1001, 1002, 1009, 3000, 4999]))
        return frame(CLOSE, struct.pack("!H", code) + draw(st.binary(max_size=123)))
    return frame(opcode, draw(st.binary(max_size=125)))


@st.composite
def message(draw: st.DrawFn) -> bytes:
    """A message in 1 to 4 frames, with control frames between them."""
    payload = draw(st.binary(min_size=1, max_size=1)) * draw(SIZES)
    edges = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    parts = [payload[a:b] for a, b in zip([0, *edges], [*edges, len(payload)], strict=True)]
    data = b""
    for number, part in enumerate(parts):
        opcode = CONTINUATION if number else draw(st.sampled_from([TEXT, BINARY]))
        data += frame(opcode, part, fin=number == len(parts) - 1)
        if number < len(parts) - 1:
            data += b"".join(draw(st.lists(control(), max_size=2)))
    return data


STREAMS = st.lists(st.one_of(message(), control()), max_size=6).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 1 << 20), max_size=20))
def test_any_split_of_a_stream_is_read_as_by_websocket_client(data: bytes, cuts: list[int]) -> None:
    found, reader = read(data, cuts)
    assert found == oracle(data)
    assert reader.error is None


@given(st.lists(st.one_of(control(), st.binary(max_size=300).map(lambda p: frame(TEXT, p))), max_size=4))
def test_stream_byte_by_byte(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found, reader = read(data, list(range(len(data))))
    assert found == oracle(data)
    assert reader.error is None


@given(STREAMS, st.binary(min_size=1))
def test_incomplete_frame(data: bytes, tail: bytes) -> None:
    found, reader = read(data + frame(TEXT, tail)[:-1], [])
    assert found == oracle(data)
    assert reader.error is None
    assert reader.feed(tail[-1:]) == [(TEXT, tail)]


def test_every_length_field() -> None:
    for size in (0, 125, 126, 65535, 65536):
        payload = b"x" * size
        assert FrameReader().feed(frame(TEXT, payload)) == [(TEXT, payload)]


WRONG = {
    "reserved bits": (frame(TEXT, b"{}", rsv=4), "reserved bits"),
    "rsv3": (frame(PING, b"", rsv=1), "reserved bits"),
    "opcode 3": (frame(3, b""), "unknown opcode 3"),
    "opcode 15": (frame(15, b""), "unknown opcode 15"),
    "masked": (frame(TEXT, b"{}", mask=b"abcd"), "masked"),
    "masked long": (frame(TEXT, b"x" * 200, mask=b"abcd"), "masked"),
    "masked huge": (frame(TEXT, b"x" * 70000, mask=b"abcd"), "masked"),
    "fragmented ping": (frame(PING, b"", fin=False), "control frame"),
    "long ping": (frame(PING, b"x" * 126), "control frame"),
    "long close": (frame(CLOSE, b"x" * 126), "control frame"),
    "short close": (frame(CLOSE, b"x"), "close frame of one byte"),
    "continuation": (frame(CONTINUATION, b"x"), "not started"),
    "continuation after the end": (
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"),
        "not started",
    ),
    "text inside a message": (frame(TEXT, b"", fin=False) + frame(TEXT, b"{}"), "inside another"),
    "binary inside a message": (frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), "inside another"),
}


@pytest.mark.parametrize("name", WRONG)
@given(cuts=st.lists(st.integers(0, 100), max_size=3))
def test_protocol_violation_ends_the_stream(name: str, cuts: list[int]) -> None:
    data, problem = WRONG[name]
    before, after = frame(TEXT, b"before"), frame(TEXT, b"after")
    found, reader = read(before + data + after, cuts)
    assert found[0] == (TEXT, b"before")
    assert (TEXT, b"after") not in found
    assert reader.error is not None
    assert problem in str(reader.error)
    assert reader.error.close_code == 1002
    assert reader.feed(after) == []


def test_too_large_frame_is_refused_before_its_payload() -> None:
    reader = FrameReader(max_size=1000)
    assert reader.feed(frame(TEXT, b"x" * 1000)) == [(TEXT, b"x" * 1000)]
    assert reader.feed(frame(TEXT, b"x" * 1001)[:4]) == []
    assert reader.error is not None
    assert reader.error.close_code == 1009


def test_largest_length_field() -> None:
    reader = FrameReader()
    reader.feed(b"\x81\x7f" + b"\xff" * 8)
    assert reader.error is not None
    assert reader.error.close_code == 1009


def test_limit_covers_all_frames_of_a_message() -> None:
    reader = FrameReader(max_size=1000)
    assert reader.feed(frame(TEXT, b"x" * 600, fin=False)) == []
    assert reader.feed(frame(CONTINUATION, b"x" * 400)) == [(TEXT, b"x" * 1000)]
    assert reader.error is None
    reader.feed(frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 401, fin=False))
    assert reader.error is not None
    assert reader.error.close_code == 1009


@given(
    st.sampled_from([TEXT, BINARY, PING, PONG, CLOSE]),
    st.binary(max_size=300),
    SIZES,
    st.integers(0, 2**32 - 1),
)
def test_encode_against_an_independent_decoder(opcode: int, seed: bytes, size: int, mask: int) -> None:
    payload = (seed or b"\0") * (size // max(1, len(seed)) + 1)
    data = frames.encode(opcode, payload[:size], mask)
    peer = Peer(Bytes(data))
    assert peer.read_frame() == (opcode, payload[:size])
    assert peer.sock.data == b""


@given(st.integers(1000, 4999), st.text(max_size=200), st.integers(0, 2**32 - 1))
def test_close_frame_round_trip(code: int, reason: str, mask: int) -> None:
    opcode, payload = Peer(Bytes(frames.encode_close(code, reason, mask))).read_frame()
    assert opcode == CLOSE
    assert len(payload) <= 125
    got_code, got_reason = frames.decode_close(payload)
    assert got_code == code
    assert reason.startswith(got_reason)
    assert len(got_reason.encode()) > 119 or got_reason == reason


def test_close_without_a_code() -> None:
    assert frames.decode_close(b"") == (1005, "")
    assert frames.decode_close(b"\x03\xe8\xff") == (1000, "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    ("received", "echo"),
    [(1000, 1000), (1009, 1009), (3000, 3000), (4999, 4999), (1005, 1000), (1004, 1002), (1006, 1002),
     (1015, 1002), (0, 1002), (999, 1002), (2999, 1002), (5000, 1002), (65535, 1002)],
)  # fmt: skip
def test_echoed_close_code(received: int, echo: int) -> None:
    assert frames.echo_code(received) == echo
