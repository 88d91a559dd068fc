"""Writes the files of a run independently: a failure of one does not affect the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import gevent
from locust.env import Environment
from locust.html import get_html_report

from nakama_bots.errors import NakamaError
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.load.web.banner import inject
from nakama_bots.results.files import write_whole
from nakama_bots.results.gate.verdict import Verdict, verdict_part
from nakama_bots.results.run_folder import (
    TraceError,
    make_run_folder,
    write_summary,
    write_timeline,
    write_traces,
)
from nakama_bots.results.show.outputs import OUTPUTS, tell_ci, write_output, write_tables
from nakama_bots.results.show.report.files import REPORT_FILE, write_report
from nakama_bots.results.summary import RunInfo, Summary

log = logging.getLogger(__name__)

LOCUST_FILE: Final = "locust.html"


class RunFiles:
    """``files`` are the written files; ``failures`` has one line per failure with its reason."""

    def __init__(self, environment: Environment, totals: Totals, info: RunInfo, summary: Summary) -> None:
        self.files: list[Path] = []
        self.failures: list[str] = []
        self._environment = environment
        self._totals = totals
        self._info = info
        self._summary = summary
        self._folder: Path | None = None

    def write(self, reports: Path, verdict: Verdict) -> None:
        """Write all files: summary and verdict first, before those that may fill the disk."""
        if not self._do(lambda: self._make_folder(reports)) or self._folder is None:
            return
        folder, summary, totals = self._folder, self._summary, self._totals
        self._do(lambda: [write_summary(folder, summary)])
        for name in OUTPUTS:
            self._do(partial(self._write_output, folder, name, verdict))
        self._do(lambda: [write_timeline(folder, totals.timeline)])
        self._do(lambda: write_tables(folder, totals.timeline, totals.requests, pause=let_others_run))
        self._do(lambda: [self._write_report(folder, verdict)])
        self._do(lambda: [self._write_locust_page(folder)])
        self._write_traces(folder)
        self._do(lambda: self._tell_ci(verdict))

    def write_again(self, verdict: Verdict) -> None:
        """Rewrite the files that contain the verdict; a file with an outdated verdict must not remain."""
        folder = self._folder
        if folder is None:
            return
        steps: dict[str, Callable[[], object]] = {
            name: partial(self._write_output, folder, name, verdict) for name in OUTPUTS
        }
        steps[REPORT_FILE] = lambda: self._write_report(folder, verdict)
        for name, step in steps.items():
            path = folder / name
            if path not in self.files:
                continue
            try:
                step()
            except (NakamaError, OSError) as error:
                log.error("%s has an outdated verdict and is removed: %s", path, error)
                with suppress(OSError):  # the folder itself may be gone, and the file with it
                    path.unlink(missing_ok=True)
                self.files.remove(path)
        with suppress(NakamaError):
            tell_ci(verdict, self._summary)

    @property
    def folder(self) -> Path | None:
        """The run's folder; None where it could not be made."""
        return self._folder

    def _do(self, step: Callable[[], list[Path]]) -> bool:
        try:
            self.files += step()
        except (NakamaError, OSError) as error:
            self.failures.append(str(error))
            return False
        except Exception as error:
            log.exception("a file of the run could not be created")
            self.failures.append(f"{type(error).__name__}: {error}")
            return False
        return True

    def _make_folder(self, reports: Path) -> list[Path]:
        self._folder = make_run_folder(reports, self._info.scenario, self._info.started)
        return []

    def _write_traces(self, folder: Path) -> None:
        """Traces are not figures: if they cannot be written, the verdict stands."""
        traces = self._totals.traces
        if not len(traces):
            return
        if traces.left_out:
            log.warning("traces: %d more than %d are left out", traces.left_out, len(traces))
        try:
            self.files += write_traces(folder, traces, self._totals.timeline)
        except TraceError as error:
            log.error("%s: the run has none", error)
        except Exception:
            log.exception("the traces could not be written")

    def _write_output(self, folder: Path, name: str, verdict: Verdict) -> list[Path]:
        return [write_output(folder, name, self._summary, verdict)]

    def _write_report(self, folder: Path, verdict: Verdict) -> Path:
        part = verdict_part(verdict, self._summary)
        # The web UI and the workers are still running.
        pause = partial(gevent.sleep, 0)
        totals = self._totals
        return write_report(folder, self._summary, totals.timeline, part, list(totals.traces), pause=pause)

    def _write_locust_page(self, folder: Path) -> Path:
        page = get_html_report(self._environment, show_download_link=False)
        path = folder / LOCUST_FILE
        write_whole(path, [(inject(page) if self._info.is_emulator else page).encode()])
        return path

    def _tell_ci(self, verdict: Verdict) -> list[Path]:
        if not self.failures:  # otherwise with the verdict that lists the failures
            tell_ci(verdict, self._summary)
        return []
