"""Compares two servers in one run: two generators take turns, block by block, on one machine.

Anything that slows the machine for minutes slows blocks of both servers, and cancels out when neighbouring
blocks are compared (a lesson of MongoDB's and Mozilla's performance teams). Each pair has a random order, so
that a drift favours neither side.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import gevent

from nakama_bots.errors import NakamaError
from nakama_bots.ops.processes import LOG, generating, run_in, served
from nakama_bots.results.compare.profile import Profile, profile_of_periods
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import read_summary, read_timeline, read_verdict

LEAST_COUNTED: Final = 1.0
"""Fewest seconds of a block that must be left for it to count."""
ENDING: Final = 180.0
"""Seconds that a generator may take in all to start and, after the last block, to write its results."""


class PairedError(NakamaError):
    """A paired run failed or cannot be compared: one line that says why."""


@dataclass(frozen=True, slots=True)
class PairedPlan:
    """``rounds`` pairs of blocks of ``block`` seconds each, of which the first ``settle`` are not counted."""

    rounds: int = 12
    block: float = 20.0
    settle: float = 5.0
    seed: int = 1

    @property
    def seconds(self) -> float:
        """The total length in seconds."""
        return 2 * self.rounds * self.block

    def turns(self, side: int) -> list[int]:
        """Return the blocks, counted from 0, of ``side`` (0 or 1): one of every two."""
        generator = random.Random(self.seed)
        first = [generator.randrange(2) for _ in range(self.rounds)]
        return [2 * number + (side != begins) for number, begins in enumerate(first)]

    def load(self, side: int, users: int) -> str:
        """Return the load profile of one side: ``users`` in its turns, none in between."""
        turns = set(self.turns(side))
        targets = [users if number in turns else 0 for number in range(2 * self.rounds)]
        stages = [f"{target}/0s,{target}/{self.block:g}s" for target in targets]
        return f"stages:{','.join(stages)}"

    def periods(self, side: int, starts: tuple[float, float]) -> list[tuple[float, float]]:
        """Return the periods that count for one side, in seconds since 1970; generators started at ``starts``.

        Times where the turns of both overlap, because they did not start together, are left out.
        """
        first, last = min(starts), max(starts)
        return [
            (last + number * self.block + self.settle, first + (number + 1) * self.block)
            for number in self.turns(side)
        ]


class PairedRun:
    """Runs ``plan`` against two servers; ``locust`` are the arguments that choose locustfile and scenario.

    A server is a URL, or a command with ``{port}`` in it that is started and ended here.
    """

    def __init__(
        self, servers: tuple[str, str], plan: PairedPlan, users: int, locust: Sequence[str], reports: Path
    ) -> None:
        self._servers = servers
        self._plan = plan
        self._users = users
        self._locust = tuple(locust)
        self._reports = reports

    def run(self, on_progress: Callable[[float], object]) -> tuple[Profile, Profile]:
        """The profiles of both, with a block for each pair; ``on_progress`` gets the seconds that are done."""
        folders = [self._reports / side for side in ("old", "new")]
        with ExitStack() as stack:
            urls = [stack.enter_context(served(server)) for server in self._servers]
            loads = [self._plan.load(side, self._users) for side in range(2)]
            generators = [
                stack.enter_context(generating(url, folder, [*self._locust, "--nakama-load", load]))
                for url, folder, load in zip(urls, folders, loads, strict=True)
            ]
            started, limit = monotonic(), self._plan.seconds + ENDING
            while any(generator.poll() is None for generator in generators):
                elapsed = monotonic() - started
                if elapsed > limit:
                    msg = f"the generators have not ended within {limit:.0f} s: see the logs in {self._reports}"
                    raise PairedError(msg)
                on_progress(min(elapsed, self._plan.seconds))
                gevent.sleep(0.5)
        return self._profiles(list(map(_result, folders, generators)))

    def _profiles(self, folders: Sequence[Path]) -> tuple[Profile, Profile]:
        old, new = map(read_timeline, folders)
        starts = (old.started, new.started)
        apart, plan = abs(starts[0] - starts[1]), self._plan
        if apart + plan.settle + LEAST_COUNTED > plan.block:
            msg = f"the generators started {apart:.1f} s apart, which leaves too little of {plan.block:g} s"
            raise PairedError(msg)

        def profile(side: int, timeline: Timeline) -> Profile:
            folder, periods = folders[side], plan.periods(side, starts)
            return profile_of_periods(
                f"{folder} ({self._servers[side]})", read_summary(folder), timeline, periods
            )

        return profile(0, old), profile(1, new)


def _result(folder: Path, generator: subprocess.Popen[bytes]) -> Path:
    """The folder of its run; ``PairedError`` when there is none or its figures prove nothing."""
    run = run_in(folder)
    if run is None:
        msg = f"the generator wrote no results (exit code {generator.returncode}): see {folder / LOG}"
        raise PairedError(msg)
    verdict = read_verdict(run)
    if verdict["verdict"] == "invalid":
        msg = f"{run}: the run is invalid: {'; '.join(verdict['why'])}"
        raise PairedError(msg)
    return run
