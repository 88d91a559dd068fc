"""A game's own repository: the wheel in an empty directory, a new project in it, and its CI job."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from limits import NO_LIMITS

from nakama_bots.cli.main import main
from nakama_bots.ops.bundled import scenarios
from nakama_bots.ops.scaffold import CI, FILES, guess_ci
from nakama_bots.results.run_folder import read_verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, in a separate folder."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def run(
    installed: Path, cwd: Path, *command: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a module of the wheel, which precedes this repository on the path."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "LOCUST_"))
    }
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**inherited, **(env or {}), "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_new_project_runs_and_passes_its_own_ci_job(installed: Path, tmp_path: Path) -> None:
    started = run(installed, tmp_path, "nakama_bots", "init", "--ci", "github")
    assert started.returncode == 0, started.stderr
    assert "Next: locust --headless --users 4 --spawn-rate 4 --run-time 30s" in started.stdout
    job = yaml.safe_load((tmp_path / CI["github"]).read_text())
    assert job["jobs"]["load-test"]["steps"][3]["run"] == "locust"
    # A busy machine makes the generator too slow, which is not tested here.
    limits = {"NAKAMA_HEALTH_LIMITS": NO_LIMITS}
    ended = run(installed, tmp_path, "locust", env=job["env"] | limits)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "reports").glob("2*/")
    assert (folder / "junit.xml").exists()
    assert read_verdict(folder)["verdict"] == "passed"


def test_the_wheel_has_the_files_of_the_repository(installed: Path, tmp_path: Path) -> None:
    bundled = installed / "nakama_bots" / "bundled"
    for name in ("scenarios", "nakama_modules", "reports/gates", "deploy/kubernetes", "docs/ci"):
        assert any((bundled / name).iterdir()), name
    assert (installed / "nakama_bots" / "py.typed").exists()
    listed = run(installed, tmp_path, "nakama_bots", "scenarios")
    assert all(one.name in listed.stdout for one in scenarios())
    path = run(installed, tmp_path, "nakama_bots", "scenarios", "path", "duel").stdout.strip()
    assert Path(path) == bundled / "scenarios" / "duel.py"
    assert Path(path).is_file()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locustfile.py").write_text("mine")
    assert main(["init", str(tmp_path), "--ci", "none"]) == 0
    assert (tmp_path / "locustfile.py").read_text() == "mine"
    printed = capsys.readouterr().out
    assert f"kept  {tmp_path / 'locustfile.py'} (it exists)" in printed
    assert printed.count("wrote ") == len(FILES) - 1


@pytest.mark.parametrize(("text", "ci"), [("https://gitlab.example.com/x.git", "gitlab"), ("x", "github")])
def test_the_ci_system_is_guessed_from_the_remote(tmp_path: Path, text: str, ci: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(text)
    assert guess_ci(tmp_path) == ci


def test_a_copy_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "copy", "duel", "--to", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "duel.py").read_bytes() == (ROOT / "scenarios" / "duel.py").read_bytes()
    assert main(["scenarios", "copy", "duel", "--to", str(tmp_path / "s")]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["path"], ["path", "duell"], ["copy", "nothing"]])
def test_a_missing_scenario_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", *arguments]) == 2
    assert "NAME" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_the_subcommands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "doctor" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("nakama-bots 0.")
