from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import orjson
import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.results.run_folder import make_run_folder, read_summary, write_summary
from nakama_bots.results.summary import SummaryError

STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_folder_is_named_by_time_and_scenario(tmp_path):
    folder = make_run_folder(tmp_path / "some" / "reports", "duel", STARTED)
    assert folder == tmp_path / "some" / "reports" / "20260304-050607-duel"
    assert folder.is_dir()


def test_runs_of_the_same_second_get_different_folders(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: make_run_folder(tmp_path, "duel", STARTED), range(40)))
    assert len(set(folders)) == 40
    names = {f"20260304-050607-duel-{number}" for number in range(2, 41)} | {"20260304-050607-duel"}
    assert {folder.name for folder in folders} == names


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("duel, town square", "duel-town-square"),
        ("..", "run"),
        ("", "run"),
        ("Größe\n", "Gr-e"),
        ("a" * 500, "a" * 60),
    ],
)
def test_the_scenario_name_is_sanitized(tmp_path, scenario, name):
    folder = make_run_folder(tmp_path, scenario, STARTED)
    assert folder.parent == tmp_path
    assert folder.name == f"20260304-050607-{name}"


def test_a_folder_that_cannot_be_created_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    for reports in (tmp_path / "file", tmp_path / "file" / "reports"):
        with pytest.raises(ConfigError, match=r"--nakama-reports: .*accepted: a writable folder") as raised:
            make_run_folder(reports, "duel", STARTED)
        assert "\n" not in str(raised.value)


def test_a_summary_round_trips(tmp_path, summary):
    path = write_summary(tmp_path, summary)
    assert path == tmp_path / "summary.json"
    assert read_summary(tmp_path) == read_summary(path) == summary
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path, summary):
    path = write_summary(tmp_path, summary)
    with path.open("rb") as reader:
        write_summary(tmp_path, {**summary, "counts": {"new": 1}})
        assert orjson.loads(reader.read()) == summary
    assert read_summary(path)["counts"] == {"new": 1}


FULL_DISK = """
import resource, sys
from pathlib import Path
from nakama_bots.results.run_folder import read_summary, write_summary
from nakama_bots.results.summary import SummaryError

folder = Path(sys.argv[1])
summary = read_summary(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_summary(folder, summary)
except SummaryError as error:
    print(error)
"""


def test_a_failed_write_keeps_the_old_file_and_no_temporary_file(tmp_path, summary):
    path = write_summary(tmp_path, summary)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"{path}: cannot be written (File too large)"
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]
    assert read_summary(path) == summary


def test_a_missing_folder_is_an_error(tmp_path, summary):
    with pytest.raises(SummaryError, match="cannot be written"):
        write_summary(tmp_path / "gone", summary)


def test_a_truncated_summary_is_a_one_line_error(tmp_path, summary):
    path = write_summary(tmp_path, summary)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SummaryError) as raised:
        read_summary(path)
    assert str(raised.value).startswith(f"{path}: not whole JSON (")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not whole JSON ("),
        (b"\xff\xfe binary", "not whole JSON ("),
        (b'{"schema": "other"}', "not a summary of nakama-bots (its \"schema\" is 'other'"),
        (b'{"schema": "nakama-bots/summary/7"}', "written by a newer nakama-bots (schema 7)"),
        (
            b'{"schema": "nakama-bots/summary/1"}',
            "a damaged summary (summary: Object missing required field run)",
        ),
    ],
)
def test_a_bad_summary_is_a_one_line_error(tmp_path, content, message):
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    with pytest.raises(SummaryError) as raised:
        read_summary(path)
    assert str(raised.value).startswith(f"{path}: {message}")
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_summary_names_the_file(tmp_path):
    with pytest.raises(SummaryError, match=r"summary\.json: cannot be read .No such file"):
        read_summary(tmp_path)
