"""A sample of single calls, a number per second and process, for details that aggregates do not show.

Each interval keeps a uniform sample (Vitter's algorithm R), so that a busy second is not represented by its
start only. Ids and error texts are not kept: a name, a time and an outcome contain no secret.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from math import isfinite
from typing import Final, TypedDict

import orjson

from nakama_bots.observer import FinishedCall
from nakama_bots.results.files import csv_line
from nakama_bots.results.record.recorder import outcome_of

TOTAL: Final = 1_000_000
"""Most calls that a run keeps."""

COLUMNS: Final = ("second", "source", "kind", "name", "ms", "waited_ms", "bytes", "outcome")


class SampledRequest(TypedDict):
    """One call: ``at`` is its begin in seconds since 1970, ``ms`` its duration, ``bytes`` those of the answer.

    ``waited_ms`` is how long its answer waited in the generator; null: not known.
    """

    at: float
    kind: str
    name: str
    ms: float
    waited_ms: float | None
    bytes: int
    outcome: str


def sampled(call: FinishedCall, offset: float) -> SampledRequest:
    """Return one call; ``offset`` converts ``time.perf_counter`` to seconds since 1970."""
    return {
        "at": call.started + offset,
        "kind": call.kind,
        "name": call.name,
        "ms": round(call.elapsed * 1e3, 3),
        "waited_ms": None if call.waited is None else round(call.waited * 1e3, 3),
        "bytes": call.size,
        "outcome": "ok" if call.error is None else outcome_of(call.error),
    }


class RequestSampler:
    """The sample of one process; ``offset`` as for ``sampled``."""

    __slots__ = ("_kept", "_limit", "_offset", "_random", "_seen")

    def __init__(self, limit: int, offset: float, seed: int) -> None:
        self._limit = limit
        self._offset = offset
        self._random = random.Random(seed)
        self._kept: list[SampledRequest] = []
        self._seen = 0

    def call(self, call: FinishedCall) -> None:
        """Offer a finished call (``Observer.call``) that the recorder has accepted."""
        if not isfinite(call.started):
            return
        place = self._seen
        self._seen += 1
        if place >= self._limit:
            place = self._random.randrange(self._seen)
            if place >= self._limit:
                return
        request = sampled(call, self._offset)
        if place == len(self._kept):
            self._kept.append(request)
        else:
            self._kept[place] = request

    def take(self) -> list[SampledRequest]:
        """Return the sample since the last call."""
        kept, self._kept, self._seen = self._kept, [], 0
        return kept


class RequestLog:
    """The samples of all processes, compressed; at most ``limit`` calls."""

    def __init__(self, limit: int = TOTAL) -> None:
        self._limit = limit
        self._number = 0
        self._packed: list[tuple[str, bytes]] = []

    def __len__(self) -> int:
        return self._number

    def add(self, source: str, requests: list[SampledRequest]) -> None:
        """Keep the calls of one interval."""
        requests = requests[: self._limit - self._number]
        if requests:
            self._number += len(requests)
            self._packed.append((source, zlib.compress(orjson.dumps(requests), 1)))

    def lines(self, started: float) -> Iterator[bytes]:
        """Yield a CSV file, interval by interval; ``second`` counts from ``started``."""
        yield csv_line(COLUMNS)
        for source, packed in self._packed:
            for request in orjson.loads(zlib.decompress(packed)):
                waited = request["waited_ms"]
                yield csv_line((
                    f"{request['at'] - started:.6f}", source, request["kind"], request["name"],
                    f"{request['ms']:.3f}", "" if waited is None else f"{waited:.3f}",
                    request["bytes"], request["outcome"],
                ))  # fmt: skip
