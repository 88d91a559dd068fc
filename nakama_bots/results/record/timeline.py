"""A run's time line: what each process recorded, interval by interval. Pure; times are given to it.

Each process closes an interval about once a second, and its figures are kept as they came: a row is never
merged with another one before somebody asks, because rows of several processes do not begin at the same moment.
A reader bins or adds up the rows of the window it wants.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypedDict, cast

import orjson

from nakama_bots.errors import NakamaError
from nakama_bots.results.record.gaps import Gap
from nakama_bots.results.record.recorder import Recorded, Recorder
from nakama_bots.results.record.request_samples import SampledRequest
from nakama_bots.results.record.spool import Block, Spool
from nakama_bots.results.shapes import ShapeError, check

SCHEMA: Final = "nakama-bots/timeline/1"

SERVER: Final = "server"
"""The source of what was read from the target's own metrics."""

SERVER_PREFIX: Final = "server."
"""Before the gauges' names of that source."""

_LENGTHS: Final = ((600.0, 1.0), (1800.0, 2.0), (3600.0, 5.0))
_LONGEST: Final = 10.0

_FAST: Final = 1
"""zlib's level for rows in memory: the event loop waits for it."""


class TimelineError(NakamaError):
    """A time line cannot be written, or a file is none that this version reads: the path and why."""


class _Interval(TypedDict):
    source: str
    at: float
    seconds: float
    recorded: Recorded
    gauges: dict[str, float]


class Interval(_Interval, total=False):
    """One row: what ``source`` recorded in the ``seconds`` from ``at`` (seconds since 1970, wall clock) on.

    ``gauges`` are values at its end, by the names of ``gauges.GAUGES``. ``source`` is a process of the run, or
    ``server`` for what was read from the target's own metrics. ``requests`` are some of the calls one
    by one, where that was asked for; they do not stay in the time line. ``gaps`` is what the source could not
    keep since the interval before.
    """

    requests: list[SampledRequest]
    gaps: list[Gap]


class Header(TypedDict):
    """The first line of a time line's file. ``started`` in seconds since 1970."""

    schema: str
    started: float


def interval_length(elapsed: float) -> float:
    """Seconds that an interval lasts which begins ``elapsed`` seconds after the run's start.

    A second for ten minutes, then longer ones, or a day's soak would need 86,400 rows of each process.
    """
    return next((length for until, length in _LENGTHS if elapsed < until), _LONGEST)


_HOLE: Final = 1.5
"""Seconds between two intervals of a source that are a hole."""


@dataclass(frozen=True, slots=True)
class _Row:
    source: str
    at: float
    seconds: float
    block: Block


class Timeline:
    """The intervals of a run in the order they came in. ``started`` in seconds since 1970.

    A row is kept compressed, some kB for 40 names; those of a long run are in a temporary file.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self._rows: list[_Row] = []
        self._spool = Spool()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Interval]:
        return (self._unpack(row) for row in list(self._rows))

    def add(self, interval: Interval) -> None:
        """Keep ``interval``, which must have been checked (``check_interval``) when it came from outside."""
        packed = zlib.compress(orjson.dumps(interval), _FAST)
        block = self._spool.add(packed)
        self._rows.append(_Row(interval["source"], interval["at"], interval["seconds"], block))

    def in_order(self) -> Iterator[Interval]:
        """The intervals by the time of their middle, one at a time in memory."""
        return (self._unpack(row) for row in sorted(self._rows, key=lambda row: row.at + row.seconds / 2))

    @property
    def longest(self) -> float:
        """Seconds of the longest interval; 0 when there is none."""
        return max((row.seconds for row in self._rows), default=0.0)

    def since(self, number: int) -> Iterator[Interval]:
        """The intervals that came after the first ``number``."""
        return (self._unpack(row) for row in self._rows[number:])

    def within(self, first: float, last: float) -> Iterator[Interval]:
        """The intervals that lie wholly between ``first`` and ``last``, in seconds since 1970."""
        rows = [row for row in self._rows if first <= row.at and row.at + row.seconds <= last]
        return (self._unpack(row) for row in rows)

    def recorder(self, first: float, last: float) -> Recorder:
        """Everything of the intervals that lie wholly in that window, added up."""
        total = Recorder(0.0)
        for interval in self.within(first, last):
            total.merge(interval["recorded"])
        return total

    def holes(self, whole: str, ended: float) -> Iterator[tuple[str, float, float]]:
        """The seconds since 1970 from and to which a process has no interval, by its source.

        The process ``whole`` has been there from the start to ``ended``, others from their first interval to
        their last.
        """
        until: dict[str, float] = {whole: self.started}
        for row in sorted(self._rows, key=lambda row: row.at):
            if row.source == SERVER:
                continue
            before = until.get(row.source, row.at)
            if row.at - before > _HOLE:
                yield row.source, before, row.at
            until[row.source] = max(before, row.at + row.seconds)
        if ended - until[whole] > _HOLE:
            yield whole, until[whole], ended

    @property
    def ended(self) -> float:
        """The end of the latest interval, in seconds since 1970; the start when there is none."""
        return max((row.at + row.seconds for row in self._rows), default=self.started)

    def _unpack(self, row: _Row) -> Interval:
        return cast("Interval", orjson.loads(zlib.decompress(self._spool.read(row.block))))


def empty_recorded() -> Recorded:
    """The record of a source that has gauges only."""
    return Recorder(0.0).recorded()


def gauges_only(source: str, at: float, seconds: float, gauges: Mapping[str, float]) -> Interval:
    """The interval of a source that records nothing."""
    return {
        "source": source,
        "at": at,
        "seconds": seconds,
        "recorded": empty_recorded(),
        "gauges": dict(gauges),
    }


def check_interval(value: object) -> Interval:
    """``value`` as an interval, except for what is recorded in it; ``ShapeError`` says what it is instead."""
    check(value, Interval, "interval")
    return cast("Interval", value)


def header(timeline: Timeline) -> Header:
    """The first line of its file."""
    return {"schema": SCHEMA, "started": timeline.started}


def from_lines(lines: Iterator[bytes]) -> Timeline:
    """The time line whose file has these lines; ``TimelineError`` says what they are instead."""
    try:
        first = orjson.loads(next(lines, b"null"))
        schema = first.get("schema") if isinstance(first, dict) else None
        if schema != SCHEMA:
            msg = (
                f'not a time line that this nakama-bots reads (its "schema" is {schema!r:.80}, not {SCHEMA!r})'
            )
            raise TimelineError(msg)
        check(first, Header, "header")
        timeline = Timeline(float(first["started"]))
        for line in lines:
            interval = check_interval(orjson.loads(line))
            Recorder(0.0).merge(interval["recorded"])
            timeline.add(interval)
    except (orjson.JSONDecodeError, ShapeError) as error:
        msg = f"a damaged time line ({error})"
        raise TimelineError(msg) from None
    return timeline
