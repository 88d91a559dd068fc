"""A run's figures as Prometheus metrics, in the text format. Pure.

Names follow the conventions of Prometheus: base units, ``_total`` for what only grows. Labels are names of
messages, routes, counts and processes, each of a bounded number; never an id, a user or a text of the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest

from nakama_bots import observer
from nakama_bots.ledger import LEDGER_COUNTS, LEDGER_PREFIX
from nakama_bots.results.export.figures import BOUNDS, Durations, Figures
from nakama_bots.results.record.gauges import GAUGES
from nakama_bots.results.record.timeline import SERVER_PREFIX

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "nakama_bots_"
VERDICTS: Final = ("passed", "failed", "invalid")

LABEL_LENGTH: Final = 120
"""Characters of a label; a longer name ends in a hash, so that two names never have the same label."""
_PART: Final = 100
"""Samples that are built and written as text in one go: about a millisecond."""
_HEADER_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of the run besides its figures. ``started`` in seconds since 1970, 0 before the first.

    ``verdict`` is one of ``VERDICTS``: what it would be if the run ended now, or what it was.
    """

    scenario: str = ""
    target: str = ""
    is_emulator: bool = False
    version: str = ""
    started: float = 0.0
    active: bool = False
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class _Family:
    """Counts that are one metric. ``of`` maps the name of each count to its value of ``label``."""

    name: str
    help: str
    label: str
    of: Mapping[str, str]


def _deliveries(*fields: str) -> dict[str, str]:
    return {
        f"{observer.delivery_total(kind)}_{field}": f"{kind} {field}"
        for kind in observer.DELIVERY_KINDS
        for field in fields
    }


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

_DELIVERIES: Final = _deliveries(*observer.DELIVERY_FIELDS)
_COUNTED: Final = frozenset(name for family in COUNTED for name in family.of) | frozenset(_DELIVERIES)
_UNITS: Final = {"": "", "s": "_seconds", "bytes": "_bytes", "cores": "_cores"}
_SHARES: Final = {"loop_busy"}
_SERVER_UNITS: Final = {"memory": "_bytes", "cpu": "_cores"}
_QUANTILES: Final = {"_p50": "0.5", "_p95": "0.95", "_p99": "0.99"}


def pages(figures: Figures, state: RunState) -> Iterator[bytes]:
    """Return the whole page in parts; other code may run between two of them.

    Each part takes about a millisecond. The figures of all calls are of the same moment.
    """
    name = ""
    for metric in metrics(figures, state):
        samples = metric.samples
        for first in range(0, len(samples), _PART):
            metric.samples = samples[first : first + _PART]
            part = generate_latest(_One(metric))
            if metric.name == name:
                part = part.split(b"\n", _HEADER_LINES)[_HEADER_LINES]
            name = metric.name
            yield part


def metrics(figures: Figures, state: RunState) -> Iterator[Metric]:
    """Return every metric that has a sample; a large one comes in several parts, one behind the other."""
    yield from _state(state)
    yield from _calls(figures)
    yield from _samples(figures)
    yield from _counts(figures.counts)
    yield from _processes(figures)
    yield from _server(figures.server)
    folded = CounterMetricFamily(
        f"{PREFIX}folded_names", "1 for what had more names than have series of their own.", labels=["of"]
    )
    for what in figures.folded:
        folded.add_metric([what], 1)
    yield from _some(folded)


@dataclass(frozen=True, slots=True)
class _One:
    """A registry of one metric."""

    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


def _some(*families: Metric) -> Iterator[Metric]:
    return (family for family in families if family.samples)


def _label(value: str) -> str:
    if len(value) <= LABEL_LENGTH:
        return value
    end = "..." + hashlib.blake2s(value.encode(), digest_size=4).hexdigest()
    return value[: LABEL_LENGTH - len(end)] + end


def _state(state: RunState) -> Iterator[Metric]:
    if not state.started:
        return
    info = InfoMetricFamily(f"{PREFIX}run", "The run in progress, or the last one.")
    info.add_metric([], {
        "scenario": _label(state.scenario),
        "target": _label(state.target),
        "emulator": str(state.is_emulator).lower(),
        "version": state.version,
    })  # fmt: skip
    started = GaugeMetricFamily(f"{PREFIX}run_start_time_seconds", "When the run started, since 1970.")
    started.add_metric([], state.started)
    active = GaugeMetricFamily(f"{PREFIX}run_active", "1 during the run.")
    active.add_metric([], int(state.active))
    verdict = GaugeMetricFamily(
        f"{PREFIX}run_verdict", "1 for what the verdict would be now, or was at the end.", labels=["verdict"]
    )
    if state.verdict:
        for name in VERDICTS:
            verdict.add_metric([name], int(name == state.verdict))
    yield from _some(info, started, active, verdict)


def _calls(figures: Figures) -> Iterator[Metric]:
    labels = ["kind", "name"]
    calls = [([_label(kind), _label(name)], call.copy()) for (kind, name), call in figures.calls.items()]
    ended = CounterMetricFamily(
        f"{PREFIX}calls", "Calls that ended: messages with a cid, requests, awaited pushes.",
        labels=[*labels, "outcome"],
    )  # fmt: skip
    received = CounterMetricFamily(f"{PREFIX}call_received_bytes", "Payloads of the answers.", labels=labels)
    for of, call in calls:
        ended.add_metric([*of, "ok"], call.ok.count)
        for outcome, number in sorted(call.outcomes.items()):
            ended.add_metric([*of, outcome], number)
        received.add_metric(of, call.bytes)
    errors = CounterMetricFamily(f"{PREFIX}errors", "Failures by class.", labels=[*labels, "error"])
    for key, number in figures.errors.items():
        errors.add_metric([_label(part) for part in key], number)
    yield from _some(ended, received, errors)
    yield from _histograms(
        lambda: HistogramMetricFamily(
            f"{PREFIX}call_duration_seconds", "From the send to the answer.", labels=[*labels, "result"]
        ),
        (
            ([*of, result], durations)
            for of, call in calls
            for result, durations in (("ok", call.ok), ("failed", call.failed))
        ),
    )
    yield from _histograms(
        lambda: HistogramMetricFamily(
            f"{PREFIX}call_waited_seconds",
            "How long the answer waited in the generator to be read.",
            labels=labels,
        ),
        ((of, call.waited) for of, call in calls),
    )


def _samples(figures: Figures) -> Iterator[Metric]:
    samples = [([_label(name)], durations.copy()) for name, durations in figures.samples.items()]
    return _histograms(
        lambda: HistogramMetricFamily(
            f"{PREFIX}sample_duration_seconds",
            "Durations that are no calls, such as tick_lateness and delivery.",
            labels=["name"],
        ),
        samples,
    )


def _histograms(
    new: Callable[[], HistogramMetricFamily], rows: Iterable[tuple[list[str], Durations]]
) -> Iterator[Metric]:
    """Return a family in parts: ``rows`` are labels and durations, those without any are left out."""
    family = new()
    for labels, durations in rows:
        if durations.count:
            _add_histogram(family, labels, durations)
        if len(family.samples) >= _PART:
            yield family
            family = new()
    yield from _some(family)


def _add_histogram(family: HistogramMetricFamily, labels: list[str], durations: Durations) -> None:
    counted, buckets = 0, []
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), durations.counts, strict=True):
        counted += number
        buckets.append((bound, float(counted)))
    family.add_metric(labels, buckets, durations.total_us / 1e6)


def _counts(counts: Mapping[str, int]) -> Iterator[Metric]:
    for family in COUNTED:
        metric = CounterMetricFamily(PREFIX + family.name, family.help, labels=[family.label])
        for name, value in family.of.items():
            if name in counts:
                metric.add_metric([value], counts[name])
        yield from _some(metric)
    deliveries = CounterMetricFamily(
        f"{PREFIX}deliveries", "Messages between players: expected ones, and how they ended.",
        labels=["kind", "state"],
    )  # fmt: skip
    for name, kind_and_state in _DELIVERIES.items():
        if name in counts:
            deliveries.add_metric(kind_and_state.split(" "), counts[name])
    others = CounterMetricFamily(f"{PREFIX}counts", "All other counts by name.", labels=["name"])
    for name, number in list(counts.items()):
        if name not in _COUNTED:
            others.add_metric([_label(name)], number)
    yield from _some(deliveries, others)


def _processes(figures: Figures) -> Iterator[Metric]:
    processes = figures.current()
    for gauge in GAUGES.values():
        unit = "_ratio" if gauge.name in _SHARES else _UNITS[gauge.unit]
        meaning = gauge.meaning[0].upper() + gauge.meaning[1:]
        metric = GaugeMetricFamily(f"{PREFIX}{gauge.name}{unit}", f"{meaning}.", labels=["process"])
        for source, values in processes.items():
            if gauge.name in values:
                metric.add_metric([_label(source)], values[gauge.name])
        yield from _some(metric)


def _server(values: Mapping[str, float]) -> Iterator[Metric]:
    """The target's own metrics as they were last read; the run shows them beside its own figures."""
    families: dict[str, GaugeMetricFamily] = {}
    for full, value in sorted(values.items()):
        name, quantile = full.removeprefix(SERVER_PREFIX), ""
        if name[-4:] in _QUANTILES:
            name, quantile = name[:-4], _QUANTILES[name[-4:]]
        unit = "_seconds" if quantile else _SERVER_UNITS.get(name, "")
        if name not in families:
            families[name] = GaugeMetricFamily(
                f"{PREFIX}server_{name}{unit}",
                f"The server's own figure {name}, as last read.",
                labels=["quantile"] if quantile else None,
            )
        families[name].add_metric([quantile] if quantile else [], value)
    yield from families.values()
