"""The commands, the unit and the manifest of docs/fill.md work as printed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from nakama_bots.cli.main import parser
from nakama_bots.settings.table import SETTINGS

TEXT = (Path(__file__).resolve().parents[2] / "docs/fill.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


def accept(words: list[str]) -> None:
    assert words[0].rpartition("/")[2] == "nakama-bots"
    assert parser().parse_args(words[1:]).command == "fill"


@pytest.mark.parametrize(
    "line", [line for line in TEXT.splitlines() if line.startswith("nakama-bots fill ")], ids=lambda line: line
)
def test_commands_are_accepted(line: str) -> None:
    accept(shlex.split(line))


def unit() -> dict[str, str]:
    return dict(line.split("=", 1) for line in block("ini").splitlines() if "=" in line)


def test_unit_command_is_accepted() -> None:
    accept(shlex.split(unit()["ExecStart"]))
    # The roster is in the service's state directory.
    assert f"/var/lib/{unit()['StateDirectory']}/roster" in unit()["ExecStart"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # systemd-analyze needs a program that exists on this machine.
    text = block("ini").replace("/opt/nakama-bots/bin/nakama-bots", "/bin/true")
    service = tmp_path / "nakama-bots.service"
    service.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(service)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    mine = [line for line in done.stderr.splitlines() if service.name in line]
    assert not mine


def test_manifest_command_is_accepted() -> None:
    manifest: Any = yaml.safe_load(block("yaml"))
    spec = manifest["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    accept(container["command"])
    known = {setting.variable for setting in SETTINGS}
    variables = {one["name"] for one in container["env"]}
    for name in re.findall(r"\$\((\w+)\)", " ".join(container["command"])):
        assert name in variables
    assert {name for name in variables if name.startswith("NAKAMA")} <= known
    drain = parser().parse_args(container["command"][1:])
    assert spec["terminationGracePeriodSeconds"] > getattr(drain, "drain", 10.0)
    assert manifest["spec"]["selector"]["matchLabels"] == manifest["spec"]["template"]["metadata"]["labels"]
