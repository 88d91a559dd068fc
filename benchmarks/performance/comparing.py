"""Runs the contestants of all works in rounds: a first round of everything, then a second one of everything."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.performance.accounts import create_accounts
from benchmarks.performance.growing import MOST, Step, grown
from benchmarks.performance.running import Job, Outcome, measured
from benchmarks.performance.works import OURS, Contestant, Work


@dataclass(slots=True)
class Comparison:
    """The plan of a comparison, and its outcomes: ``raw`` by work and contestant, ``steps`` by processes.

    ``players``: the most of a work, 0 for its own number. After ``minutes`` no further measurement starts.
    """

    works: Sequence[Work]
    contestants: Sequence[Contestant]
    url: str
    server_key: str
    is_emulator: bool
    seconds: float
    rounds: int
    players: int
    minutes: float
    installed: dict[str, str]
    raw: dict[str, dict[str, list[Outcome]]] = field(default_factory=dict)
    steps: dict[int, list[Step]] = field(default_factory=dict)
    load: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Measure everything."""
        self.load.append(os.getloadavg()[0])
        until = time.monotonic() + self.minutes * 60
        for work in self.works:
            self.raw[work.key] = {one.name: [] for one in self.contestants if work.key in one.works}
            if work.base:
                create_accounts(self.url, self.server_key, self._players(work))
        for number in range(self.rounds):
            for work in self.works:
                if number < work.most_rounds:
                    self._round(number, work, until)
            if number == 0:
                self._grow(until)
        self.load.append(os.getloadavg()[0])

    def _round(self, number: int, work: Work, until: float) -> None:
        for one in self.contestants:
            if one.name in self.raw[work.key]:
                outcome = self._outcome(work, one, until)
                self.raw[work.key][one.name].append(outcome)
                print(f"round {number + 1} {work.key} {one.name:<17} {_described(work, outcome)}", flush=True)

    def _outcome(self, work: Work, one: Contestant, until: float) -> Outcome:
        if work.real and self.is_emulator:
            return {"failed": "only on a real server: the emulator is too slow for it"}
        if time.monotonic() > until:
            return {"failed": f"the {self.minutes:g} minutes were over"}
        players = self._players(work)
        base = min(work.base, players // 2)
        job = Job(work.key, self.url, self.server_key, players, base, work.rate, self.seconds)
        return measured(one, work, job, self.installed)

    def _grow(self, until: float) -> None:
        if self.is_emulator or not {OURS} & self.raw.get("F", {}).keys():
            return
        for processes, most in MOST.items():
            players = min(most, self.players or most)
            self.steps[processes] = grown(self.url, self.server_key, processes, players, until)

    def _players(self, work: Work) -> int:
        return min(self.players or work.players, work.players)


def _described(work: Work, outcome: Outcome) -> str:
    if "failed" in outcome:
        return outcome["failed"]
    return ", ".join(
        f"{outcome['figures'][name] / divisor:,.4g} {label}" for name, (label, divisor) in work.units.items()
    )
