"""The shape of a capacity search's answer: ``capacity.json``, and ``capacity`` in a run's summary."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypedDict

SCHEMA: Final = "nakama-bots/capacity/1"

PLAYERS: Final = "players"
ARRIVALS: Final = "arrivals"
UNITS: Final = {PLAYERS: "players", ARRIVALS: "arrivals/s"}
"""What a load is, and its unit for display."""


class Cause(StrEnum):
    """Why a trial is invalid."""

    GENERATOR = "generator"
    """It could not produce the load."""
    FIGURES = "figures"
    """They are missing or prove nothing."""
    TARGET = "target"
    """It may not be judged."""
    UNREACHABLE = "unreachable"
    """Nothing answers there."""


class Bound(StrEnum):
    """What the answer is."""

    INTERVAL = "interval"
    AT_LEAST = "at least"
    BELOW = "below"


class CurvePart(TypedDict):
    """One kind and name at one load; times in milliseconds, ``rate`` in calls per second."""

    kind: str
    name: str
    rate: float
    failures: int
    p50: float | None
    p95: float | None
    p99: float | None


class SamplePart(TypedDict):
    """One duration that is not a call, at one load; times in milliseconds."""

    name: str
    count: int
    p50: float | None
    p95: float | None
    p99: float | None


class TrialRulePart(TypedDict):
    """One rule of the gate at one load; ``measured`` and ``limit`` in ``unit``, as in ``verdict.json``."""

    name: str
    outcome: str
    measured: float | None
    limit: float
    unit: str


class TrialPart(TypedDict):
    """One trial.

    ``outcome`` is passed, failed or invalid; ``rule`` is the first rule that failed, "" for none. An invalid
    trial says nothing about the server and is not counted; ``cause`` is why ("" for the others): ``generator``,
    ``figures``, ``target`` or ``unreachable``. ``rate`` is successful calls per second, ``gauges`` are means;
    all figures are of the measured part. ``left`` is what had not gone when the time to settle was over.
    ``at_s`` is its start in seconds of the search, ``seconds`` its length with warm-up and settling. ``folder``
    is that of its own run, "" if it was a part of one.
    """

    load: int
    outcome: str
    cause: str
    rule: str
    why: list[str]
    processes: int
    at_s: float
    seconds: float
    rate: float
    calls: list[CurvePart]
    samples: list[SamplePart]
    rules: list[TrialRulePart]
    gauges: dict[str, float]
    left: list[str]
    folder: str


class UslPart(TypedDict):
    """The Universal Scalability Law; ``peak`` is null where throughput grows without end.

    ``r2`` is the share of the variance of the throughput that it explains.
    """

    lam: float
    contention: float
    coherency: float
    r2: float
    peak: float | None


class CapacityPart(TypedDict):
    """The answer. ``unit`` of the loads is ``players`` or ``arrivals`` (a second).

    ``bound`` says what the value is: ``interval``, ``at least`` (no trial failed) or ``below`` (none passed);
    without a counted trial ``value``, ``low`` and ``high`` are null. ``low`` and ``high`` are the 90 %
    interval. ``required`` is what the user asked for. ``generator_limit`` is the least load that the generator
    could not run, ``generator_why`` how. ``ended`` is why the search ended; ``operating_point`` leaves the
    headroom free.
    """

    schema: str
    target: str
    unit: str
    searched_from: int
    searched_to: int
    bound: str
    value: float | None
    low: float | None
    high: float | None
    required: int | None
    operating_point: int | None
    generator_limit: int | None
    generator_why: str
    broke_first: str
    ended: str
    seconds: float
    usl: UslPart | None
    trials: list[TrialPart]
