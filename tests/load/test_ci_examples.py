"""The CI examples: valid YAML with known settings, and a load test that runs as written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from limits import NO_LIMITS
from locust.argument_parser import get_parser

import nakama_bots.load  # noqa: F401  -- registers the arguments
from nakama_bots.cli.main import parser
from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.results.run_folder import read_verdict
from nakama_bots.settings.table import SETTINGS

from .running import TIMEOUT, UNTIL, until

ROOT = Path(__file__).parents[2]
GITHUB = yaml.safe_load((ROOT / "docs/ci/github-actions.yml").read_text())
GITLAB = yaml.safe_load((ROOT / "docs/ci/gitlab-ci.yml").read_text())
QUICK = {
    "LOCUST_USERS": "6", "LOCUST_RUN_TIME": "200s", "NAKAMA_MATCH_SECONDS": "0.5",
    "NAKAMA_EMULATOR_MATCHMAKER_INTERVAL": "0.2", "LOCUST_LOGLEVEL": "INFO",
}  # fmt: skip


def github_commands(job: str) -> list[str]:
    return [line for step in GITHUB["jobs"][job]["steps"] for line in step.get("run", "").splitlines()]


def gitlab_commands(job: str) -> list[str]:
    return [*GITLAB[".load-test"]["before_script"], *GITLAB[job]["script"]]


COMMANDS = {
    "github emulator": github_commands("emulator"),
    "github nakama": github_commands("nakama"),
    "gitlab emulator": gitlab_commands("load-test:emulator"),
    "gitlab nakama": gitlab_commands("load-test:nakama"),
}
EMULATOR = {**GITHUB["env"], **GITHUB["jobs"]["emulator"]["env"]}


def locust(commands: list[str]) -> list[str]:
    (line,) = [line for line in commands if line.startswith("locust ")]
    return shlex.split(line)


def assert_known(variables: dict[str, Any], arguments: list[str]) -> None:
    """Every variable and flag belongs to Locust or to this project."""
    ours = {setting.variable for setting in SETTINGS}
    theirs = {str(action.env_var) for action in get_parser()._actions if getattr(action, "env_var", None)}
    for name in variables:
        if name.startswith("NAKAMA_"):
            assert name in ours
        elif name.startswith("LOCUST_"):
            assert name in theirs
    flags = {flag for action in get_parser()._actions for flag in action.option_strings}
    assert {argument for argument in arguments if argument.startswith("-")} <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_and_settings_exist(name: str) -> None:
    commands = COMMANDS[name]
    assert commands[0] == "pip install ."
    variables = GITHUB["env"] if name.startswith("github") else GITLAB["variables"]
    assert_known(variables, locust(commands)[1:])
    assert read_gate(ROOT / variables["NAKAMA_GATE"]).rules
    if "nakama" in name:
        assert "--host" in locust(commands)


def test_the_comparison_command_exists() -> None:
    (line,) = [line for line in COMMANDS["github nakama"] if line.startswith("nakama-bots ")]
    arguments = parser().parse_args(shlex.split(line)[1:])
    assert arguments.command == "compare"
    assert str(arguments.markdown) == "comparison.md"


def test_both_examples_have_the_same_load() -> None:
    assert GITHUB["env"] == GITLAB["variables"]
    assert GITHUB["jobs"]["emulator"]["env"] == GITLAB["load-test:emulator"]["variables"]
    assert locust(COMMANDS["github emulator"]) == locust(COMMANDS["gitlab emulator"])


def test_the_server_is_that_of_the_compose_file() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    names = [service["name"] for service in GITLAB["load-test:nakama"]["services"]]
    tag = next(name for name in names if "nakama" in name).rpartition(":")[2]
    assert f"NAKAMA_VERSION:-{tag}" in compose
    services = yaml.safe_load(compose)["services"]
    start = next(line for line in COMMANDS["github nakama"] if line.startswith("docker compose up"))
    assert set(start.split()[4:]) <= set(services)
    assert services["postgres"]["image"] in names


def test_the_load_test_runs(tmp_path: Path) -> None:
    """The commands of the job, with less load and against the embedded emulator."""
    step = tmp_path / "step.md"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "LOCUST_"))
    }
    # A busy machine and its generator are slow: keep the rules, with limits that are never exceeded.
    gate = tmp_path / "gate.toml"
    text = (ROOT / EMULATOR["NAKAMA_GATE"]).read_text().replace(' ms"', ' s"')
    text = re.sub(r'^(warmup|cooldown) = ".*"', r'\1 = "1 s"', text, flags=re.M)
    gate.write_text(text.replace("min_samples = 10", "min_samples = 1").replace("played >= 5", "played >= 1"))
    environment |= (
        EMULATOR | QUICK | {"NAKAMA_REPORTS": str(tmp_path / "reports"), "GITHUB_STEP_SUMMARY": str(step)}
    )
    environment |= {"NAKAMA_GATE": str(gate), "NAKAMA_HEALTH_LIMITS": NO_LIMITS}
    # The calls that the rules need, also after the first seconds, however long that takes.
    environment |= until("matches_played>=8", "match_join>=8", "channel_message_send>=8", seconds=9)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = locust(COMMANDS["github emulator"])
    command[command.index("-f") + 1] += f",{UNTIL}"
    done = subprocess.run(
        command, cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "reports").glob("2*/")
    assert read_verdict(folder)["verdict"] == "passed"
    assert ET.parse(folder / "junit.xml").getroot()[0].attrib["failures"] == "0"
    assert step.read_text().startswith("### Load test ✅ passed: ")
    assert (folder / "pull-request.md").exists()
