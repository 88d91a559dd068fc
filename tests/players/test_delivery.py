from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.players.delivery.stamps import END, STAMP_SIZE, STATE, Stamp, StampStream, host_number

STAMPS = st.builds(
    Stamp,
    st.sampled_from([STATE, END]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
)


@given(STAMPS, st.binary(max_size=100))
def test_stamp_round_trip(stamp: Stamp, rest: bytes) -> None:
    payload = stamp.pack()
    assert len(payload) == STAMP_SIZE
    assert Stamp.unpack(payload + rest) == stamp


@given(STAMPS, st.integers(0, STAMP_SIZE - 1))
def test_truncated_payload_is_no_stamp(stamp: Stamp, size: int) -> None:
    assert Stamp.unpack(stamp.pack()[:size]) is None


@given(st.binary(max_size=100))
def test_foreign_payload_is_no_stamp(payload: bytes) -> None:
    if not payload.startswith(b"nb2"):
        assert Stamp.unpack(payload) is None
    assert Stamp.unpack(b"{" + payload) is None


def test_unknown_kind_is_no_stamp() -> None:
    # A later version may define more kinds.
    assert Stamp.unpack(Stamp(7, 1, 2, 3, 4.0).pack()) is None


@given(
    st.integers(0, 5),
    st.integers(0, 60),
    st.sets(st.integers(0, 59)),
    st.dictionaries(st.integers(0, 59), st.integers(1, 3)),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_stream_counts_match_a_plain_model(
    first: int, total: int, lost: set[int], copies: dict[int, int], shuffle: random.Random, end: bool
) -> None:
    """For any order, losses and duplicates."""
    arrivals = [n for n in range(first, total) if n not in lost for _ in range(1 + copies.get(n, 0))]
    shuffle.shuffle(arrivals)

    stream = StampStream(first)
    news = [stream.receive(sequence) for sequence in arrivals]
    if end:
        stream.end(max(first, total))

    firsts = [n not in arrivals[:place] for place, n in enumerate(arrivals)]
    arrived = set(arrivals)
    assert news == firsts
    assert stream.received == len(arrived)
    assert stream.duplicated == len(arrivals) - len(arrived)
    # Reordered: first received after a higher number.
    assert stream.reordered == sum(
        new and max(arrivals[:place], default=-1) > n
        for place, (n, new) in enumerate(zip(arrivals, firsts, strict=True))
    )
    until = max(first, total) if end else max(arrived, default=first - 1) + 1
    assert stream.expected == until - first
    assert stream.lost == len(set(range(first, until)) - arrived)


def test_stream_without_a_message() -> None:
    stream = StampStream()
    assert (stream.expected, stream.lost) == (0, 0)
    stream.end(10)
    assert (stream.expected, stream.received, stream.lost) == (10, 0, 10)


def test_end_before_the_last_messages() -> None:
    stream = StampStream()
    stream.end(3)
    for sequence in (0, 2, 1):
        stream.receive(sequence)
    assert (stream.expected, stream.lost, stream.reordered) == (3, 0, 1)


def test_processes_on_one_host_share_its_number() -> None:
    code = "from nakama_bots.players.delivery.stamps import host_number; print(host_number())"
    assert int(subprocess.check_output([sys.executable, "-c", code])) == host_number()


def test_host_number_depends_on_kernel_and_time_namespace(tmp_path: Path) -> None:
    boots = [tmp_path / "boot1", tmp_path / "boot2"]
    offsets = [tmp_path / "none", tmp_path / "offsets"]
    for number, file in enumerate([*boots, offsets[1]]):
        file.write_text(f"content {number}")
    numbers = [host_number(boot, offset) for boot in boots for offset in offsets]
    assert len(set(numbers)) == 4
    assert numbers == [host_number(boot, offset) for boot in boots for offset in offsets]


def test_unknown_hosts_are_never_equal(tmp_path: Path) -> None:
    numbers = {host_number(tmp_path / "none", tmp_path / "none") for _ in range(20)}
    assert len(numbers) > 1
    assert all(0 <= number < 2**32 for number in numbers)
