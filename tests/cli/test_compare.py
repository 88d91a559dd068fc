"""``nakama-bots compare`` and ``baseline promote`` on the command line."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from nakama_bots.cli.main import main
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.run_folder import write_summary, write_timeline
from nakama_bots.results.summary import RunInfo, build_summary
from nakama_bots.settings.target import Target

STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECONDS = 32


def make_run(folder, seed, slower=1.0, extra=lambda recorder: None):
    """Half a minute of 100 pings a second, plus what ``extra`` records each second."""
    generator = random.Random(seed)
    timeline = Timeline(STARTED.timestamp())
    for second in range(SECONDS):
        recorder = Recorder(0.0)
        for _ in range(100):
            recorder.call(FinishedCall("WS", "ping", 0.0, slower * generator.lognormvariate(-5, 0.3), 7, None))
        extra(recorder)
        timeline.add({
            "source": "local", "at": STARTED.timestamp() + second, "seconds": 1.0,
            "recorded": recorder.drain(), "gauges": {},
        })  # fmt: skip
    info = RunInfo("duel", STARTED, Target("game.example.com"), is_emulator=False, users=20, spawn_rate=10.0)
    total = without_ends(timeline, 0.0, 0.0).recorder
    folder.mkdir()
    ended = STARTED + timedelta(seconds=SECONDS)
    write_summary(folder, build_summary(info, total, ended=ended, duration=SECONDS))
    write_timeline(folder, timeline)
    return str(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {
        "base": make_run(folder / "base", 1),
        "same": make_run(folder / "same", 2),
        "slow": make_run(folder / "slow", 3, slower=1.5),
    }


def test_the_same_speed_passes_and_half_as_fast_fails(runs, capsys):
    assert main(["compare", runs["same"], runs["base"]]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "SAME: 3 of 3 figures could be judged"
    assert main(["compare", runs["slow"], runs["base"]]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "REGRESSED: 3 regressed; 3 of 3 figures could be judged"


def test_a_promoted_baseline_replaces_its_run(runs, tmp_path, capsys):
    promote = ["baseline", "promote", runs["base"], "--baselines", str(tmp_path), "--name", "duel-ci"]
    assert main(promote) == 0
    path = tmp_path / "duel-ci.json"
    assert capsys.readouterr().out.startswith(f"{path}: 1 names, ")
    assert main(promote) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*promote, "--force"]) == 0
    outputs = []
    for baseline in (runs["base"], str(path)):
        output = tmp_path / "out.json"
        assert main(["compare", runs["slow"], baseline, "--json", str(output)]) == 3
        outputs.append(orjson.loads(output.read_bytes()))
    assert outputs[0]["rows"] == outputs[1]["rows"]
    assert outputs[0]["schema"] == "nakama-bots/comparison/2"


def test_machine_readable_output_is_alone_on_stdout(runs, capsys):
    assert main(["compare", runs["same"], runs["base"], "--json", "-"]) == 0
    assert orjson.loads(capsys.readouterr().out)["verdict"] == "same"
    assert main(["compare", runs["slow"], runs["base"], "--markdown", "-"]) == 3
    assert capsys.readouterr().out.startswith("### REGRESSED")


def test_tolerance_and_selected_names(runs):
    arguments = ["compare", runs["slow"], runs["base"]]
    assert main([*arguments, "--tolerance", "WS *=60%"]) == 0
    assert main([*arguments, "--tolerance", "60", "--tolerance", "* p99=1"]) == 3
    assert main([*arguments, "--name", "PUSH *"]) == 4


@pytest.mark.parametrize(
    ("code", "expected", "arguments"),
    [
        (2, "cannot be read", ["{same}", "missing.json"]),
        (2, "neither a run's folder nor a baseline", ["{same}", "{same}/summary.json"]),
        (2, "summary.json: cannot be read", ["{same}/..", "{base}"]),
        (2, "a file in a writable folder", ["{same}", "{base}", "--json", "{same}/no/out.json"]),
        (4, "at least 16 s are needed", ["{same}", "{base}", "--warmup", "20"]),
        (4, "no name of it or of a baseline matches 'nothing'", ["{same}", "{base}", "--name", "nothing"]),
    ],
)
def test_an_impossible_comparison_is_one_line(runs, capsys, code, expected, arguments):
    assert main(["compare", *(argument.format(**runs) for argument in arguments)]) == code
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("BASELINE", ["compare", "run"]),
        ("'x' cannot be used", ["compare", "run", "base", "--tolerance", "* p99=x"]),
        ("'-1' cannot be used", ["compare", "run", "base", "--warmup=-1"]),
        ("'nan' cannot be used", ["compare", "run", "base", "--noise", "nan"]),
        ("invalid choice: 'p90'", ["compare", "run", "base", "--statistic", "p90"]),
        ("'../up' cannot be used", ["baseline", "promote", "run", "--name", "../up"]),
        ("promote", ["baseline"]),
    ],
)
def test_a_bad_argument_is_one_line(capsys, expected, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_only_a_runs_folder_can_be_promoted(tmp_path, capsys):
    assert main(["baseline", "promote", str(tmp_path / "no-run")]) == 2
    assert "the folder of a run" in capsys.readouterr().err
