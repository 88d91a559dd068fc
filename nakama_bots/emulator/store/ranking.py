"""The ordered records of a board: ranks, pages, and the records around an owner."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import NamedTuple

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.store.boards import Leaderboard, Record, RecordKey


class _RecordPlace(NamedTuple):
    leaderboard_id: str
    expiry: int
    score: int
    subscore: int
    owner_id: str
    rank: int
    following: bool


@dataclass(slots=True)
class Page:
    """Records with their ranks, best first, and the cursors before and after them."""

    records: list[tuple[Record, int]] = field(default_factory=list)
    owner_records: list[tuple[Record, int]] = field(default_factory=list)
    next_cursor: str = ""
    prev_cursor: str = ""
    rank_count: int = 0

    def wire(self) -> JsonObject:
        """Nakama's ``LeaderboardRecordList``, and ``TournamentRecordList``."""
        fields: JsonObject = {
            "records": [record.wire(rank) for record, rank in self.records],
            "owner_records": [record.wire(rank) for record, rank in self.owner_records],
            "next_cursor": self.next_cursor,
            "prev_cursor": self.prev_cursor,
            "rank_count": str(self.rank_count or ""),
        }
        return {name: value for name, value in fields.items() if value}


class Ranking:
    """The records of one board that expire at one time, in order."""

    def __init__(self, board: Leaderboard, expiry: int) -> None:
        self.board = board
        self.expiry = expiry
        self.owners: dict[str, Record] = {}
        self._keys: list[RecordKey] = []

    def put(self, record: Record) -> None:
        """Add or replace an owner's record."""
        self.remove(record.owner_id)
        self.owners[record.owner_id] = record
        bisect.insort(self._keys, record.key)

    def remove(self, owner_id: str) -> bool:
        """Remove an owner's record; True if there was one."""
        record = self.owners.pop(owner_id, None)
        if record is None:
            return False
        del self._keys[bisect.bisect_left(self._keys, record.key)]
        return True

    def better(self, key: RecordKey) -> int:
        """Return the number of records better than ``key``."""
        if self.board.descending:
            return len(self._keys) - bisect.bisect_right(self._keys, key)
        return bisect.bisect_left(self._keys, key)

    def slice(self, first: int, last: int) -> list[Record]:
        """Return the records from place ``first`` (the best is 0) to before ``last``."""
        first, last = max(first, 0), min(last, len(self._keys))
        if self.board.descending:
            keys = self._keys[len(self._keys) - last : len(self._keys) - first][::-1]
        else:
            keys = self._keys[first:last]
        return [self.owners[key.owner_id] for key in keys]

    def rank(self, record: Record, now: int) -> int:
        """Return the rank of a record, from 1; 0 if the server keeps none."""
        return self.better(record.key) + 1 if self.ranked(now) else 0

    def ranked(self, now: int) -> bool:
        """True if the server keeps ranks of these records."""
        return self.board.enable_ranks and (self.expiry == 0 or self.expiry > now)

    def count(self, now: int) -> int:
        """Return the number of ranks."""
        return len(self._keys) if self.ranked(now) else 0

    def place(self, record: Record, rank: int, *, following: bool) -> str:
        """Return the cursor of the records after or before a record."""
        return cursors.encode(_RecordPlace(self.board.id, self.expiry, *record.key, rank, following))

    def page(self, limit: int, cursor: str, now: int) -> Page:
        """Return ``limit`` records from a cursor on. ``InvalidCursor``: it is not of these records."""
        place = cursors.decode(cursor, _RecordPlace) if cursor else None
        if place is None:
            records = self.slice(0, limit)
            page = Page([(record, number) for number, record in enumerate(records, 1)])
            more = len(self.owners) > limit
        else:
            if (place.leaderboard_id, place.expiry) != (self.board.id, self.expiry):
                raise cursors.InvalidCursor(cursor)
            page, more = self._from(place, limit)
        page.rank_count = self.count(now)
        if not page.records:
            return page
        # Ranks count on from the cursor's, whatever has changed since.
        (first, first_rank), (last, last_rank) = page.records[0], page.records[-1]
        backwards = place is not None and not place.following
        if more or backwards:
            page.next_cursor = self.place(last, last_rank, following=True)
        if place is not None and (more or not backwards):
            page.prev_cursor = self.place(first, first_rank, following=False)
        return page

    def _from(self, place: _RecordPlace, limit: int) -> tuple[Page, bool]:
        key = RecordKey(place.score, place.subscore, place.owner_id)
        before = self.better(key)
        if not place.following:
            records = self.slice(before - limit, before)
            first_rank = place.rank - len(records)
            return Page([(r, rank) for rank, r in enumerate(records, first_rank)]), before > limit
        record = self.owners.get(key.owner_id)
        start = before + (record is not None and record.key == key)
        records = self.slice(start, start + limit)
        more = start + limit < len(self.owners)
        return Page([(r, rank) for rank, r in enumerate(records, place.rank + 1)]), more

    def around(self, owner_id: str, limit: int, now: int) -> Page:
        """Return up to ``limit`` records with an owner's in the middle (``...Haystack``)."""
        own = self.owners.get(owner_id)
        if own is None:
            return Page()
        mine, total = self.better(own.key), len(self.owners)
        above = min(mine, limit)
        half = limit // 2
        below = limit - above if above < half else half
        found_below = min(below, total - mine - 1)
        # The server's window over the records above, the owner's, and those below.
        number = above + 1 + found_below
        start = 0 if above < below else max(0, number - limit)
        first = mine - above + start
        records = self.slice(first, min(first + limit, mine + 1 + found_below))
        page = Page([(record, self.rank(record, now)) for record in records], rank_count=self.count(now))
        if mine > limit or start > 0:
            page.prev_cursor = self.place(*page.records[0], following=False)
        if total - mine - 1 > below:
            page.next_cursor = self.place(*page.records[-1], following=True)
        return page
