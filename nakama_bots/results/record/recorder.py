"""The observer that records everything a run measures, and merges exactly over processes.

The recorder of a worker returns what was recorded since the last ``drain`` as a plain structure, which the
recorder of the master adds with ``merge``; in a single process one recorder just records. Not thread-safe and
never switching greenlets: one event loop owns a recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from operator import index
from typing import Final, Generic, NotRequired, SupportsIndex, TypedDict, TypeVar, cast

from nakama_bots.errors import (
    Abandoned,
    CallError,
    ConnectionClosed,
    RequestTimeout,
    ScenarioFault,
    ServerError,
    without_secrets,
)
from nakama_bots.observer import COUNT_NAMES, PURPOSE_PREFIX, SAMPLE_NAMES, FinishedCall
from nakama_bots.results.record.histogram import EncodedHistogram, Histogram
from nakama_bots.results.shapes import ShapeError, check

SCHEMA: Final = "nakama-bots/recorded/1"
OTHER: Final = "(other)"
"""Kind, name and label of the row that counts everything after the limit of rows was reached."""

LIMIT: Final = 500
MOST: Final = 2**63 - 1
"""The largest value of a count or a size."""

SCENARIO: Final = "SCENARIO"
USER: Final = "USER"
FAULTS: Final = (SCENARIO, USER)
"""Kinds of error rows that are not failed calls, named after the scenario: figures that could not be kept,
and users that died."""

_TEXT_LIMIT: Final = 300
_NAME_LIMIT: Final = 500

_SECONDS: Final = "a finite number of seconds"
_WHOLE: Final = "a whole number of at most 64 bits"
_SIZE: Final = "a whole number of bytes, 0 or more"
_NAME: Final = f"a text of 1 to {_NAME_LIMIT} characters, without surrogates"
_ERROR: Final = "None or a CallError"


def no_pause() -> None:
    """The default for ``pause``: do nothing."""


ABANDONED: Final = "abandoned"
OUTCOMES: Final = ("ok", "server_error", "timeout", "closed", ABANDONED, "failed")
"""How a call can end; ``failed`` is every error except the four before it."""

_OUTCOME_OF: Final[dict[type, str]] = {
    ServerError: "server_error",
    RequestTimeout: "timeout",
    ConnectionClosed: "closed",
    Abandoned: ABANDONED,
    CallError: "failed",
}


class RecordedCall(TypedDict):
    """One row of calls; ``outcomes`` holds the failures by outcome, ``bytes`` the payload of all answers.

    ``waited`` as ``CallRow.waited``; missing where no answer was stamped.
    """

    kind: str
    name: str
    ok: EncodedHistogram
    failed: EncodedHistogram
    outcomes: dict[str, int]
    bytes: int
    waited: NotRequired[EncodedHistogram]


def failures_of(call: RecordedCall) -> int:
    """Return the number of failed calls, as ``CallRow.failures``."""
    return sum(call["outcomes"].values()) - call["outcomes"].get(ABANDONED, 0)


class RecordedError(TypedDict):
    """One kind of failure; ``first_seen`` in seconds after the recorder's origin."""

    kind: str
    name: str
    label: str
    count: int
    first_seen: float
    example: str


class Recorded(TypedDict):
    """The content of a recorder: text, numbers, lists and dicts only, for JSON and msgpack."""

    schema: str
    calls: list[RecordedCall]
    samples: dict[str, EncodedHistogram]
    counts: dict[str, int]
    errors: list[RecordedError]


@dataclass(slots=True)
class CallRow:
    """The calls of one kind and name: response times of successful and of failed calls, separately."""

    ok: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)
    outcomes: dict[str, int] = field(default_factory=dict)
    size: int = 0
    waited: Histogram = field(default_factory=Histogram)
    """How long the answers waited to be read, those whose arrival the kernel stamped."""

    @property
    def count(self) -> int:
        return self.ok.count + self.failed.count

    @property
    def failures(self) -> int:
        """The number of failed calls. One that was abandoned because its player was stopped is none."""
        return self.failed.count - self.outcomes.get(ABANDONED, 0)

    def add(self, other: CallRow) -> None:
        self.ok.add(other.ok)
        self.failed.add(other.failed)
        self.size += other.size
        self.waited.add(other.waited)
        for outcome, number in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number


@dataclass(slots=True)
class ErrorRow:
    """The failures of one label. ``example`` is the text of the earliest, ties by text."""

    count: int
    first_seen: float
    example: str

    def add(self, other: ErrorRow) -> None:
        self.count += other.count
        self.first_seen, self.example = min((self.first_seen, self.example), (other.first_seen, other.example))


CallKey = tuple[str, str]
"""Kind and name."""

ErrorKey = tuple[str, str, str]
"""Kind, name and label."""

_K = TypeVar("_K", bound=Hashable)


class _BoundedNames(Generic[_K]):
    """The first ``limit`` keys are kept as long as the recorder lives, later ones become ``other``.

    Our own names in ``reserved`` cannot be displaced by a scenario with an unbounded number of names.
    """

    __slots__ = ("_known", "_limit", "_other", "_reserved")

    def __init__(self, limit: int, other: _K, reserved: Collection[_K] = ()) -> None:
        self._limit = limit
        self._other = other
        self._reserved = frozenset({other, *reserved})
        self._known: set[_K] = set()

    def admit(self, key: _K) -> _K:
        if key not in self._known and key not in self._reserved and not _is_purpose(key):
            if len(self._known) >= self._limit:
                return self._other
            self._known.add(key)
        return key


def _is_purpose(key: object) -> bool:
    """Their number is bounded by the lists of the scenarios."""
    return isinstance(key, str) and key.startswith(PURPOSE_PREFIX)


class Recorder:
    """An ``Observer``. ``origin`` is the start of the run on ``time.perf_counter``; errors are dated from it.

    At most ``limit`` rows each of calls, samples, counts and errors are kept; names after that are counted in
    the row ``OTHER``.

    Invalid values raise ``ScenarioFault``, and nothing of them is recorded: the observer in front of this one
    passes the fault to ``fault``.
    """

    def __init__(self, origin: float, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._series: dict[tuple[str, ...], list[float]] = {}
        self._tallies: dict[str, list[int]] = {}
        self.holders: list[Callable[[], object]] = []
        """Each adds what it holds back. Called before anything is read."""
        self.reset(origin)

    def reset(self, origin: float) -> None:
        """Forget everything and date errors from ``origin`` on."""
        self._clear()
        self.settle()
        self._origin = origin
        self._call_names: _BoundedNames[CallKey] = _BoundedNames(self._limit, (OTHER, OTHER))
        self._sample_names: _BoundedNames[str] = _BoundedNames(self._limit, OTHER, SAMPLE_NAMES)
        self._count_names: _BoundedNames[str] = _BoundedNames(self._limit, OTHER, COUNT_NAMES)
        self._error_names: _BoundedNames[ErrorKey] = _BoundedNames(self._limit, (OTHER, OTHER, OTHER))
        self._clear()

    def _clear(self) -> None:
        self._calls: dict[CallKey, CallRow] = {}
        self._samples: dict[str, Histogram] = {}
        self._counts: dict[str, int] = {}
        self.errors: dict[ErrorKey, ErrorRow] = {}

    @property
    def calls(self) -> dict[CallKey, CallRow]:
        self.settle()
        return self._calls

    @property
    def samples(self) -> dict[str, Histogram]:
        self.settle()
        return self._samples

    @property
    def counts(self) -> dict[str, int]:
        self.settle()
        return self._counts

    def settle(self) -> None:
        """Record what is held back. Whoever holds calls back or uses ``series`` calls it now and then."""
        for add in self.holders:
            add()
        for names, values in self._series.items():
            if values:
                for name in names:
                    self._sample_row(name).record_all(values)
                values.clear()
        for name, numbers in self._tallies.items():
            if numbers:
                self.count(name, sum(numbers))
                numbers.clear()

    def series(self, *names: str) -> Callable[[float], object]:
        """Return a function that samples one duration under each of ``names``, which must be valid.

        For what happens thousands of times a second: it records when ``settle`` is called. Only finite numbers.
        """
        return self._series.setdefault(names, []).append

    def tally(self, name: str) -> Callable[[int], object]:
        """Return a function that counts under ``name``, which must be valid, when ``settle`` is called."""
        return self._tallies.setdefault(name, []).append

    def add_calls(self, key: CallKey, times: list[float], waits: list[float], size: int) -> None:
        """Count successful calls of a valid kind and name: their times, known waits, and bytes in total."""
        row = self._call_row(key)
        row.ok.record_all(times)
        row.waited.record_all(waits)
        row.size += size

    def call(self, call: FinishedCall) -> None:
        """Count one finished call (``Observer.call``). Raises ``ScenarioFault`` for invalid values."""
        kind, name, started, elapsed, size, error, waited, _ = call
        if type(size) is not int or not 0 <= size <= MOST:
            size = _whole(f"the size of call {_what(name)}", size, 0, _SIZE)
        if error is not None and not isinstance(error, CallError):
            raise ScenarioFault(f"the error of call {_what(name)}", error, _ERROR)
        try:
            seen = started + elapsed - self._origin
            if waited is not None and not isfinite(waited):
                raise ValueError  # before anything of the call is recorded
            row = self._calls.get((kind, name)) or self._new_call_row(kind, name, elapsed)
            (row.ok if error is None else row.failed).record(elapsed)
            if waited is not None:
                row.waited.record(waited)
        except (TypeError, ValueError, OverflowError):
            for text in (kind, name):
                _checked("the kind and the name of a call", text)
            times = elapsed if waited is None else (elapsed, waited)
            raise ScenarioFault(f"the time of call {_what(name)}", times, _SECONDS) from None
        row.size += size
        if error is None:
            return
        outcome = outcome_of(error)
        row.outcomes[outcome] = row.outcomes.get(outcome, 0) + 1
        if outcome != ABANDONED:
            self._failure(self._call_names.admit((kind, name)), seen if isfinite(seen) else 0.0, error)

    def _failure(self, key: CallKey, seen: float, error: CallError) -> None:
        label = _short(error.label)
        row = self.errors.get((*key, label))
        if row is not None and row.first_seen < seen:
            # With many failures, do not build texts that are not kept.
            row.count += 1
        else:
            self._add_error((*key, label), ErrorRow(1, seen, _short(without_secrets(str(error)))))

    def sample(self, name: str, seconds: float) -> None:
        """Count one measured duration (``Observer.sample``). Raises ``ScenarioFault`` for invalid values."""
        try:
            (self._samples.get(name) or self._new_sample_row(name, seconds)).record(seconds)
        except (TypeError, ValueError, OverflowError):
            _checked("the name of a sample", name)
            raise ScenarioFault(f"sample {_what(name)}", seconds, _SECONDS) from None

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter (``Observer.count``). Raises ``ScenarioFault`` for invalid values."""
        if type(number) is not int:
            number = _whole(f"count {_what(name)}", number, -MOST, _WHOLE)
        counts = self._counts
        try:
            total = counts[name] + number
        except (KeyError, TypeError):
            name = self._count_names.admit(_checked("the name of a count", name))
            total = counts.get(name, 0) + number
        if not -MOST <= total <= MOST:
            raise ScenarioFault(f"count {_what(name)}", number, _WHOLE)
        counts[name] = total

    def fault(self, kind: str, scenario: str, label: str, example: str, now: float) -> None:
        """Record a fault of ``scenario``, one of ``FAULTS``, at ``now`` (``time.perf_counter``)."""
        row = ErrorRow(1, now - self._origin, _short(without_secrets(example)))
        self._add_error((kind, _short(scenario), _short(without_secrets(label))), row)

    def _new_call_row(self, kind: str, name: str, elapsed: float) -> CallRow:
        key = checked_key(kind, name)
        Histogram().record(elapsed)  # what cannot be kept leaves no empty row
        return self._call_row(key)

    def _new_sample_row(self, name: str, seconds: float) -> Histogram:
        name = _checked("the name of a sample", name)
        Histogram().record(seconds)
        return self._sample_row(name)

    def _call_row(self, key: CallKey) -> CallRow:
        return self._calls.get(key) or self._calls.setdefault(self._call_names.admit(key), CallRow())

    def _sample_row(self, name: str) -> Histogram:
        return self._samples.get(name) or self._samples.setdefault(self._sample_names.admit(name), Histogram())

    def _add_error(self, key: ErrorKey, seen: ErrorRow) -> None:
        key = self._error_names.admit(key)
        row = self.errors.get(key)
        if row is None:
            self.errors[key] = seen
        else:
            row.add(seen)

    def take(self) -> Recorder:
        """Return everything since the last call as a separate recorder; this one starts from empty."""
        self.settle()
        taken = Recorder(self._origin, limit=self._limit)
        taken._calls, taken._samples, taken._counts, taken.errors = (
            self._calls, self._samples, self._counts, self.errors,
        )  # fmt: skip
        self._clear()
        return taken

    def recorded(self, *, folded: bool = True, pause: Callable[[], object] = no_pause) -> Recorded:
        """Return everything since the start or the last drain; ``folded`` as in ``Histogram.encode``.

        ``pause`` is called after each row, for an event loop that must not be blocked; the caller must own the
        recorder meanwhile.
        """
        calls: list[RecordedCall] = []
        for (kind, name), row in self.calls.items():
            call: RecordedCall = {
                "kind": kind,
                "name": name,
                "ok": row.ok.encode(folded=folded),
                "failed": row.failed.encode(folded=folded),
                "outcomes": dict(row.outcomes),
                "bytes": row.size,
            }
            if row.waited.count:
                call["waited"] = row.waited.encode(folded=folded)
            calls.append(call)
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
        """Return everything since the last drain; the recorder starts from empty."""
        return self.take().recorded(folded=False)

    def merge(self, payload: object, *, pause: Callable[[], object] = no_pause) -> int:
        """Add the content of another recorder. Raises ``ShapeError`` for anything else, and then adds nothing.

        ``pause`` is called after each row, for an event loop that must not be blocked. Returns the number of
        calls that were added.
        """
        calls, samples, recorded = _decode(payload, pause)
        added = sum(row.count for _, row in calls)
        for call_key, row in calls:
            self._call_row(call_key).add(row)
            pause()
        for name, histogram in samples:
            self._sample_row(name).add(histogram)
        for name, number in recorded["counts"].items():
            admitted = self._count_names.admit(name)
            # Sums over hours and processes stop at the bound, where a verdict can see it.
            self._counts[admitted] = max(-MOST, min(MOST, self._counts.get(admitted, 0) + number))
        for error in recorded["errors"]:
            key = (error["kind"], error["name"], error["label"])
            self._add_error(key, ErrorRow(error["count"], error["first_seen"], error["example"]))
        return added


def outcome_of(error: CallError) -> str:
    """Return the one of ``OUTCOMES`` for ``error``."""
    return next(_OUTCOME_OF[kind] for kind in type(error).__mro__ if kind in _OUTCOME_OF)


def _short(text: str) -> str:
    text = text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 3] + "..."
    # A lone surrogate, from a file name that is not UTF-8 for example, would make the record unwritable.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _what(name: object) -> str:
    """Format ``name`` for the text of a fault."""
    shown = isinstance(name, str) and len(name) <= _NAME_LIMIT
    return without_secrets(ascii(name)) if shown else "of a name that is none"


def _checked(what: str, name: object) -> str:
    """Return ``name`` as plain text. Raises ``ScenarioFault`` if it is not a valid name."""
    if isinstance(name, str) and 0 < len(name) <= _NAME_LIMIT:
        with suppress(UnicodeEncodeError):
            return name.encode().decode()
    raise ScenarioFault(what, name, _NAME)


def checked_key(kind: object, name: object) -> CallKey:
    """Return the key of a call. Raises ``ScenarioFault`` if its kind or its name is not valid."""
    return _checked("the kind of a call", kind), _checked("the name of a call", name)


def _whole(what: str, value: object, least: int, accepted: str) -> int:
    """Return ``value`` as a plain integer. Raises ``ScenarioFault`` if it is not one."""
    try:
        number = index(cast("SupportsIndex", value))
    except TypeError:
        number = least - 1
    if not least <= number <= MOST:
        raise ScenarioFault(what, value, accepted)
    return number


def _decode(
    payload: object, pause: Callable[[], object]
) -> tuple[list[tuple[CallKey, CallRow]], list[tuple[str, Histogram]], Recorded]:
    schema = payload.get("schema") if isinstance(payload, dict) else None
    if schema != SCHEMA:
        raise ShapeError(f"recorded: the schema {SCHEMA!r} is expected, not {schema!r}")
    check(payload, Recorded, "recorded")
    recorded = cast("Recorded", payload)
    try:
        calls: list[tuple[CallKey, CallRow]] = []
        for call in recorded["calls"]:
            ok, failed = Histogram.decode(call["ok"]), Histogram.decode(call["failed"])
            waited = Histogram.decode(call["waited"]) if "waited" in call else Histogram()
            row = CallRow(ok, failed, call["outcomes"], call["bytes"], waited)
            calls.append(((call["kind"], call["name"]), row))
            pause()
        samples = [(name, Histogram.decode(encoded)) for name, encoded in recorded["samples"].items()]
    except ValueError as error:
        raise ShapeError(f"recorded: {error}") from None
    return calls, samples, recorded
