"""The history of many runs: both stores, and the change points of series with a known truth."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nakama_bots.cli.main import main
from nakama_bots.observer import FinishedCall
from nakama_bots.results.compare.history import HistoryError, change_points, figures_of, open_store
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.run_folder import write_summary
from nakama_bots.results.show.history import history_page, history_text, sparkline
from nakama_bots.results.summary import RunInfo, build_summary
from nakama_bots.settings.target import Target


def entry(number, **figures):
    return {
        "schema": "nakama-bots/history/1",
        "started": f"2026-03-{1 + number // 24:02}T{number % 24:02}:00:00.000+00:00",
        "label": f"commit{number}",
        "scenario": "duel",
        "users": 20,
        "target": "https://game.example.com:443",
        "is_emulator": False,
        "figures": figures,
    }


def series(seed, steps, length=60):
    """Values around 10 with 3 % noise; the level changes at each of ``steps``."""
    generator = random.Random(seed)
    level, values = 10.0, []
    for number in range(length):
        if number in steps:
            level *= generator.choice([0.85, 1.1, 1.15, 1.25])
        values.append(level * generator.gauss(1, 0.03))
    return values


def test_planted_steps_are_found():
    right = wrong = missed = 0
    for seed in range(30):
        generator = random.Random(f"steps {seed}")
        steps = sorted(generator.sample(range(10, 50, 12), seed % 3))
        found = [change.index for change in change_points(series(seed, steps))]
        for step in steps:
            near = [index for index in found if abs(index - step) <= 2]
            right += bool(near)
            missed += not near
            found = [index for index in found if index not in near]
        wrong += len(found)
    assert 2 * right / (2 * right + wrong + missed) >= 0.8  # F1


def test_too_few_runs_are_not_judged():
    assert change_points([1.0, 1.0, 9.0, 9.0, 9.0]) is None


@pytest.mark.parametrize("name", ["history", "history.db"])
def test_a_store_returns_runs_oldest_first_and_replaces_a_run(tmp_path, name):
    store = open_store(tmp_path / name)
    for number in (2, 0, 1):
        store.add(entry(number, **{"WS ping p95": float(number)}))
    store.add(entry(1, **{"WS ping p95": 9.0}))
    assert [run["figures"]["WS ping p95"] for run in open_store(tmp_path / name).entries()] == [0.0, 9.0, 2.0]


@pytest.mark.parametrize("name", ["history", "history.db"])
def test_a_missing_store_is_named(tmp_path, name):
    with pytest.raises(HistoryError, match=f"{name}: cannot be read"):
        open_store(tmp_path / name).entries()


def test_a_bad_entry_is_named(tmp_path):
    (tmp_path / "run.json").write_text('{"schema": 1}')
    with pytest.raises(HistoryError, match=r"run\.json: not an entry of a history"):
        open_store(tmp_path).entries()


def test_the_texts_name_the_run_where_a_figure_changed():
    values = [10.0, 10.2, 9.9, 10.1, 10.0, 9.8, 10.1, 12.9, 13.1, 13.0, 12.8, 13.2, 13.1, 12.9]
    entries = [entry(number, **{"WS <b>ping</b> p95": value}) for number, value in enumerate(values)]
    figures = figures_of(entries)
    text, page = history_text(figures, 60), history_page(figures, "tests")
    assert "changed at 2026-03-01 07:00 commit7: +29." in text
    assert text.splitlines()[-1] == "1 of 1 figures changed"
    assert "&lt;b&gt;ping" in page
    assert "commit7: +29." in page
    assert "<b>ping" not in page


def test_a_change_of_the_way_of_timing_is_said():
    entries = [entry(number, **{"WS ping p95": 1.0, "WS rpc p95": 2.0}) for number in range(6)]
    for one in entries[1:]:  # the first one is of an earlier version
        one["timed"] = {"sockets": "by the kernel", "REST": "by the kernel"}
    entries[2]["timed"] = {"REST": "by the kernel"}
    assert "the same way" not in history_text(figures_of(entries), 60)
    entries[5]["timed"]["sockets"] = "in the process"
    said = "the runs were not all timed in the same way: sockets: 3 by the kernel, 1 in the process"
    assert history_text(figures_of(entries), 60).splitlines()[-1] == said
    assert said in history_page(figures_of(entries), "tests")


def test_a_sparkline_spans_minimum_to_maximum():
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([0.0, 3.5, 7.0]) == "▁▅█"


def test_the_command_adds_runs_and_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    run.mkdir()
    recorder = Recorder(0.0)
    recorder.call(FinishedCall("WS", "ping", 0.0, 0.01, 2, None))
    started = datetime(2026, 3, 4, tzinfo=UTC)
    info = RunInfo("duel", started, Target("h", 7350), is_emulator=False, users=2, spawn_rate=1.0)
    write_summary(run, build_summary(info, recorder, ended=started, duration=10.0))
    assert main(["history", str(store), "--add", str(run), "--label", "abc", "--name", "* p95"]) == 0
    printed = capsys.readouterr().out
    assert "p95" in printed
    assert "p50" not in printed
    assert "have fewer than 6 runs and were not judged" in printed
    page = tmp_path / "page.html"
    assert main(["history", str(store), "--html", str(page)]) == 0
    assert "not judged" in page.read_text()


def test_an_empty_history_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", str(tmp_path)]) == 2
    assert "a history with a run" in capsys.readouterr().err
