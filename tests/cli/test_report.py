"""``nakama-bots report`` on the command line."""

from __future__ import annotations

import shutil

import pytest

from nakama_bots.cli.main import main
from nakama_bots.errors import realtime_error
from nakama_bots.observer import FinishedCall
from nakama_bots.results.run_folder import TIMELINE_FILE

from .test_compare import make_run

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiJwbGFudGVkIn0.c2lnbmF0dXJl"


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "base", 1)


def test_one_run_and_several_side_by_side(run, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert main(["report", run, "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}: {page.stat().st_size:,} bytes\n"
    assert "<title>base - nakama_bots</title>" in page.read_text()
    other = make_run(tmp_path / "slow", 2, slower=1.5)
    assert main(["report", run, other, "-o", "-"]) == 0
    assert "<title>base / slow - nakama_bots</title>" in capsys.readouterr().out


def test_folders_with_the_same_name_are_labelled_by_path(run, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = str(tmp_path / "other" / "base")
    shutil.copytree(run, other)
    assert main(["report", run, other, "-o", "-"]) == 0
    assert f"<title>{run} / {other} - nakama_bots</title>" in capsys.readouterr().out


def test_a_baseline_adds_the_comparison(run, tmp_path, capsys):
    slow = make_run(tmp_path / "slow", 2, slower=1.5)
    assert main(["report", slow, "--baseline", run, "-o", "-"]) == 0
    assert "REGRESSED: 3 regressed" in capsys.readouterr().out


def test_a_run_without_a_time_line_is_shown_without_charts(run, tmp_path, capsys):
    (tmp_path / "base" / TIMELINE_FILE).unlink()
    assert main(["report", run, "-o", "-"]) == 0
    text = capsys.readouterr().out
    assert "<figure" not in text
    assert "Every message" in text


def test_no_secret_is_in_a_page_a_baseline_or_a_comparison(tmp_path):
    def record_failure(recorder):
        error = realtime_error(3, f"bad token {SECRET}", operation="rpc", elapsed=0.1)
        recorder.call(FinishedCall("WS", "rpc", 0.0, 0.1, 0, error))

    run = make_run(tmp_path / "base", 1, extra=record_failure)
    outputs = [tmp_path / name for name in ("report.html", "baseline.json", "out.json", "out.md")]
    page, baseline, comparison, marked = map(str, outputs)
    assert main(["baseline", "promote", run, "--baselines", str(tmp_path), "--name", "baseline"]) == 0
    assert main(["report", run, "--baseline", baseline, "-o", page]) == 0
    main(["compare", run, baseline, "--json", comparison, "--markdown", marked])
    for output in outputs:
        assert "planted" not in output.read_text()
        assert "eyJhbGci" not in output.read_text()
    assert "&lt;token&gt;" in outputs[0].read_text()


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("cannot be read", ["{tmp}/nothing", "-o", "-"]),
        ("not whole JSON", ["{run}", "--baseline", __file__, "-o", "-"]),
        ("a file in a writable folder", ["{run}", "-o", "{tmp}/no/report.html"]),
    ],
)
def test_an_unusable_run_is_one_line(run, tmp_path, capsys, expected, arguments):
    assert main(["report", *(argument.format(run=run, tmp=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_a_damaged_time_line_is_reported(run, tmp_path, capsys):
    path = tmp_path / "base" / TIMELINE_FILE
    path.write_bytes(path.read_bytes()[:500])
    assert main(["report", run, "-o", "-"]) == 2
    assert "not a whole gzip file" in capsys.readouterr().err


def test_the_output_is_required(run, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", run])
    assert ended.value.code == 2
    assert "-o/--output" in capsys.readouterr().err
