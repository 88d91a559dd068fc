"""The files of a run whose folder becomes unusable while they are written."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from locust.env import Environment

from nakama_bots.load.figures.intervals import Totals
from nakama_bots.load.run_files import RunFiles
from nakama_bots.results.gate.verdict import conclude
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.summary import RunInfo, build_summary
from nakama_bots.settings.target import Target

STARTED = datetime(2026, 7, 1, tzinfo=UTC)


def test_a_folder_that_is_removed_before_the_second_write(tmp_path: Path) -> None:
    """A file replaces the folder: nothing can be written or removed there, and no further error is raised."""
    info = RunInfo("duel", STARTED, Target("h", 7350), is_emulator=False, users=2, spawn_rate=1.0)
    summary = build_summary(info, Recorder(0.0), ended=STARTED, duration=1.0)
    environment = Environment()
    environment.create_local_runner()
    files = RunFiles(environment, Totals(), info, summary)
    reports = tmp_path / "reports"
    files.write(reports, conclude(summary, None, []))
    assert "verdict.json" in {path.name for path in files.files}
    shutil.rmtree(reports)
    reports.write_text("a file in the place of the folder")
    files.write_again(conclude(summary, None, [], missing=["the results could not be written"]))
    assert "verdict.json" not in {path.name for path in files.files}
    assert "report.html" not in {path.name for path in files.files}
