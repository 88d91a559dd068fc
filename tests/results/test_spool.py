from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nakama_bots.results.record.spool import IN_MEMORY, Spool

BLOCK = 64 * 1024
NUMBER = 2 * IN_MEMORY // BLOCK


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def blocks() -> list[bytes]:
    return [bytes((number,)) * BLOCK for number in range(NUMBER)]


@pytest.fixture
def no_room() -> Iterator[None]:
    """Limit files to 0 bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_blocks_are_read_from_memory_and_file() -> None:
    spool = Spool()
    places = [spool.add(data) for data in blocks()]
    assert [spool.read(place) for place in reversed(places)] == blocks()[::-1]
    kept = sum(len(place.kept) for place in places if place.kept is not None)
    assert kept == IN_MEMORY


def test_the_file_has_no_name_and_is_closed_with_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = descriptors()
    spool = Spool()
    for data in blocks():
        spool.add(data)
    assert list(tmp_path.iterdir()) == []
    assert len(descriptors() - before) == 1
    del spool
    assert descriptors() <= before


def test_nothing_is_lost_on_a_full_disk(no_room: None) -> None:
    spool = Spool()
    places = [spool.add(data) for data in blocks()]
    assert [spool.read(place) for place in places] == blocks()
    assert all(place.kept is not None for place in places)
