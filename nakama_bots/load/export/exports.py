"""Where a run's figures go besides its folder, as the settings say; nothing of it costs anything when off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version

import orjson

from nakama_bots.load.ending import Conclusion
from nakama_bots.load.export.line_writer import LineWriter
from nakama_bots.load.export.metrics_server import MetricsServer
from nakama_bots.load.export.webhook import post_verdict
from nakama_bots.load.figures.intervals import Totals
from nakama_bots.results.export.figures import Figures
from nakama_bots.results.export.prometheus import RunState, pages
from nakama_bots.results.gate.verdict import Outcome
from nakama_bots.results.record.timeline import Interval, header
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.resolve import Settings


class Exports:
    """Made once, in the process that the user started. ``outlook`` is what the verdict would be now."""

    def __init__(self, settings: Settings, totals: Totals, outlook: Callable[[], str]) -> None:
        self._settings = settings
        self._totals = totals
        self._outlook = outlook
        self._timeline = totals.timeline
        self._figures = Figures()
        self._info: RunInfo | None = None
        self._verdict = ""
        self._lines: LineWriter | None = None
        self._server = MetricsServer(self._page)
        if settings.prometheus is not None:
            totals.listeners.append(self._count)
            self._server.start(settings.prometheus)
        if settings.timeline is not None:
            totals.listeners.append(self._write)

    def begin(self, info: RunInfo) -> None:
        """A run has started."""
        self._follow()
        self._info, self._verdict = info, ""

    def end(self, conclusion: Conclusion | None) -> None:
        """It is over; None where no verdict could be drawn."""
        self._verdict = conclusion.verdict["verdict"] if conclusion is not None else Outcome.INVALID.value
        lines, self._lines = self._lines, None
        if lines is not None:
            lines.close()
        webhook = self._settings.webhook
        if webhook is not None and conclusion is not None:
            post_verdict(webhook, self._settings.network, conclusion.verdict, conclusion.folder)

    def stop(self) -> None:
        """The process ends. Idempotent."""
        self._server.stop()

    def _follow(self) -> None:
        """Begin anew with a new time line: its first rows may come before ``begin``."""
        if self._timeline is self._totals.timeline:
            return
        self._timeline = self._totals.timeline
        self._figures = Figures()
        if self._settings.timeline is not None:
            self._lines = LineWriter(self._settings.timeline)
            self._lines.add(_line(header(self._timeline)))

    def _count(self, row: Interval) -> None:
        self._follow()
        self._figures.add(row)

    def _write(self, row: Interval) -> None:
        self._follow()
        if self._lines is not None:
            self._lines.add(_line(row))

    def _page(self) -> Iterable[bytes]:
        return pages(self._figures, self._state())

    def _state(self) -> RunState:
        info = self._info
        if info is None:
            return RunState()
        return RunState(
            scenario=info.scenario,
            target=info.target.http_url,
            is_emulator=info.is_emulator,
            version=version("nakama_bots"),
            started=info.started.timestamp(),
            active=not self._verdict,
            verdict=self._verdict or self._outlook(),
        )


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
