"""Further files of a run folder: for CI, for a pull request, for a spreadsheet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from nakama_bots.errors import NakamaError
from nakama_bots.results.files import compressed, json_text, write_whole, writing
from nakama_bots.results.gate.verdict import Verdict, verdict_part
from nakama_bots.results.record.recorder import no_pause
from nakama_bots.results.record.request_samples import RequestLog
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import VERDICT_FILE
from nakama_bots.results.show.csv_files import calls_csv, gauges_csv
from nakama_bots.results.show.junit import junit
from nakama_bots.results.show.markdown import job_summary, pull_request
from nakama_bots.results.summary import Summary

JUNIT_FILE: Final = "junit.xml"
JOB_SUMMARY_FILE: Final = "summary.md"
PULL_REQUEST_FILE: Final = "pull-request.md"
CALLS_FILE: Final = "calls.csv"
GAUGES_FILE: Final = "gauges.csv"
REQUESTS_FILE: Final = "requests.csv.gz"

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub Actions passes the path of the job summary, a file that steps append to."""


class OutputError(NakamaError):
    """A file cannot be written: the path and why, in one line."""


OUTPUTS: Final[Mapping[str, Callable[[Verdict, Summary], bytes]]] = {
    VERDICT_FILE: lambda verdict, summary: json_text(verdict_part(verdict, summary)),
    JUNIT_FILE: junit,
    JOB_SUMMARY_FILE: lambda verdict, summary: job_summary(verdict, summary).encode(),
    PULL_REQUEST_FILE: lambda verdict, summary: pull_request(verdict, summary).encode(),
}
"""The files that are built from the verdict, by name."""


def write_output(folder: Path, name: str, summary: Summary, verdict: Verdict) -> Path:
    """Write one of ``OUTPUTS`` atomically. Raises ``OutputError`` if it cannot be written."""
    return _write(folder / name, [OUTPUTS[name](verdict, summary)])


def write_outputs(folder: Path, summary: Summary, verdict: Verdict) -> list[Path]:
    """Write all of ``OUTPUTS``."""
    return [write_output(folder, name, summary, verdict) for name in OUTPUTS]


def tell_ci(verdict: Verdict, summary: Summary, environment: Mapping[str, str] = os.environ) -> None:
    """Append the verdict to the job summary of the CI, if there is one."""
    step = environment.get(STEP_SUMMARY)
    if not step:
        return
    try:
        with Path(step).open("a", encoding="utf-8") as file:
            file.write(job_summary(verdict, summary) + "\n")
    except OSError as error:
        msg = f"{STEP_SUMMARY}: {step} cannot be written ({error.strerror})"
        raise OutputError(msg) from None


def write_tables(
    folder: Path, timeline: Timeline, requests: RequestLog, *, pause: Callable[[], object] = no_pause
) -> list[Path]:
    """Write the time line as CSV, and the sampled requests if there are any; ``pause`` as in ``calls_csv``."""
    files = [
        _write(folder / CALLS_FILE, calls_csv(timeline, pause)),
        _write(folder / GAUGES_FILE, gauges_csv(timeline)),
    ]
    if len(requests):
        files.append(_write(folder / REQUESTS_FILE, requests.lines(timeline.started), packed=True))
    return files


def _write(path: Path, parts: Iterable[bytes], *, packed: bool = False) -> Path:
    with writing(path, OutputError):
        write_whole(path, parts, opener=compressed if packed else None)
    return path
