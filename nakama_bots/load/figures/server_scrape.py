"""Reads the server's metrics every few seconds, and its log at the end. A failure does not fail the run."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, time
from typing import Final

import gevent

from nakama_bots.errors import CallError
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.load.figures.server_machine import (
    DatabaseProbe,
    HostProbe,
    NodeProbe,
    PageReader,
    ServerProbe,
    is_here,
)
from nakama_bots.results.record.timeline import SERVER, gauges_only
from nakama_bots.results.server.log import LimitLog
from nakama_bots.results.server.metrics import ServerMetrics
from nakama_bots.settings.network import Tls
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

log = logging.getLogger(__name__)

_PATH: Final = "/metrics"
_OURS: Final = (errno.EMFILE, errno.ENFILE)
"""Errors of a scrape without an answer of the server."""
_REST: Final = 30.0
"""Seconds for which a probe that failed is not read: one that hangs would delay all reads of the metrics."""

_CHUNK: Final = 1_000_000
"""Bytes of the log that are read before other greenlets run."""


def metrics_url(target: Target) -> str:
    """Return the URL of the metrics of ``target``: the given one, or Prometheus' usual path."""
    return target.http_url if target.path else target.http_url + _PATH


class ServerScraper:
    """Scrapes ``url`` from ``start`` to ``stop``, and reads ``probes`` at the same moments."""

    def __init__(
        self, url: str, interval: float, tls: Tls, totals: Totals, probes: Sequence[ServerProbe] = ()
    ) -> None:
        self.metrics = ServerMetrics(url)
        self._interval = interval
        self._page = PageReader(Target.parse(url), tls)
        self._probes = tuple(probes)
        self._failed: dict[str, float] = {}
        self._totals = totals
        self._since = time()
        self._reader: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        self._since = time()
        self._reader = gevent.spawn(self._keep)

    def stop(self) -> None:
        """Scrape a last time and stop. Idempotent."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.kill()
            self._scrape()
            self._page.close()
            for probe in self._probes:
                probe.close()

    def _keep(self) -> None:
        while True:
            self._scrape()
            gevent.sleep(self._interval)

    def _scrape(self) -> None:
        try:
            page = self.metrics.read(self._page.fetch(), perf_counter())
        except (CallError, ValueError) as error:
            reason = str(error) or type(error).__name__
            if self.metrics.failed(reason):
                log.warning(
                    "the server's metrics at %s cannot be read: %s (further failures are only counted)",
                    self.metrics.url,
                    reason,
                )
            cause = getattr(error, "reason", error)
            if isinstance(cause, OSError) and cause.errno in _OURS:
                self._totals.failed("the server's metrics", cause)
            return
        except Exception as error:  # noqa: BLE001 - a bug here must not end the rest of the run
            self.metrics.failed(f"{type(error).__name__}: {error}")
            self._totals.failed("the server's metrics", error)
            return
        # What the server says of itself is preferred to what its machine says.
        found = self.metrics.keep(self._read_probes() | page)
        now = time()
        self._totals.add(gauges_only(SERVER, self._since, max(0.0, now - self._since), found))
        self._since = now

    def _read_probes(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for probe in self._probes:
            if perf_counter() < self._failed.get(probe.what, -_REST) + _REST:
                continue
            try:
                reading = probe.read()
            except Exception as error:  # noqa: BLE001 - any failure: the server's metrics are kept without it
                reason = f"{probe.what}: {str(error) or type(error).__name__}"
                self.metrics.failed(reason)
                if probe.what not in self._failed:
                    log.warning("%s (further failures are only counted)", reason)
                self._failed[probe.what] = perf_counter()
                continue
            found |= reading.levels | self.metrics.grown(reading.totals)
        return found


def probes_of(settings: Settings, target: Target) -> list[ServerProbe]:
    """Return what is read beside the metrics of ``target``: its machine, and its database."""
    found: list[ServerProbe] = []
    if settings.node_metrics is not None:
        node = Target.parse(metrics_url(settings.node_metrics))
        found.append(NodeProbe(PageReader(node, settings.network.tls)))
    elif is_here(target.host):
        found.append(HostProbe(target.port))
    if settings.db is not None:
        found.append(DatabaseProbe(settings.db))
    return found


class ServerLogTail:
    """The part of the file ``path`` that is written after this was created."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since = time()
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> LimitLog | None:
        """Return the lines since the start; None, and a line in the log, if the file cannot be read.

        The same if lines about limits are there, and none of them can be read.
        """
        found = LimitLog(self._since)
        try:
            with self._path.open("rb") as file:
                # A smaller file than before is a new one: it was rotated.
                if os.fstat(file.fileno()).st_size >= self._offset:
                    file.seek(self._offset)
                while lines := file.readlines(_CHUNK):
                    found.add(lines)
                    let_others_run()
        except OSError as error:
            log.warning("the server's log %s cannot be read: %s", self._path, error.strerror)
            return None
        if found.bad:
            log.warning(
                "%d lines of the server's log about limits are not JSON (logger.format json)", found.bad
            )
        return found if found.first or not found.bad else None
