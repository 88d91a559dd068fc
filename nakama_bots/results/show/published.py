"""Published figures about Nakama under load, to compare with those of a run.

Heroic Labs: https://heroiclabs.com/docs/nakama/getting-started/benchmarks/ (Tsung). Code Wizards: their report
of two million connected users (Artillery). Figures are comparable only if hardware, players and workload are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from nakama_bots.results.record.histogram import Histogram
from nakama_bots.results.record.recorder import CallKey, Recorder

HEROIC: Final = "Heroic Labs, Tsung on 20 x 3 vCPU, Nakama on 1 node x 1 CPU"
CODE_WIZARDS: Final = "Code Wizards, Artillery on AWS Fargate, one 4-vCPU node of their Nakama"

LOGIN: Final[CallKey] = ("POST", "/v2/account/authenticate/device")
CONNECT: Final[CallKey] = ("WS", "connect")
RPC: Final[CallKey] = ("POST", "/v2/rpc/{id}")
PUSH: Final = "PUSH"

Measure = Callable[[Recorder, float], "float | None"]
"""Computes a figure from what was recorded in a number of seconds; None if the data is missing."""


class PublishedPart(TypedDict):
    """One figure of a published workload; ``measured`` is null if the run lacks the data."""

    workload: str
    figure: str
    unit: str
    published: float
    measured: float | None
    by: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A published number and how a run measures it."""

    workload: str
    figure: str
    unit: str
    published: float
    by: str
    measure: Measure

    def part(self, recorder: Recorder, seconds: float) -> PublishedPart:
        """Return it with what ``recorder`` has, of ``seconds``."""
        measured = self.measure(recorder, seconds)
        return {
            "workload": self.workload, "figure": self.figure, "unit": self.unit, "published": self.published,
            "measured": None if measured is None else round(measured, 3), "by": self.by,
        }  # fmt: skip


def _of(key: CallKey, figure: Callable[[Histogram, float], float | None]) -> Measure:
    """Return a measure of the successful calls under ``key``."""
    return lambda recorder, seconds: figure(recorder.calls[key].ok, seconds) if key in recorder.calls else None


def _count(key: CallKey) -> Measure:
    return _of(key, lambda times, _: float(times.count))


def _rate(key: CallKey) -> Measure:
    return _of(key, lambda times, seconds: times.count / seconds if seconds > 0 else None)


def _mean(key: CallKey) -> Measure:
    return _of(key, lambda times, _: None if times.mean is None else times.mean * 1e3)


def _mean_of_requests(recorder: Recorder, _: float) -> float | None:
    """The mean over all answered requests; a push waits for the next tick of the match and is not a request."""
    rows = [row.ok for (kind, _name), row in recorder.calls.items() if kind != PUSH and row.ok.count]
    count = sum(row.count for row in rows)
    return sum((row.mean or 0.0) * row.count for row in rows) / count * 1e3 if count else None


def _failed(recorder: Recorder, _: float) -> float | None:
    ok = sum(row.ok.count for row in recorder.calls.values())
    failed = sum(row.failures for row in recorder.calls.values())
    return failed / (ok + failed) * 100 if ok + failed else None


FIGURES: Final[tuple[Figure, ...]] = (
    Figure("sockets", "sockets opened and held", "", 19_542, HEROIC, _count(CONNECT)),
    Figure("sockets", "connect, mean", "ms", 34.21, HEROIC, _mean(CONNECT)),
    Figure("register", "accounts created", "/s", 519, HEROIC, _rate(LOGIN)),
    Figure("register", "register, mean", "ms", 24.60, HEROIC, _mean(LOGIN)),
    Figure("authenticate", "logins", "/s", 500, HEROIC, _rate(LOGIN)),
    Figure("authenticate", "authenticate, mean", "ms", 24.61, HEROIC, _mean(LOGIN)),
    Figure("lua_rpc", "calls", "/s", 633, HEROIC, _rate(RPC)),
    Figure("lua_rpc", "RPC in Lua, mean", "ms", 20.22, HEROIC, _mean(RPC)),
    Figure("go_rpc", "calls", "/s", 635, HEROIC, _rate(RPC)),
    Figure("go_rpc", "RPC in Go, mean", "ms", 19.97, HEROIC, _mean(RPC)),
    Figure("match", "all requests, mean", "ms", 15.06, HEROIC, _mean_of_requests),
    Figure("code_wizards", "clients connected", "", 25_000, CODE_WIZARDS, _count(CONNECT)),
    Figure("code_wizards", "accounts created", "/s", 683, CODE_WIZARDS, _rate(LOGIN)),
    Figure("code_wizards", "failed", "%", 0, CODE_WIZARDS, _failed),
)
WORKLOADS: Final = tuple(dict.fromkeys(figure.workload for figure in FIGURES))


def side_by_side(workloads: Sequence[str], recorder: Recorder, seconds: float) -> list[PublishedPart]:
    """Return the published figures of ``workloads`` beside those that ``recorder`` has, of ``seconds``.

    Run one workload at a time: the calls of two workloads cannot be distinguished.
    """
    return [figure.part(recorder, seconds) for figure in FIGURES if figure.workload in workloads]


def with_unit(value: float | None, row: PublishedPart) -> str:
    """Return a figure of ``row`` with its unit, for display."""
    return "-" if value is None else f"{value:,.2f} {row['unit']}".rstrip()
