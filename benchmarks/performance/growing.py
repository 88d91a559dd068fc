"""How many players at 10 Hz a Locust run of this project holds, in one process and in two: a part of F.

Each step is a run of ``scenarios/relayed_match.py``. It holds if the ticks of the whole run, its start
included, were on time, and the run's own verdict on its generator is good.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import urlsplit

from benchmarks.performance.running import LEAST, PREFIX, ROOT, ended, environment, last_words
from benchmarks.performance.works import SEND_PER_PLAYERS, SPAWN_RATE

FIRST: Final = 1000
STEP: Final = 500
LEAST_PLAYERS: Final = 200
MOST: Final = {1: 2000, 2: 4000}
"""Players of the last step, by processes."""
LATENESS_MS: Final = 20.0
STEADY: Final = 10.0
_RATE: Final = 10.0


class Step(TypedDict):
    """``why`` it did not hold, or ""; the lateness is None if the run left no figures."""

    players: int
    lateness_p99_ms: float | None
    cpu: float | None
    why: str


def grown(url: str, server_key: str, processes: int, most: int, until: float) -> list[Step]:
    """Run step after step to the first that does not hold, or until ``until``; if the first one, half of it."""
    players = min(FIRST, most)
    steps: list[Step] = []
    while LEAST_PLAYERS <= players <= most and time.monotonic() < until:
        steps.append(_step(url, server_key, processes, players))
        if held(steps):
            if steps[-1]["why"] or players < FIRST:
                break
            players += STEP
        else:
            players = players // 2 // SEND_PER_PLAYERS * SEND_PER_PLAYERS
    return steps


def held(steps: Sequence[Step]) -> int | None:
    """Return the most players that were held; None if no step was."""
    return max((step["players"] for step in steps if not step["why"]), default=None)


def _step(url: str, server_key: str, processes: int, players: int) -> Step:
    step: Step = {"players": players, "lateness_p99_ms": None, "cpu": None, "why": ""}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as reports, tempfile.TemporaryFile() as stderr:
        command = [
            sys.executable, "-m", "locust", "-f", "scenarios/relayed_match.py", "--headless", "--only-summary",
            "-u", str(players), "-r", str(SPAWN_RATE), "--run-time", f"{players / SPAWN_RATE + STEADY:.0f}s",
            "--stop-timeout", "10", "--host", url, "--nakama-live", "off", "--nakama-reports", reports,
            "--nakama-match-seconds", "3600", "--nakama-tick-rate", f"{_RATE:g}", "--nakama-id-prefix", PREFIX,
            "--nakama-confirm-target", urlsplit(url).hostname or "", "--nakama-wait-for-server", "30",
            *(("--processes", str(processes)) if processes > 1 else ()),
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(server_key), stdout=subprocess.DEVNULL, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
        with ended(process), suppress(subprocess.TimeoutExpired):
            process.wait(players / SPAWN_RATE + STEADY + 90)
        found = list(Path(reports).glob("*/summary.json"))
        if not found:
            step["why"] = f"no summary, exit code {process.returncode}: {last_words(stderr)}"
            return step
        summary = json.loads(found[0].read_bytes())
    step["lateness_p99_ms"] = summary["ticks"]["lateness_ms"].get("p99")
    step["cpu"] = sum(one["figures"]["cpu"]["mean"] for one in summary["health"]["processes"])
    step["why"] = _why(summary, players)
    return step


def _why(summary: dict[str, object], players: int) -> str:
    """Return why a step with ``summary`` does not hold, or ""."""
    ticks, health = summary["ticks"], summary["health"]
    assert isinstance(ticks, dict)
    assert isinstance(health, dict)
    planned = players * _RATE * STEADY
    p99 = ticks["lateness_ms"].get("p99")
    if ticks["sent"] < LEAST * planned or p99 is None:
        return f"did less: {ticks['sent']:,} of {planned:,.0f} ticks"
    if not health["valid"]:
        return str(health["reasons"][0])
    return f"tick lateness p99 {p99:.1f} ms" if p99 >= LATENESS_MS else ""
