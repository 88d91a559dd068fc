"""Synthetic runs from seeded random numbers: differences between runs, between blocks, and within blocks."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime

from nakama_bots.results.compare.profile import BLOCKS, Blocks, Profile
from nakama_bots.results.record import sparse
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.target import Target

INFO = RunInfo(
    "duel", datetime.fromtimestamp(5.0, UTC), Target("127.0.0.1"), is_emulator=True, users=1, spawn_rate=1.0
)
RUN = {
    "scenario": "duel",
    "started": "2026-03-04T05:06:07.000+00:00",
    "ended": "2026-03-04T05:07:07.000+00:00",
    "duration_s": 60.0,
    "users": 20,
    "spawn_rate": 10.0,
}


def blocks(seed, count, *, shift=1.0, between=0.01, within=0.03, failing=0):
    """Lognormal times around 6.7 ms; those above the 90th percentile are ``shift`` times as long."""
    drawn = _drawn(seed, count, shift, between, within)
    return Blocks([next(drawn) for _ in range(BLOCKS)], [failing] * BLOCKS)


def _drawn(seed, count, shift, between, within):
    """Yield one block after another."""
    generator = random.Random(seed)
    speed = math.exp(generator.gauss(0, between))
    while True:
        pace = speed * math.exp(generator.gauss(0, within))
        block = {}
        for _ in range(count // BLOCKS):
            deviation = generator.gauss(0, 1)
            seconds = 0.0067 * math.exp(deviation / 2) * pace * (shift if deviation > 1.28 else 1.0)
            bucket = sparse.bucket_of(int(seconds * 1e6))
            block[bucket] = block.get(bucket, 0) + 1
        yield block


def pairs(seed, count, *, shift=1.0, drift=0.1):
    """Two servers that take turns on a drifting machine; the tail of the second is ``shift`` times as long."""
    generator = random.Random(f"pairs {seed}")
    sides = ([], [])
    for _ in range(BLOCKS):
        pace = math.exp(generator.gauss(0, drift))
        for side, factor in zip(sides, (1.0, shift), strict=True):
            own = next(_drawn(generator.random(), count, factor, 0, 0.01))
            slowed = {}
            for bucket, number in own.items():
                slower = sparse.bucket_of(int(sparse.highest_in(bucket) * pace))
                slowed[slower] = slowed.get(slower, 0) + number
            side.append(slowed)
    return tuple(Blocks(side, [0] * BLOCKS) for side in sides)


def profile(label, rows, **run):
    window = {"warmup": 0.0, "cooldown": 0.0, "seconds": 60.0}
    target = {"url": "https://game.example.com:443", "is_emulator": False}
    return Profile(label, RUN | run, target, {"nakama_bots": "0.1.0"}, window, rows)
