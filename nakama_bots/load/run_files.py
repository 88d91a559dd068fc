"""Writes the files of a run independently: a failure of one does not affect the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from locust.env import Environment
from locust.html import get_html_report

from nakama_bots.errors import NakamaError
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.load.web.pages import with_banner
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

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

LOCUST_FILE: Final = "locust.html"


class RunFiles:
    """``files`` are the written files; ``failures`` has one line per failure with its reason."""

    def __init__(self, environment: Environment, totals: Totals, info: RunInfo, summary: Summary) -> None:
        self.files: list[Path] = []
        self.failures: list[str] = []
        self.folder: Path | None = None
        """None until ``write`` has created it."""
        self._environment = environment
        self._totals = totals
        self._info = info
        self._summary = summary

    def write(self, reports: Path, verdict: Verdict) -> None:
        """Write all files: summary and verdict first, before those that may fill the disk."""
        self.folder = folder = self._do(make_run_folder, reports, self._info.scenario, self._info.started)
        if folder is None:
            return
        timeline = self._totals.timeline
        self._keep(write_summary, folder, self._summary)
        outputs = self._outputs(folder, verdict)
        report = outputs.pop(folder / REPORT_FILE)
        for write in outputs.values():
            self._keep(write)
        self._keep(write_timeline, folder, timeline)
        self.files += (
            self._do(write_tables, folder, timeline, self._totals.requests, pause=let_others_run) or []
        )
        self._keep(report)
        self._keep(self._write_locust_page, folder)
        self._write_traces(folder)
        if not self.failures:  # otherwise with the verdict that lists the failures
            self._do(tell_ci, verdict, self._summary)

    def write_again(self, verdict: Verdict) -> None:
        """Rewrite the files that contain the verdict; a file with an outdated verdict must not remain."""
        if self.folder is None:
            return
        for path, write in self._outputs(self.folder, verdict).items():
            if path not in self.files:
                continue
            try:
                write()
            except (NakamaError, OSError) as error:
                log.error("%s has an outdated verdict and is removed: %s", path, error)
                with suppress(OSError):  # the folder itself may be gone, and the file with it
                    path.unlink(missing_ok=True)
                self.files.remove(path)
        with suppress(NakamaError):
            tell_ci(verdict, self._summary)

    def _do(self, step: Callable[P, T], *given: P.args, **options: P.kwargs) -> T | None:
        try:
            return step(*given, **options)
        except (NakamaError, OSError) as error:
            self.failures.append(str(error))
        except Exception as error:
            log.exception("a file of the run could not be created")
            self.failures.append(f"{type(error).__name__}: {error}")
        return None

    def _keep(self, write: Callable[P, Path], *given: P.args, **options: P.kwargs) -> None:
        path = self._do(write, *given, **options)
        if path is not None:
            self.files.append(path)

    def _outputs(self, folder: Path, verdict: Verdict) -> dict[Path, Callable[[], Path]]:
        """Return the files that contain the verdict, and what writes each."""
        outputs: dict[Path, Callable[[], Path]] = {
            folder / name: partial(write_output, folder, name, self._summary, verdict) for name in OUTPUTS
        }
        return outputs | {folder / REPORT_FILE: partial(self._write_report, folder, verdict)}

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

    def _write_report(self, folder: Path, verdict: Verdict) -> Path:
        part, traces = verdict_part(verdict, self._summary), list(self._totals.traces)
        # The web UI and the workers are still running.
        return write_report(folder, self._summary, self._totals.timeline, part, traces, pause=let_others_run)

    def _write_locust_page(self, folder: Path) -> Path:
        page = get_html_report(self._environment, show_download_link=False)
        path = folder / LOCUST_FILE
        write_whole(path, [(with_banner(page) if self._info.is_emulator else page).encode()])
        return path
