"""``nakama-bots gate``: its verdict on a finished run, and its errors on bad files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nakama_bots.cli.main import main
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.rules import Gate
from nakama_bots.results.gate.verdict import conclude
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import write_summary, write_timeline
from nakama_bots.results.summary import RunInfo, build_summary
from nakama_bots.settings.target import Target

STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RULE = '[[rule]]\ncalls = "WS ping"\nexpect = "p50 <= {limit} ms"\n'


def recorder(calls: int = 20) -> Recorder:
    recorder = Recorder(0.0)
    for _ in range(calls):
        recorder.call(FinishedCall("WS", "ping", 0.0, 0.010, 5, None))
    return recorder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return written(folder, recorder())


def written(folder: Path, recorder: Recorder, *, emulator: bool = False) -> Path:
    info = RunInfo("duel", STARTED, Target("h", 7350), emulator, 2, 1.0)
    write_summary(folder, build_summary(info, recorder, ended=STARTED, duration=10.0))
    timeline = Timeline(1000.0)
    timeline.add(
        {"source": "local", "at": 1002.0, "seconds": 1.0, "recorded": recorder.recorded(), "gauges": {}}
    )
    write_timeline(folder, timeline)
    return folder


def gate(folder: Path, text: str) -> str:
    path = folder.parent / "g.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (RULE.format(limit=10), 0, "gate g.toml: PASSED (exit code 0)"),
        (RULE.format(limit=9), 3, "p50 10 ms, limit 9 ms (WS ping, 20 samples)"),
        ("[gate]\nwarmup = 1\n" + RULE.format(limit=10), 0, "PASSED"),
        ("[gate]\nwarmup = 5\n" + RULE.format(limit=10), 3, "nothing is left of the run"),
        (
            RULE.format(limit=9).replace("ping", "pong"),
            3,
            "no call matches 'WS pong' in this run; it has: WS ping",
        ),
    ],
)
def test_the_verdict(
    text: str, code: int, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", str(folder), "--gate", gate(folder, text)]) == code
    assert expected in capsys.readouterr().out
    assert not (folder / "verdict.json").exists()


def test_the_write_option(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(folder), "--gate", gate(folder, RULE.format(limit=9)), "--write"]) == 3
    assert json.loads((folder / "verdict.json").read_text())["exit_code"] == 3
    assert "<failure" in (folder / "junit.xml").read_text()
    assert "written: " in capsys.readouterr().out


def test_the_ci_step_summary_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    assert main(["gate", str(folder), "--gate", gate(folder, RULE.format(limit=10))]) == 0
    assert "### Load test ✅ passed" in (tmp_path / "step.md").read_text()


def test_faults_of_the_run_stay_in_the_verdict(folder: Path) -> None:
    path = gate(folder, RULE.format(limit=10))
    assert main(["gate", str(folder), "--gate", path, "--write"]) == 0
    known = json.loads((folder / "verdict.json").read_text())
    (folder / "verdict.json").write_text(json.dumps({**known, "missing": "a worker's figures are missing"}))
    assert main(["gate", str(folder), "--gate", path]) == 4
    (folder / "verdict.json").write_text(json.dumps({**known, "faults": ["the ledger"]}))
    assert main(["gate", str(folder), "--gate", path]) == 1


def test_an_empty_run_and_the_emulator_are_invalid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = gate(folder, RULE.format(limit=10))
    written(folder, Recorder(0.0))
    assert main(["gate", str(folder), "--gate", path]) == 4
    assert "no data: no call was made" in capsys.readouterr().out
    written(folder, recorder(), emulator=True)
    assert main(["gate", str(folder), "--gate", path]) == 4
    assert "allow_emulator = true" in capsys.readouterr().out
    assert main(["gate", str(folder), "--gate", path, "--allow-emulator"]) == 0


def truncate(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: truncate(folder, "summary.json"), "summary.json: not whole JSON"),
        (lambda folder: (folder / "summary.json").write_text("{}"), "not a summary of nakama-bots"),
        (lambda folder: (folder / "summary.json").write_text('{"schema": "nakama-bots/summary/9"}'),
         "written by a newer nakama-bots (schema 9); this one reads up to 1"),
        (lambda folder: (folder / "summary.json").write_text('{"schema": "nakama-bots/summary/1"}'),
         "a damaged summary (summary: Object missing required field run)"),
        (lambda folder: (folder / "summary.json").unlink(), "summary.json: cannot be read (No such file"),
        (lambda folder: truncate(folder, "timeline.jsonl.gz"), "timeline.jsonl.gz: not a whole gzip file"),
        (lambda folder: (folder / "timeline.jsonl.gz").unlink(), "needs the run's time line"),
        (lambda folder: (folder / "verdict.json").write_text("[]"), "verdict.json: not a verdict"),
        (lambda folder: (folder / "verdict.json").write_text("{"), "verdict.json: not whole JSON"),
    ],
)  # fmt: skip
def test_an_unreadable_run_is_one_line(
    damage: object, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder)  # type: ignore[operator]
    path = gate(folder, "[gate]\nwarmup = 1\n" + RULE.format(limit=10))
    assert main(["gate", str(folder), "--gate", path]) == 2
    errors = capsys.readouterr().err
    assert expected in errors
    assert errors.count("\n") == 1


def test_a_run_without_a_time_line_is_judged_if_no_rule_needs_it(folder: Path) -> None:
    (folder / "timeline.jsonl.gz").unlink()
    assert main(["gate", str(folder / "summary.json"), "--gate", gate(folder, RULE.format(limit=10))]) == 0


def test_bad_gate_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(folder), "--gate", str(folder / "none.toml")]) == 2
    assert main(["gate", str(folder), "--gate", gate(folder, RULE.format(limit="x"))]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "accepted: a readable TOML file (No such file" in lines[0]
    assert "g.toml line 3: rule 1, expect: 'p50 <= x ms' cannot be used" in lines[1]


def test_a_verdict_without_rules(folder: Path) -> None:
    info = RunInfo("duel", STARTED, Target("h", 7350), is_emulator=False, users=2, spawn_rate=1.0)
    summary = build_summary(info, recorder(), ended=STARTED, duration=1.0)
    assert conclude(summary, Gate("g", ())).why == ("every rule of g that can fail the run passed",)
