"""The observer that keeps everything a run measures, and merges exactly over processes.

A worker's recorder gives what came since the last ``drain`` as a plain structure, the master's takes it with
``merge``; in a single process one recorder just records. Not thread-safe and never switching: one event loop
owns a recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypedDict, TypeVar, cast

from nakama_bots.errors import (
    Abandoned,
    CallError,
    ConnectionClosed,
    RequestTimeout,
    ServerError,
    without_secrets,
)
from nakama_bots.observer import COUNT_NAMES, SAMPLE_NAMES
from nakama_bots.results.record.histogram import EncodedHistogram, Histogram
from nakama_bots.results.shapes import ShapeError, check

SCHEMA: Final = "nakama-bots/recorded/1"
OTHER: Final = "(other)"
"""Kind, name and label of the row that counts what came after the limit of rows was reached."""

LIMIT: Final = 500
_TEXT_LIMIT: Final = 300


def no_pause() -> None:
    """What is called between two steps where nobody else wants to run."""


ABANDONED: Final = "abandoned"
OUTCOMES: Final = ("ok", "server_error", "timeout", "closed", ABANDONED, "failed")
"""How a call can end; ``failed`` is every error that is none of the four before it."""

_OUTCOME_OF: Final[dict[type, str]] = {
    ServerError: "server_error",
    RequestTimeout: "timeout",
    ConnectionClosed: "closed",
    Abandoned: ABANDONED,
    CallError: "failed",
}


class RecordedCall(TypedDict):
    """One row of calls; ``outcomes`` holds the failures by outcome, ``bytes`` every answer's payload."""

    kind: str
    name: str
    ok: EncodedHistogram
    failed: EncodedHistogram
    outcomes: dict[str, int]
    bytes: int


class RecordedError(TypedDict):
    """One kind of failure; ``first_seen`` in seconds after the recorder's origin."""

    kind: str
    name: str
    label: str
    count: int
    first_seen: float
    example: str


class Recorded(TypedDict):
    """What a recorder heard: text, numbers, lists and dicts only, fit for JSON and msgpack."""

    schema: str
    calls: list[RecordedCall]
    samples: dict[str, EncodedHistogram]
    counts: dict[str, int]
    errors: list[RecordedError]


@dataclass(slots=True)
class CallRow:
    """The calls of one kind and name: answer times of those that went well and of the failed ones, apart."""

    ok: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)
    outcomes: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def add(self, other: CallRow) -> None:
        """Take over what ``other`` has."""
        self.ok.add(other.ok)
        self.failed.add(other.failed)
        self.size += other.size
        for outcome, number in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number


@dataclass(slots=True)
class ErrorRow:
    """The failures of one label. ``example`` is the earliest one's text; equally early: the first by text."""

    count: int
    first_seen: float
    example: str

    def add(self, other: ErrorRow) -> None:
        """Take over what ``other`` has."""
        self.count += other.count
        self.first_seen, self.example = min((self.first_seen, self.example), (other.first_seen, other.example))


CallKey = tuple[str, str]
"""Kind and name."""

ErrorKey = tuple[str, str, str]
"""Kind, name and label."""

_K = TypeVar("_K", bound=Hashable)


class _Names(Generic[_K]):
    """The first ``limit`` keys stand for themselves as long as the recorder lives, later ones are ``other``.

    Our own names in ``reserved`` are not displaced by a scenario that makes up names without end.
    """

    __slots__ = ("_known", "_limit", "_other", "_reserved")

    def __init__(self, limit: int, other: _K, reserved: Collection[_K] = ()) -> None:
        self._limit = limit
        self._other = other
        self._reserved = frozenset({other, *reserved})
        self._known: set[_K] = set()

    def admit(self, key: _K) -> _K:
        if key not in self._known and key not in self._reserved:
            if len(self._known) >= self._limit:
                return self._other
            self._known.add(key)
        return key


class Recorder:
    """An ``Observer``. ``origin`` is the run's start on ``time.perf_counter``, which errors are dated from.

    At most ``limit`` rows of calls, of samples, of counts and of errors are kept each; what comes under other
    names afterwards is counted in the row ``OTHER``.
    """

    def __init__(self, origin: float, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self.reset(origin)

    def reset(self, origin: float) -> None:
        """Forget everything and date errors from ``origin`` on."""
        self._origin = origin
        self._call_names: _Names[CallKey] = _Names(self._limit, (OTHER, OTHER))
        self._sample_names: _Names[str] = _Names(self._limit, OTHER, SAMPLE_NAMES)
        self._count_names: _Names[str] = _Names(self._limit, OTHER, COUNT_NAMES)
        self._error_names: _Names[ErrorKey] = _Names(self._limit, (OTHER, OTHER, OTHER))
        self._clear()

    def _clear(self) -> None:
        self.calls: dict[CallKey, CallRow] = {}
        self.samples: dict[str, Histogram] = {}
        self.counts: dict[str, int] = {}
        self.errors: dict[ErrorKey, ErrorRow] = {}

    def call(
        self, kind: str, name: str, started: float, elapsed: float, size: int, error: CallError | None
    ) -> None:
        """Count one finished call (``Observer.call``)."""
        row = self.calls.get((kind, name)) or self._call_row((kind, name))
        row.size += size
        if error is None:
            row.ok.record(elapsed)
            return
        row.failed.record(elapsed)
        outcome = outcome_of(error)
        row.outcomes[outcome] = row.outcomes.get(outcome, 0) + 1
        if outcome == ABANDONED:
            # Our player was stopped: no fault of the server's, and no failure.
            return
        self._failure(self._call_names.admit((kind, name)), started + elapsed - self._origin, error)

    def _failure(self, key: CallKey, seen: float, error: CallError) -> None:
        label = _short(error.label)
        row = self.errors.get((*key, label))
        if row is not None and row.first_seen < seen:
            # In a storm of failures a text that is not kept is not made either.
            row.count += 1
        else:
            self._add_error((*key, label), ErrorRow(1, seen, _short(without_secrets(str(error)))))

    def sample(self, name: str, seconds: float) -> None:
        """Count one measured duration (``Observer.sample``)."""
        (self.samples.get(name) or self._sample_row(name)).record(seconds)

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter (``Observer.count``)."""
        counts = self.counts
        if name not in counts:
            name = self._count_names.admit(name)
        counts[name] = counts.get(name, 0) + number

    def _call_row(self, key: CallKey) -> CallRow:
        return self.calls.setdefault(self._call_names.admit(key), CallRow())

    def _sample_row(self, name: str) -> Histogram:
        return self.samples.setdefault(self._sample_names.admit(name), Histogram())

    def _add_error(self, key: ErrorKey, seen: ErrorRow) -> None:
        key = self._error_names.admit(key)
        row = self.errors.get(key)
        if row is None:
            self.errors[key] = seen
        else:
            row.add(seen)

    def take(self) -> Recorder:
        """What came since the last time, as a recorder of its own; this one goes on from nothing."""
        taken = Recorder(self._origin, limit=self._limit)
        taken.calls, taken.samples, taken.counts, taken.errors = (
            self.calls, self.samples, self.counts, self.errors,
        )  # fmt: skip
        self._clear()
        return taken

    def recorded(self, *, folded: bool = True, pause: Callable[[], object] = no_pause) -> Recorded:
        """Everything since the start or the last drain; ``folded`` as in ``Histogram.encode``.

        ``pause`` is called after each row, for an event loop that cannot wait for all of them; whoever uses it
        must own the recorder meanwhile.
        """
        calls: list[RecordedCall] = []
        for (kind, name), row in self.calls.items():
            calls.append({
                "kind": kind,
                "name": name,
                "ok": row.ok.encode(folded=folded),
                "failed": row.failed.encode(folded=folded),
                "outcomes": dict(row.outcomes),
                "bytes": row.size,
            })  # fmt: skip
            pause()
        return {
            "schema": SCHEMA,
            "calls": calls,
            "samples": {name: histogram.encode(folded=folded) for name, histogram in self.samples.items()},
            "counts": dict(self.counts),
            "errors": [
                {
                    "kind": kind,
                    "name": name,
                    "label": label,
                    "count": row.count,
                    "first_seen": row.first_seen,
                    "example": row.example,
                }
                for (kind, name, label), row in self.errors.items()
            ],
        }

    def drain(self) -> Recorded:
        """What came since the last drain; the recorder goes on from nothing."""
        return self.take().recorded(folded=False)

    def merge(self, payload: object, *, pause: Callable[[], object] = no_pause) -> int:
        """Add what another recorder gave; ``ShapeError`` for anything else, and then nothing is added.

        ``pause`` is called after each row, for an event loop that cannot wait for all of them. Gives the number
        of calls that were added.
        """
        calls, samples, recorded = _decode(payload, pause)
        added = sum(row.ok.count + row.failed.count for _, row in calls)
        for call_key, row in calls:
            self._call_row(call_key).add(row)
            pause()
        for name, histogram in samples:
            self._sample_row(name).add(histogram)
        for name, number in recorded["counts"].items():
            self.count(name, number)
        for error in recorded["errors"]:
            key = (error["kind"], error["name"], error["label"])
            self._add_error(key, ErrorRow(error["count"], error["first_seen"], error["example"]))
        return added


def outcome_of(error: CallError) -> str:
    """The one of ``OUTCOMES`` that ``error`` is."""
    return next(_OUTCOME_OF[kind] for kind in type(error).__mro__ if kind in _OUTCOME_OF)


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 3] + "..."


def _decode(
    payload: object, pause: Callable[[], object]
) -> tuple[list[tuple[CallKey, CallRow]], list[tuple[str, Histogram]], Recorded]:
    schema = payload.get("schema") if isinstance(payload, dict) else None
    if schema != SCHEMA:
        msg = f"recorded: the schema {SCHEMA!r} is expected, not {schema!r}"
        raise ShapeError(msg)
    check(payload, Recorded, "recorded")
    recorded = cast("Recorded", payload)
    try:
        calls: list[tuple[CallKey, CallRow]] = []
        for call in recorded["calls"]:
            ok, failed = Histogram.decode(call["ok"]), Histogram.decode(call["failed"])
            row = CallRow(ok, failed, call["outcomes"], call["bytes"])
            calls.append(((call["kind"], call["name"]), row))
            pause()
        samples = [(name, Histogram.decode(encoded)) for name, encoded in recorded["samples"].items()]
    except ValueError as error:
        msg = f"recorded: {error}"
        raise ShapeError(msg) from None
    return calls, samples, recorded
