"""The time line of a run: what each process recorded, interval by interval. Pure; times are arguments.

Each process closes an interval about once per second, and rows are kept unmerged, because rows of different
processes do not start at the same moment. Readers bin or add up the rows of their window.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NotRequired, TypedDict, cast

import orjson

from nakama_bots.errors import ConfigError, NakamaError
from nakama_bots.results.record.gaps import Gap
from nakama_bots.results.record.recorder import Recorded, Recorder
from nakama_bots.results.record.request_samples import SampledRequest
from nakama_bots.results.record.spool import Block, Spool
from nakama_bots.results.shapes import ShapeError, check
from nakama_bots.results.traces.tracer import TraceEvent

SCHEMA: Final = "nakama-bots/timeline/1"
LOG_SUFFIX: Final = ".jsonl"

SERVER: Final = "server"
"""The source of the target's own metrics."""

SERVER_PREFIX: Final = "server."
"""The prefix of gauge names of that source."""

_LENGTHS: Final = ((600.0, 1.0), (1800.0, 2.0), (3600.0, 5.0))
_LONGEST: Final = 10.0

_FAST: Final = 1
"""zlib level for rows in memory: the event loop waits for it."""


class TimelineError(NakamaError):
    """A time line cannot be written, or this version cannot read a file: the path and why."""


class Interval(TypedDict):
    """One row: what ``source`` recorded in ``seconds`` starting at ``at`` (seconds since 1970, wall clock).

    ``gauges`` are values at its end, by the names of ``gauges.GAUGES``. ``source`` is a process of the run, or
    ``server`` for the target's own metrics. ``requests`` are sampled calls, if requested; they are not kept in
    the time line. ``gaps`` is what the source could not keep since the previous interval, ``traces`` its traced
    calls, sent with its last interval.
    """

    source: str
    at: float
    seconds: float
    recorded: Recorded
    gauges: dict[str, float]
    requests: NotRequired[list[SampledRequest]]
    gaps: NotRequired[list[Gap]]
    traces: NotRequired[list[TraceEvent]]


class TimelineHeader(TypedDict):
    """The first line of a time line file. ``started`` in seconds since 1970."""

    schema: str
    started: float


def interval_length(elapsed: float) -> float:
    """Return the length in seconds of an interval that starts ``elapsed`` seconds after the start of the run.

    One second for ten minutes, then longer: otherwise a soak of a day would need 86,400 rows per process.
    """
    return next((length for until, length in _LENGTHS if elapsed < until), _LONGEST)


def every_second(_: float) -> float:
    """Return the same for a run whose seconds are looked at one by one, however long it is."""
    return 1.0


_HOLE: Final = 1.5
"""Seconds between two intervals of a source from which on they count as a hole."""


@dataclass(frozen=True, slots=True)
class _TimelineRow:
    source: str
    at: float
    seconds: float
    block: Block


class Timeline:
    """The intervals of a run in the order of their arrival. ``started`` in seconds since 1970.

    Rows are kept compressed, a few kB for 40 names; the rows of a long run are in a temporary file.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self._rows: list[_TimelineRow] = []
        self._spool = Spool()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Interval]:
        return (self._unpack(row) for row in list(self._rows))

    def add(self, interval: Interval) -> None:
        """Keep ``interval``; if it comes from outside, it must have been checked by ``check_interval``."""
        packed = zlib.compress(orjson.dumps(interval), _FAST)
        block = self._spool.add(packed)
        self._rows.append(_TimelineRow(interval["source"], interval["at"], interval["seconds"], block))

    def in_order(self) -> Iterator[Interval]:
        """Yield the intervals by the time of their middle, with one in memory at once."""
        return (self._unpack(row) for row in sorted(self._rows, key=lambda row: row.at + row.seconds / 2))

    @property
    def longest(self) -> float:
        """Seconds of the longest interval; 0 if there is none."""
        return max((row.seconds for row in self._rows), default=0.0)

    def since(self, number: int) -> Iterator[Interval]:
        """Yield the intervals after the first ``number``."""
        return (self._unpack(row) for row in self._rows[number:])

    def within(self, first: float, last: float) -> Iterator[Interval]:
        """Yield the intervals that lie wholly between ``first`` and ``last``, in seconds since 1970."""
        return iter(self.part(first, last))

    def part(self, first: float, last: float) -> Timeline:
        """Return the same intervals as a time line that starts at ``first``."""
        part = Timeline(first)
        part._spool = self._spool
        part._rows = [row for row in self._rows if first <= row.at and row.at + row.seconds <= last]
        return part

    def holes(self, whole: str, ended: float) -> Iterator[tuple[str, float, float]]:
        """Return the holes of each source: start and end in seconds since 1970.

        The process ``whole`` exists from the start to ``ended``, others from their first interval to the last.
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
        """The end of the latest interval, in seconds since 1970; the start if there is none."""
        return max((row.at + row.seconds for row in self._rows), default=self.started)

    def _unpack(self, row: _TimelineRow) -> Interval:
        return cast("Interval", orjson.loads(zlib.decompress(self._spool.read(row.block))))


def gauges_only(source: str, at: float, seconds: float, gauges: Mapping[str, float]) -> Interval:
    """Return an interval of a source that records nothing."""
    return {
        "source": source,
        "at": at,
        "seconds": seconds,
        "recorded": Recorder(0.0).recorded(),
        "gauges": dict(gauges),
    }


def check_interval(value: object) -> Interval:
    """Check ``value`` as an interval, except for its recorded content. Raises ``ShapeError``."""
    check(value, Interval, "interval")
    return cast("Interval", value)


def header(started: float) -> TimelineHeader:
    """Return the first line of the file."""
    return {"schema": SCHEMA, "started": started}


class WorkerLog:
    """``<folder>/<source>.jsonl``: the time line of a process, each line written as soon as it is added.

    It survives even if the master never receives it; ``read_timeline`` reads it. A new run under the same name
    overwrites the file.
    """

    def __init__(self, folder: Path, source: str, started: float) -> None:
        self.path = folder / f"{source}{LOG_SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self.path.open("wb")
        except OSError as error:
            accepted = f"a writable folder ({error.strerror})"
            raise ConfigError("--nakama-worker-logs", str(folder), accepted) from None
        self._write(header(started))

    def add(self, interval: Interval) -> None:
        """Write one interval. Raises ``OSError`` if that fails."""
        self._write(interval)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()

    def _write(self, line: object) -> None:
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()


def from_lines(lines: Iterator[bytes]) -> Timeline:
    """Read a time line from the lines of its file. Raises ``TimelineError`` if they are not one."""
    try:
        first = orjson.loads(next(lines, b"null"))
        schema = first.get("schema") if isinstance(first, dict) else None
        if schema != SCHEMA:
            msg = (
                f'not a time line that this nakama-bots reads (its "schema" is {schema!r:.80}, not {SCHEMA!r})'
            )
            raise TimelineError(msg)
        check(first, TimelineHeader, "header")
        timeline = Timeline(float(first["started"]))
        for line in lines:
            interval = check_interval(orjson.loads(line))
            Recorder(0.0).merge(interval["recorded"])
            timeline.add(interval)
    except (orjson.JSONDecodeError, ShapeError) as error:
        raise TimelineError(f"a damaged time line ({error})") from None
    return timeline
