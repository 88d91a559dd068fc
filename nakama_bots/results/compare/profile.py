"""The data of a run for a comparison: figures by name in blocks of time, from a run folder or a baseline.

Answers of one second wait for the same things, so single samples are not independent; stretches of several
seconds nearly are. A comparison draws whole blocks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, NotRequired, TypedDict

import orjson

from nakama_bots.errors import NakamaError
from nakama_bots.results.files import json_text, reading, write_whole, writing
from nakama_bots.results.record import sparse
from nakama_bots.results.record.recorder import OTHER, CallKey, RecordedCall, failures_of
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import read_summary, read_timeline
from nakama_bots.results.shapes import document
from nakama_bots.results.summary import RunPart, Summary, TargetPart
from nakama_bots.results.timing import timed_by

SCHEMA: Final = "nakama-bots/baseline/1"

SAMPLE: Final = "SAMPLE"
"""The kind under which durations that are not calls are compared."""

BLOCKS: Final = 16
BLOCK_SECONDS: Final = 2.0
"""The shortest block; a run that is longer than ``BLOCKS`` of these has longer blocks."""
FEWEST_BLOCKS: Final = 8


class ProfileError(NakamaError):
    """A run or baseline cannot be compared: the path and why, in one line."""


class NothingToCompare(ProfileError):
    """The run is too short or empty."""


class WindowPart(TypedDict):
    """Seconds that are left out at the start and end of a run, and the rest."""

    warmup: float
    cooldown: float
    seconds: float


class BaselineRow(TypedDict):
    """One kind and name. Each block: the HDR V2 text of the successful calls, and the number of failures."""

    kind: str
    name: str
    count: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    blocks: list[str]
    failed: list[int]


class Baseline(TypedDict):
    """A baseline's file."""

    schema: str
    run: RunPart
    target: TargetPart
    versions: dict[str, str]
    window: WindowPart
    rows: list[BaselineRow]
    timed: NotRequired[dict[str, str]]
    """As ``timed_by``; missing in baselines of earlier versions."""


@dataclass(slots=True)
class Blocks:
    """One name: the filled buckets of its successful calls, and the failures, block by block."""

    ok: list[sparse.Buckets]
    failed: list[int]

    @classmethod
    def empty(cls, number: int) -> Blocks:
        """Return this many empty blocks."""
        return cls([{} for _ in range(number)], [0] * number)

    def add(self, number: int, call: RecordedCall) -> None:
        """Add calls to a block."""
        sparse.add_encoded(self.ok[number], call["ok"])
        self.failed[number] += failures_of(call)

    @property
    def count(self) -> int:
        """The number of successful calls."""
        return sum(sum(block.values()) for block in self.ok)

    @property
    def failures(self) -> int:
        """The number of failed calls."""
        return sum(self.failed)

    @property
    def spread_over(self) -> float:
        """The equivalent number of evenly filled blocks (Kish): 1 if all calls are in one block."""
        counts = [sum(ok.values()) + failed for ok, failed in zip(self.ok, self.failed, strict=True)]
        squares = sum(count**2 for count in counts)
        return sum(counts) ** 2 / squares if squares else 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """A run as a comparison sees it; ``label`` is the path that the user gave."""

    label: str
    run: RunPart
    target: TargetPart
    versions: Mapping[str, str]
    window: WindowPart
    rows: Mapping[CallKey, Blocks] = field(default_factory=dict)
    timed: Mapping[str, str] = field(default_factory=dict)
    """As ``timed_by``."""


def profile_of(
    label: str, summary: Summary, timeline: Timeline, *, warmup: float = 0.0, cooldown: float = 0.0
) -> Profile:
    """Return the profile of a run without its first ``warmup`` and last ``cooldown`` seconds.

    Raises ``NothingToCompare`` if fewer than ``FEWEST_BLOCKS`` blocks are left.
    """
    first, last = timeline.started + warmup, timeline.ended - cooldown
    seconds = last - first
    number = min(BLOCKS, int(seconds / BLOCK_SECONDS))
    if number < FEWEST_BLOCKS:
        msg = (
            f"{label}: too short to be compared: {max(seconds, 0.0):.1f} s without warm-up and cool-down, "
            f"at least {FEWEST_BLOCKS * BLOCK_SECONDS:.0f} s are needed"
        )
        raise NothingToCompare(msg)
    edges = [first + seconds * block / number for block in range(number + 1)]
    return profile_of_periods(label, summary, timeline, list(pairwise(edges)), warmup, cooldown)


def profile_of_periods(
    label: str,
    summary: Summary,
    timeline: Timeline,
    periods: Sequence[tuple[float, float]],
    warmup: float = 0.0,
    cooldown: float = 0.0,
) -> Profile:
    """Return the profile of a run with a block for each of ``periods``, in ascending seconds since 1970."""
    seconds = sum(end - start for start, end in periods)
    window: WindowPart = {"warmup": warmup, "cooldown": cooldown, "seconds": round(seconds, 3)}
    rows: dict[CallKey, Blocks] = {}
    starts = [start for start, _ in periods]
    for interval in timeline.within(periods[0][0], periods[-1][1]):
        middle = interval["at"] + interval["seconds"] / 2
        block = bisect_right(starts, middle) - 1
        if middle > periods[block][1]:
            continue
        for call in interval["recorded"]["calls"]:
            rows.setdefault((call["kind"], call["name"]), Blocks.empty(len(periods))).add(block, call)
        for name, encoded in interval["recorded"]["samples"].items():
            row = rows.setdefault((SAMPLE, name), Blocks.empty(len(periods)))
            sparse.add_encoded(row.ok[block], encoded)
    # What it lumps together differs from run to run.
    rows = {key: rows[key] for key in sorted(rows) if OTHER not in key}
    timed = timed_by(summary.get("timing"))
    return Profile(label, summary["run"], summary["target"], summary["versions"], window, rows, timed)


def read_profile(path: Path, *, warmup: float = 0.0, cooldown: float = 0.0) -> Profile:
    """The profile of a run's folder, or of a baseline's file, which has its own window.

    ``ProfileError``, ``SummaryError`` or ``TimelineError``, one line that begins with the path.
    """
    if path.is_dir():
        return profile_of(str(path), read_summary(path), read_timeline(path), warmup=warmup, cooldown=cooldown)
    with reading(path, ProfileError):
        return _from_baseline(str(path), orjson.loads(path.read_bytes()))


def baseline_of(profile: Profile) -> Baseline:
    """What ``baseline promote`` writes."""
    rows: list[BaselineRow] = []
    for (kind, name), blocks in profile.rows.items():
        found = sparse.percentiles(sparse.merged(blocks.ok), (50.0, 95.0, 99.0))
        p50, p95, p99 = (None if value is None else round(value * 1e3, 3) for value in found)
        rows.append({
            "kind": kind,
            "name": name,
            "count": blocks.count,
            "failures": blocks.failures,
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
            "blocks": [sparse.encode(block) for block in blocks.ok],
            "failed": list(blocks.failed),
        })  # fmt: skip
    return {
        "schema": SCHEMA,
        "run": profile.run,
        "target": profile.target,
        "versions": dict(profile.versions),
        "window": profile.window,
        "rows": rows,
        "timed": dict(profile.timed),
    }


def _from_baseline(label: str, value: object) -> Profile:
    baseline = document(value, Baseline, SCHEMA, ProfileError, "neither a run's folder nor a baseline")
    try:
        rows = {(row["kind"], row["name"]): _blocks(row) for row in baseline["rows"]}
    except ValueError as error:
        msg = f"a damaged baseline ({error})"
        raise ProfileError(msg) from None
    return Profile(
        label, baseline["run"], baseline["target"], baseline["versions"], baseline["window"], rows,
        baseline.get("timed", {}),
    )  # fmt: skip


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file, whole or not at all; ``ProfileError`` when it cannot be written."""
    with writing(path, ProfileError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [json_text(baseline)])


def _blocks(row: BaselineRow) -> Blocks:
    if len(row["blocks"]) != len(row["failed"]) or len(row["blocks"]) < FEWEST_BLOCKS:
        msg = f"{row['kind']} {row['name']}: not the same, sufficient number of blocks and failures"
        raise ValueError(msg)
    return Blocks([sparse.decode(text) if text else {} for text in row["blocks"]], row["failed"])
