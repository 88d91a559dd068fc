"""A run's figures as metrics, whatever they are sent as. Pure.

A name is without the unit and without ``_total``: each export adds its own. Labels are names of
messages, routes, counts and processes, each of a bounded number; never an id, a user or a text of the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeAlias

from nakama_bots import observer
from nakama_bots.exit_codes import Outcome
from nakama_bots.ledger import LEDGER_COUNTS, LEDGER_PREFIX
from nakama_bots.results.export.figures import D, Figures
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.timeline import SERVER_PREFIX
from nakama_bots.results.summary import RunInfo

LABEL_LENGTH: Final = 120
"""Characters of a label; a longer name ends in a hash, so that two names never have the same label."""

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """A metric with a number for each combination of ``labels``: a counter if it ``counts``, else a gauge.

    ``unit`` is in UCUM, as OpenTelemetry has it.
    """

    name: str
    help: str
    points: Sequence[tuple[Labels, float]]
    labels: Labels = ()
    unit: str = ""
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Distribution(Generic[D]):
    """A metric with a histogram, in seconds, for each combination of ``labels``; no point is empty."""

    name: str
    help: str
    points: Sequence[tuple[Labels, D]]
    labels: Labels


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of a run besides its figures; ``info`` is None before the first.

    ``verdict`` is one of ``Outcome``, or "": what it would be if the run ended now, or what it was.
    """

    info: RunInfo | None = None
    active: bool = False
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class _Family:
    """Counts that are one metric. ``of`` maps the name of each count to its value of ``label``."""

    name: str
    help: str
    label: str
    of: Mapping[str, str]


COUNTED: Final = (
    _Family("ticks", "Match-state ticks of the players.", "state",
            {observer.TICKS_SENT: "sent", observer.TICKS_MISSED: "missed"}),
    _Family("match_messages", "Messages of matches.", "direction",
            {observer.MATCH_SENT: "sent", observer.MATCH_RECEIVED: "received"}),
    _Family("chat_messages", "Chat messages.", "direction",
            {observer.CHAT_SENT: "sent", observer.CHAT_RECEIVED: "received"}),
    _Family("matchmaker_tickets", "Matchmaker tickets, from added to joined.", "step",
            {observer.TICKETS_ADDED: "added", observer.TICKETS_MATCHED: "matched",
             observer.TICKETS_CANCELLED: "cancelled", observer.TICKETS_TIMED_OUT: "timed_out",
             observer.TICKETS_JOINED: "joined"}),
    _Family("matches", "Matches of the players.", "step",
            {observer.MATCHES_JOINED: "joined", observer.MATCHES_PLAYED: "played",
             observer.MATCHES_DESERTED: "deserted"}),
    _Family("arrivals", "Arrivals of an open load.", "state",
            {getattr(observer, f"ARRIVALS_{state.upper()}"): state
             for state in ("scheduled", "planned", "started", "dropped", "dropped_late", "dropped_full",
                           "finished", "failed", "cut")}),
    _Family("reconnects", "Players that came back after their connection had ended, or did not.", "result",
            {observer.RECONNECTS: "ok", observer.RECONNECTS_FAILED: "failed"}),
    _Family("cids", "The cid ledger: what became of every request with a cid.", "state",
            {name: name.removeprefix(LEDGER_PREFIX) for name in sorted(LEDGER_COUNTS)}),
)  # fmt: skip
"""Counts with a metric of their own; others are ``nakama_bots_counts_total`` by name."""

_DELIVERIES: Final = {
    f"{observer.delivery_total(kind)}_{state}": (kind, state)
    for kind in observer.DELIVERY_KINDS
    for state in observer.DELIVERY_FIELDS
}
_COUNTED: Final = frozenset(name for family in COUNTED for name in family.of) | frozenset(_DELIVERIES)

# A suffix of the name: a collector adds no unit in braces, which is a comment in UCUM.
_CORES: Final = ("_cores", "{core}")
_UNITS: Final = {"": ("", ""), "s": ("", "s"), "bytes": ("", "By"), "cores": _CORES}
_SHARES: Final = {"loop_busy"}
_SERVER_UNITS: Final = {"memory": ("", "By"), "cpu": _CORES}
_QUANTILES: Final = {"_p50": "0.5", "_p95": "0.95", "_p99": "0.99"}


def metrics(
    figures: Figures[D], state: RunState, *, numbers: int, histograms: int
) -> Iterator[Numbers | Distribution[D]]:
    """Return every metric that has a point, in parts of at most this many points, one behind the other.

    The figures of all calls are of the same moment.
    """
    for metric in _all(figures, state):
        most = histograms if isinstance(metric, Distribution) else numbers
        for first in range(0, len(metric.points), most):
            points: Any = metric.points[first : first + most]
            yield replace(metric, points=points)


def _all(figures: Figures[D], state: RunState) -> Iterator[Numbers | Distribution[D]]:
    yield from _state(state)
    yield from _calls(figures)
    samples = [((_label(name),), durations.copy()) for name, durations in figures.samples.items()]
    yield Distribution(
        "sample_duration", "Durations that are no calls, such as tick_lateness and delivery.",
        [point for point in samples if point[1].count], ("name",),
    )  # fmt: skip
    yield from _counts(figures.counts)
    yield from _processes(figures)
    yield from _server(figures.server)
    yield Numbers(
        "folded_names", "1 for what had more names than have series of their own.",
        [((what,), 1) for what in figures.folded], ("of",), counts=True,
    )  # fmt: skip


def _label(value: str) -> str:
    if len(value) <= LABEL_LENGTH:
        return value
    end = "..." + hashlib.blake2s(value.encode(), digest_size=4).hexdigest()
    return value[: LABEL_LENGTH - len(end)] + end


def _state(state: RunState) -> Iterator[Numbers]:
    run = state.info
    if run is None:
        return
    info = {
        "scenario": _label(run.scenario),
        "target": _label(run.target.http_url),
        "emulator": str(run.is_emulator).lower(),
        "version": run.versions.get("nakama_bots", ""),
    }
    yield Numbers("run_info", "The run in progress, or the last one.", [((*info.values(),), 1)], (*info,))
    yield Numbers(
        "run_start_time", "When the run started, since 1970.", [((), run.started.timestamp())], unit="s"
    )
    yield Numbers("run_active", "1 during the run.", [((), int(state.active))])
    verdicts = [((name.value,), int(name == state.verdict)) for name in Outcome] if state.verdict else []
    yield Numbers(
        "run_verdict", "1 for what the verdict would be now, or was at the end.", verdicts, ("verdict",)
    )


def _calls(figures: Figures[D]) -> Iterator[Numbers | Distribution[D]]:
    labels = ("kind", "name")
    calls = [((_label(kind), _label(name)), call.copy()) for (kind, name), call in figures.calls.items()]
    outcomes = [
        ((*of, outcome), number)
        for of, call in calls
        for outcome, number in (("ok", call.ok.count), *sorted(call.outcomes.items()))
    ]
    yield Numbers(
        "calls", "Calls that ended: messages with a cid, requests, awaited pushes.",
        outcomes, (*labels, "outcome"), counts=True,
    )  # fmt: skip
    received = [(of, call.bytes) for of, call in calls]
    yield Numbers("call_received", "Payloads of the answers.", received, labels, "By", counts=True)
    errors = [(tuple(map(_label, key)), number) for key, number in figures.errors.items()]
    yield Numbers("errors", "Failures by class.", errors, (*labels, "error"), counts=True)
    yield Distribution(
        "call_duration", "From the send to the answer.",
        [((*of, result), durations) for of, call in calls
         for result, durations in (("ok", call.ok), ("failed", call.failed)) if durations.count],
        (*labels, "result"),
    )  # fmt: skip
    yield Distribution(
        "call_waited", "How long the answer waited in the generator to be read.",
        [(of, call.waited) for of, call in calls if call.waited.count], labels,
    )  # fmt: skip


def _counts(counts: Mapping[str, int]) -> Iterator[Numbers]:
    for family in COUNTED:
        points = [((value,), counts[name]) for name, value in family.of.items() if name in counts]
        yield Numbers(family.name, family.help, points, (family.label,), counts=True)
    yield Numbers(
        "deliveries", "Messages between players: expected ones, and how they ended.",
        [(of, counts[name]) for name, of in _DELIVERIES.items() if name in counts],
        ("kind", "state"), counts=True,
    )  # fmt: skip
    yield Numbers(
        "counts", "All other counts by name.",
        [((_label(name),), number) for name, number in counts.items() if name not in _COUNTED],
        ("name",), counts=True,
    )  # fmt: skip


def _processes(figures: Figures[D]) -> Iterator[Numbers]:
    processes = figures.current()
    for gauge in GAUGES.values():
        suffix, unit = ("", "1") if gauge.name in _SHARES else _UNITS[gauge.unit]
        yield Numbers(
            gauge.name + suffix, f"{gauge.meaning[0].upper()}{gauge.meaning[1:]}.",
            [((_label(source),), values[gauge.name])
             for source, values in processes.items() if gauge.name in values],
            ("process",), unit,
        )  # fmt: skip


def _server(values: Mapping[str, float]) -> Iterator[Numbers]:
    """The target's own metrics as they were last read; the run shows them beside its own figures."""
    points: dict[str, list[tuple[Labels, float]]] = {}
    for full, value in sorted(values.items()):
        name, quantile = full.removeprefix(SERVER_PREFIX), ""
        if "." in name:
            continue  # of a game's function, hook or own metric: no series is named after these
        if name[-4:] in _QUANTILES:
            name, quantile = name[:-4], _QUANTILES[name[-4:]]
        points.setdefault(name, []).append(((quantile,) if quantile else (), value))
    for name, found in points.items():
        labels = ("quantile",) if found[0][0] else ()
        suffix, unit = ("", "s") if labels else _SERVER_UNITS.get(name, ("", ""))
        yield Numbers(
            f"server_{name}{suffix}", f"The server's own figure {name}, as last read.", found, labels, unit
        )
