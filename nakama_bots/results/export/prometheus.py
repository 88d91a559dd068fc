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
from nakama_bots.results.export.series import Distribution, Labels, RunState, metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "nakama_bots_"

_PART: Final = 100
"""Samples that are built and written as text in one go: about a millisecond."""
_HEADER_LINES: Final = 2
_SUFFIXES: Final = {"": "", "s": "_seconds", "By": "_bytes", "{core}": "", "1": "_ratio"}


def pages(figures: Figures[Durations], state: RunState) -> Iterator[bytes]:
    """Return the whole page in parts; other code may run between two of them.

    Each part takes about a millisecond. The figures of all calls are of the same moment.
    """
    name = ""
    for metric in _families(figures, state):
        samples = metric.samples
        for first in range(0, len(samples), _PART):
            metric.samples = samples[first : first + _PART]
            part = generate_latest(_One(metric))
            if metric.name == name:
                part = part.split(b"\n", _HEADER_LINES)[_HEADER_LINES]
            name = metric.name
            yield part


def _families(figures: Figures[Durations], state: RunState) -> Iterator[Metric]:
    """Return every metric; a large histogram comes in several parts, one behind the other."""
    for metric in metrics(figures, state):
        if isinstance(metric, Distribution):
            yield from _histograms(metric)
            continue
        kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
        family = kind(PREFIX + metric.name + _SUFFIXES[metric.unit], metric.help, labels=metric.labels)
        for labels, value in metric.points:
            family.add_metric(labels, value)
        yield family


@dataclass(frozen=True, slots=True)
class _One:
    """A registry of one metric."""

    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


def _histograms(metric: Distribution[Durations]) -> Iterator[Metric]:
    def new() -> HistogramMetricFamily:
        return HistogramMetricFamily(f"{PREFIX}{metric.name}_seconds", metric.help, labels=metric.labels)

    family = new()
    for labels, durations in metric.points:
        _add_histogram(family, labels, durations)
        if len(family.samples) >= _PART:
            yield family
            family = new()
    yield family


def _add_histogram(family: HistogramMetricFamily, labels: Labels, durations: Durations) -> None:
    counted, buckets = 0, []
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), durations.counts, strict=True):
        counted += number
        buckets.append((bound, float(counted)))
    family.add_metric(labels, buckets, durations.total_us / 1e6)
