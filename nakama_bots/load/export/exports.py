"""Where a run's figures go besides its folder, as the settings say. What is off is not even imported."""

from __future__ import annotations

from collections.abc import Callable

from nakama_bots.load.ending import Conclusion
from nakama_bots.load.figures.intervals import Totals
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.resolve import Settings


class RunExport:
    """One place that the figures of each run go to while it continues."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        totals.restarts.append(self.restart)
        totals.listeners.append(self.add)

    def restart(self) -> None:
        """A run has started, and has no figures yet."""

    def add(self, row: Interval) -> None:
        """Take an interval of the run."""

    def begin(self, info: RunInfo) -> None:
        """The same run, of which more is known now. Its first intervals may have come before."""

    def end(self, verdict: str) -> None:
        """The run has ended, with this ``Outcome``."""

    def stop(self) -> None:
        """The process ends. Idempotent."""


class Exports:
    """Created once, in the process that the user started. ``outlook`` is what the verdict would be now."""

    def __init__(self, settings: Settings, totals: Totals, outlook: Callable[[], str]) -> None:
        self._settings = settings
        self._parts: list[RunExport] = []
        # The lines first: they are in the order of the time line, and counting lets other rows in between.
        if settings.timeline is not None:
            from nakama_bots.load.export.line_writer import RunLines  # noqa: PLC0415

            self._parts.append(RunLines(settings.timeline, totals))
        if settings.prometheus is not None:
            from nakama_bots.load.export.metrics_server import RunMetrics  # noqa: PLC0415 - pulls in prometheus_client

            self._parts.append(RunMetrics(settings.prometheus, totals, outlook))
        if settings.otlp is not None:
            from nakama_bots.load.export.otlp_sender import RunOtlp  # noqa: PLC0415 - needs an extra

            self._parts.append(RunOtlp(settings.otlp, totals, outlook))

    def begin(self, info: RunInfo) -> None:
        for part in self._parts:
            part.begin(info)

    def end(self, conclusion: Conclusion) -> None:
        for part in self._parts:
            part.end(conclusion.verdict["verdict"])

    def post(self, conclusion: Conclusion) -> None:
        """Post the verdict to the webhook, if there is one. It may take seconds, and the next run may start."""
        webhook = self._settings.webhook
        if webhook is not None:
            from nakama_bots.load.export.webhook import post_verdict  # noqa: PLC0415

            post_verdict(webhook, self._settings.network, conclusion.verdict, conclusion.folder)

    def stop(self) -> None:
        for part in self._parts:
            part.stop()
