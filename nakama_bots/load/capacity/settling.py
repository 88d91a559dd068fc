"""Waits after a trial until what it left behind has gone: users, sockets, matches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import gevent
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from nakama_bots.errors import CallError
from nakama_bots.load.figures.intervals import LOCAL, Totals
from nakama_bots.load.process.probe import probe
from nakama_bots.load.run_registry import runner_of
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.results.record import gauges
from nakama_bots.results.record.timeline import Interval
from nakama_bots.session import Session
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

log = logging.getLogger(__name__)

_POLL: Final = 0.2
_MOST_LISTED: Final = 100
"""Nakama lists no more matches at once."""
_OWN_DEVICE: Final = "-capacity-search"


@dataclass(frozen=True, slots=True)
class Settled:
    """``left``: what had not gone in time; ``silent``: processes without figures up to the trial's end;
    ``alive``: the server answers.
    """

    left: Sequence[str]
    silent: Sequence[str]
    alive: bool


class Settling:
    """One per search. Matches that exist at its start are not waited for."""

    def __init__(self, environment: Environment, totals: Totals, target: Target, settings: Settings) -> None:
        self._runner = runner_of(environment)
        self._totals = totals
        self._target = target
        self._settings = settings
        self._latest: dict[str, Interval] = {}
        self._matches = _Matches(target, settings)
        self._matches_before = self._matches.count()
        totals.listeners.append(self._on_interval)

    def close(self) -> None:
        """Stop listening to the run's intervals."""
        self._totals.listeners.remove(self._on_interval)
        self._matches.close()

    def processes(self) -> set[str]:
        """Return the sources of the processes that have users now."""
        runner = self._runner
        if not isinstance(runner, MasterRunner):
            return {LOCAL}
        return {client.id for client in runner.clients.all if client.state != STATE_MISSING}

    def wait(self, ended: float, limit: float) -> Settled:
        """Wait for up to ``limit`` seconds after a trial that ended at ``ended`` (seconds since 1970)."""
        deadline = perf_counter() + limit
        while (left := self._left(ended)) and perf_counter() < deadline:
            gevent.sleep(_POLL)
        rest = max(0.0, deadline - perf_counter())
        alive = not probe(self._target, self._settings, wait=rest).refusal
        return Settled(left, self._silent(ended), alive)

    def _left(self, ended: float) -> list[str]:
        users = self._runner.user_count
        if users:
            return [f"{users:,} users"]
        silent = self._silent(ended)
        if silent:
            return [f"the last figures of {len(silent)} processes"]
        # An interval that began before the users had left still has them.
        rows = [self._latest[source] for source in self.processes() if source in self._latest]
        left = {
            name: sum(row["gauges"].get(name, 0.0) for row in rows) for name in (gauges.USERS, gauges.SOCKETS)
        }
        if any(left.values()):
            return [f"{number:,.0f} {name}" for name, number in left.items() if number]
        matches = self._matches.count()
        if matches is not None and self._matches_before is not None and matches > self._matches_before:
            return [f"{matches - self._matches_before:,} matches"]
        return []

    def _silent(self, ended: float) -> list[str]:
        return sorted(source for source in self.processes() if self._until(source) < ended)

    def _until(self, source: str) -> float:
        row = self._latest.get(source)
        return row["at"] + row["seconds"] if row is not None else 0.0

    def _on_interval(self, interval: Interval) -> None:
        self._latest[interval["source"]] = interval


class _Matches:
    """The number of matches that the server lists, read by an own account and reported to no observer."""

    def __init__(self, target: Target, settings: Settings) -> None:
        self._transport = GeventTransport(settings.network)
        self._client = Client(
            target, settings.credentials, transport=self._transport, timeouts=settings.timeouts
        )
        self._device = f"{settings.id_prefix}{_OWN_DEVICE}"
        self._session: Session | None = None

    def count(self) -> int | None:
        """Return the number of matches; None if it is unknown, or more than the server lists."""
        try:
            if self._session is None:
                self._session = self._client.authenticate_device(self._device, username=self._device)
            listed = self._client.list_matches(self._session, limit=_MOST_LISTED)
        except CallError as error:
            log.debug("matches cannot be counted: %s", error)
            self._session = None
            return None
        number = len(listed.get("matches") or ())
        return number if number < _MOST_LISTED else None

    def close(self) -> None:
        self._transport.close()
