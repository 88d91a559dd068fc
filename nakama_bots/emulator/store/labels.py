"""The index of match and party labels, which a real server updates once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from nakama_bots.emulator.formats.query import Query, Value

LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Labelled:
    """An entry as of the last index update. ``create_time`` in Unix nanoseconds."""

    label: str
    create_time: int
    document: Mapping[str, list[Value]]


EntryT = TypeVar("EntryT", bound=Labelled)


class LabelIndex(Generic[EntryT]):
    """Entries by id. Changes become visible together, ``interval`` seconds after the first of them."""

    def __init__(self, now: Callable[[], int], interval: float) -> None:
        self._now = now
        self._interval = max(1, int(interval * 1e9))
        self._entries: dict[str, EntryT] = {}
        self._pending: dict[str, EntryT | None] = {}
        self._due = 0

    def put(self, identifier: str, entry: EntryT | None) -> None:
        """Set the entry of an id; None removes it."""
        self._take_over()
        if not self._pending:
            self._due = self._now() + self._interval
        self._pending[identifier] = entry

    def _take_over(self) -> None:
        if self._now() < self._due:
            return
        for identifier, entry in self._pending.items():
            if entry is None:
                self._entries.pop(identifier, None)
            else:
                self._entries[identifier] = entry
        self._pending.clear()

    def search(self, query: Query) -> list[tuple[str, EntryT]]:
        """Return the matching entries, best first, newest first among equals. ``QuerySearchError``."""
        self._take_over()
        found: list[tuple[float, str, EntryT]] = []
        for identifier, entry in self._entries.items():
            score = query.score(entry.document)
            if score is not None:
                found.append((score, identifier, entry))
        found.sort(key=lambda hit: (-hit[0], -hit[2].create_time))
        return [(identifier, entry) for _, identifier, entry in found]


def label_fields(label: str) -> dict[str, object]:
    """Return the fields of a label that is a JSON object; none for any other text."""
    try:
        fields = orjson.loads(label)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
