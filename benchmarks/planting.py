"""Plants faults at known moments, as PLANTED asks: the scenario of ``benchmarks.explain``.

``PLANTED`` is the path of a JSON list of ``[fault, seconds]``; the moments are written beside it, one JSON
object per line. The server's latency is a fault of the emulator, on ``status_follow`` and ``GET /v2/account``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import gevent
from gevent.monkey import get_original
from locust import constant, task
from locust.exception import StopUser

from nakama_bots.load import NakamaUser

PAUSE: Final = 2.1
"""Seconds between two faults: each has seconds of the time line to itself."""
LARGE: Final = 900_000
"""Bytes of an answer that does not fit the buffer of a socket that is not read."""

_block = get_original("time", "sleep")


class Other(NakamaUser):
    """A player beside the planted faults."""

    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        """Send one message."""
        self.player.socket.ping_pong()


class Planter(NakamaUser):
    """Plants each fault in turn, and ends the run."""

    fixed_count = 1

    @task
    def plant(self) -> None:
        """Plant all, each with a pause before it."""
        plan = Path(os.environ["PLANTED"])
        socket, player = self.player.socket, self.player
        small, large = (partial(socket.rpc, "blob", str(size)) for size in (10, LARGE))
        calls: dict[str, Callable[[], object]] = {
            "latency, socket": lambda: socket.request("status_follow", {"user_ids": [player.user_id]}),
            "latency, REST": player.api.get_account,
            "stall, socket": small,
            "stall, socket, large answer": large,
            "stall, REST": player.api.list_friends,
            "slow reader": small,
            "slow reader, large answer": large,
        }
        around: dict[str, Callable[[float], AbstractContextManager[object]]] = {
            "latency": nullcontext,
            "stall": self._stalled,
            "slow reader": self._unread,
        }
        small()
        player.api.list_friends()  # opens the connection
        with plan.with_suffix(".jsonl").open("w", encoding="utf-8") as moments:
            for fault, seconds in json.loads(plan.read_text(encoding="utf-8")):
                took = 0.0
                # On a busy machine an answer may be read before the fault begins, or a request sent after it.
                while took < seconds / 2:
                    gevent.sleep(PAUSE)
                    at = time.time()
                    took = _timed(calls[fault], around[fault.partition(",")[0]](seconds))
                moments.write(json.dumps({"fault": fault, "seconds": seconds, "at": at, "took": took}) + "\n")
        gevent.sleep(PAUSE)
        assert self.environment.runner is not None
        gevent.spawn(self.environment.runner.quit)
        raise StopUser

    @contextmanager
    def _stalled(self, seconds: float) -> Iterator[None]:
        """Block the whole process while the answer is under way."""
        yield
        gevent.sleep(0)  # it sends, and waits
        _block(seconds)

    @contextmanager
    def _unread(self, seconds: float) -> Iterator[None]:
        """Do not read this player's socket."""
        self.player.socket.pause_reading()
        yield
        gevent.sleep(seconds)
        self.player.socket.resume_reading()


def _timed(call: Callable[[], object], fault: AbstractContextManager[object]) -> float:
    """Start ``call`` with a fault around it; return the seconds that it took."""

    def timed() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    with fault:
        calling = gevent.spawn(timed)
    return calling.get()
