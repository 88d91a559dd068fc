from __future__ import annotations

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.players.identity import Identity, NumberPool

# The prefixes that the configuration accepts.
PREFIXES = st.text(ascii_letters + digits + "-_", min_size=1, max_size=40).filter(
    lambda text: text.replace("-", "").replace("_", "").isalnum()
)
IDENTITIES = st.builds(
    Identity, PREFIXES, st.integers(0, 2**32 - 1), st.integers(0, 10**5), st.integers(0, 10**9)
)


@given(IDENTITIES)
def test_device_id_is_valid_and_stable(identity: Identity) -> None:
    again = Identity(identity.prefix, identity.seed, identity.worker, identity.number)
    assert identity.device_id == again.device_id
    assert 10 <= len(identity.device_id.encode()) <= 128
    # Nakama allows no spaces or control characters in ids and names.
    assert set(identity.device_id) <= set(ascii_letters + digits + "-_")
    assert identity.device_id.startswith(identity.prefix)
    assert 1 <= len(identity.username) <= 128
    assert identity.username == again.username


@given(IDENTITIES, IDENTITIES)
def test_different_identities_have_different_accounts(one: Identity, other: Identity) -> None:
    assert (one == other) == (one.device_id == other.device_id) == (one.username == other.username)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Identity("a-1", 2, 0, 0), Identity("a", 1, 2, 0)),
        (Identity("a", 11, 0, 0), Identity("a-1", 1, 0, 0)),
        (Identity("a", 1, 1, 11), Identity("a", 1, 11, 1)),
        (Identity("a", 1, 1000, 0), Identity("a", 1, 100, 0)),
        (Identity("a-1-w000", 1, 0, 0), Identity("a", 1, 0, 0)),
    ],
)
def test_parts_are_separated(one: Identity, other: Identity) -> None:
    assert one.device_id != other.device_id


@given(st.lists(st.booleans() | st.integers(0, 20), max_size=60))
def test_numbers_are_the_lowest_free_ones(steps: list[bool | int]) -> None:
    """``True`` takes a number; an integer releases the number at that index."""
    pool = NumberPool()
    taken: list[int] = []
    for step in steps:
        if isinstance(step, bool) or not taken:
            number = pool.take()
            assert number == min(set(range(len(taken) + 1)) - set(taken))
            taken.append(number)
        else:
            pool.release(taken.pop(step % len(taken)))


def test_number_is_released_once() -> None:
    pool = NumberPool()
    pool.release(pool.take())
    for number in (0, 1, -1):
        with pytest.raises(ValueError, match=f"number {number} is not taken"):
            pool.release(number)
    assert [pool.take(), pool.take()] == [0, 1]
