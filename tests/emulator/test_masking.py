"""The guard sees every frame's mask bit, however the bytes are cut into chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.server.masking import MaskGuard


class Parser:
    """Collects the data that it is fed, in place of aiohttp's parser."""

    def __init__(self) -> None:
        self.fed = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.fed += data
        return False, b""


def frame(length: int, mask: bytes, *, masked: bool = True) -> bytes:
    bit = 0x80 if masked else 0
    if length < 126:
        head = bytes([0x81, bit | length])
    elif length < 2**16:
        head = bytes([0x81, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x81, bit | 127]) + length.to_bytes(8, "big")
    # A payload of zeros and ones looks like headers without the bit.
    return head + (mask if masked else b"") + b"\x01" * length


lengths = st.sampled_from([0, 1, 2, 125, 126, 127, 300, 65535, 65536])
frames = st.lists(st.builds(frame, lengths, st.binary(min_size=4, max_size=4)), max_size=5)
cuts = st.lists(st.integers(0, 70_000), max_size=12)


def feed(guard: MaskGuard, data: bytes, places: list[int]) -> None:
    bounds = [0, *sorted(place for place in places if place < len(data)), len(data)]
    for first, last in pairwise(bounds):
        if first < last:
            guard.feed_data(data[first:last])


@given(frames, cuts)
def test_masked_frames_pass_unchanged(sent: list[bytes], places: list[int]) -> None:
    parser = Parser()
    guard = MaskGuard(parser)
    feed(guard, b"".join(sent), places)
    assert parser.fed == b"".join(sent)
    assert not guard.refused


@given(frames, lengths, frames, cuts)
def test_first_unmasked_frame_is_reported_and_ends_the_stream(
    before: list[bytes], length: int, after: list[bytes], places: list[int]
) -> None:
    parser, reported = Parser(), []
    guard = MaskGuard(parser)
    guard.watch(lambda: reported.append(True))
    bad = frame(length, b"", masked=False)
    feed(guard, b"".join(before) + bad + b"".join(after), places)
    assert reported == [True]
    assert (b"".join(before) + bad).startswith(parser.fed)


def test_unmasked_frame_of_the_handshake_is_reported_to_a_later_watcher() -> None:
    guard, reported = MaskGuard(Parser()), []
    guard.feed_data(frame(3, b"", masked=False))
    guard.watch(lambda: reported.append(True))
    assert reported == [True]
