"""A run's figures in Prometheus' text format. Pure.

Names follow the conventions of Prometheus: base units, ``_total`` for what only grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from nakama_bots.results.export.figures import BOUNDS, Durations, Figures
from nakama_bots.results.export.series import Distribution, Labels, Numbers, RunState, metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "nakama_bots_"

_NUMBERS: Final = 100
_HISTOGRAMS: Final = 6
"""Points that are built and written as text in one go: about a millisecond."""
_HEADER_LINES: Final = 2
_SUFFIXES: Final = {"": "", "s": "_seconds", "By": "_bytes", "{core}": "", "1": "_ratio"}


def pages(figures: Figures[Durations], state: RunState) -> Iterator[bytes]:
    """Return the whole page in parts; other code may run between two of them.

    Each part takes about a millisecond. The figures of all calls are of the same moment.
    """
    name = ""
    for metric in metrics(figures, state, numbers=_NUMBERS, histograms=_HISTOGRAMS):
        part = generate_latest(_One(_family(metric)))
        if metric.name == name:
            part = part.split(b"\n", _HEADER_LINES)[_HEADER_LINES]
        name = metric.name
        yield part


def _family(metric: Numbers | Distribution[Durations]) -> Metric:
    if isinstance(metric, Distribution):
        family = HistogramMetricFamily(f"{PREFIX}{metric.name}_seconds", metric.help, labels=metric.labels)
        for labels, durations in metric.points:
            _add_histogram(family, labels, durations)
        return family
    kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
    numbers = kind(PREFIX + metric.name + _SUFFIXES[metric.unit], metric.help, labels=metric.labels)
    for labels, value in metric.points:
        numbers.add_metric(labels, value)
    return numbers


@dataclass(frozen=True, slots=True)
class _One:
    """A registry of one metric."""

    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


def _add_histogram(family: HistogramMetricFamily, labels: Labels, durations: Durations) -> None:
    counted, buckets = 0, []
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), durations.counts, strict=True):
        counted += number
        buckets.append((bound, float(counted)))
    family.add_metric(labels, buckets, durations.total_us / 1e6)
