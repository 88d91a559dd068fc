"""Compares two servers in one run: two generators take turns, block by block, on one machine.

Anything that slows the machine for minutes slows blocks of both servers, and cancels out when neighbouring
blocks are compared (a lesson of MongoDB's and Mozilla's performance teams). Each pair has a random order, so
that a drift favours neither side.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import gevent
import orjson

from nakama_bots.errors import NakamaError
from nakama_bots.ops.processes import running, served
from nakama_bots.results.compare.profile import Profile, profile_of_periods
from nakama_bots.results.run_folder import read_summary, read_timeline

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

    def run(self, on_progress: Callable[[float, float], object]) -> tuple[Profile, Profile]:
        """The profiles of both, with a block for each pair; ``on_progress`` gets seconds done and in all."""
        with ExitStack() as stack:
            urls = [stack.enter_context(served(server)) for server in self._servers]
            generators = [stack.enter_context(self._generator(side, url)) for side, url in enumerate(urls)]
            started, limit = monotonic(), self._plan.seconds + ENDING
            while any(generator.process.poll() is None for generator in generators):
                elapsed = monotonic() - started
                if elapsed > limit:
                    msg = f"the generators have not ended within {limit:.0f} s: see the logs in {self._reports}"
                    raise PairedError(msg)
                on_progress(min(elapsed, self._plan.seconds), self._plan.seconds)
                gevent.sleep(0.5)
        return self._profiles(generators)

    def _profiles(self, generators: Sequence[_Generator]) -> tuple[Profile, Profile]:
        folders = [generator.result() for generator in generators]
        old, new = map(read_timeline, folders)
        starts = (old.started, new.started)
        apart, plan = abs(starts[0] - starts[1]), self._plan
        if apart + plan.settle + LEAST_COUNTED > plan.block:
            msg = f"the generators started {apart:.1f} s apart, which leaves too little of {plan.block:g} s"
            raise PairedError(msg)
        first, second = (
            profile_of_periods(
                f"{folder} ({server})", read_summary(folder), timeline, plan.periods(side, starts)
            )
            for side, (folder, server, timeline) in enumerate(
                zip(folders, self._servers, (old, new), strict=True)
            )
        )
        return first, second

    @contextmanager
    def _generator(self, side: int, url: str) -> Iterator[_Generator]:
        folder = self._reports / ("old", "new")[side]
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "locust.log"
        command = [
            sys.executable, "-m", "locust", *self._locust, "--headless", "--host", url, "--only-summary",
            "--nakama-reports", str(folder), "--nakama-load", self._plan.load(side, self._users),
        ]  # fmt: skip
        with log.open("wb") as output, running(command, output) as process:
            yield _Generator(process, folder, log)


@dataclass(frozen=True, slots=True)
class _Generator:
    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def result(self) -> Path:
        """The folder of its run; ``PairedError`` when there is none or its figures prove nothing."""
        runs = sorted(self.folder.glob("2*/"))
        if not runs:
            msg = f"the generator wrote no results (exit code {self.process.returncode}): see {self.log}"
            raise PairedError(msg)
        verdict = orjson.loads((runs[-1] / "verdict.json").read_bytes())
        if verdict["verdict"] == "invalid":
            msg = f"{runs[-1]}: the run is invalid: {'; '.join(verdict['why'])}"
            raise PairedError(msg)
        return runs[-1]
