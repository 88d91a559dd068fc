from __future__ import annotations

from pathlib import Path

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import TimelineError, WorkerLog, gauges_only
from nakama_bots.results.run_folder import read_timeline


def test_rows_are_written_at_once(tmp_path: Path) -> None:
    recorder = Recorder(0.0)
    recorder.count("x", 3)
    recorder.call(FinishedCall("WS", "ping", 0.0, 0.25, 2, None))
    log = WorkerLog(tmp_path / "new" / "folder", "host_1", 1000.0)
    row = {**gauges_only("host_1", 1001.0, 1.0, {"users": 2.0}), "recorded": recorder.recorded(folded=False)}
    log.add(row)
    # Not closed: a process that dies leaves its rows.
    timeline = read_timeline(log.path)
    assert timeline.started == 1000.0
    assert list(timeline) == [row]
    log.close()
    log.close()


def test_an_unusable_folder_and_a_damaged_log_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"--nakama-worker-logs: .*file"):
        WorkerLog(file, "x", 0.0)
    (tmp_path / "cut.jsonl").write_text("{")
    with pytest.raises(TimelineError, match=r"cut\.jsonl: a damaged time line"):
        read_timeline(tmp_path / "cut.jsonl")
