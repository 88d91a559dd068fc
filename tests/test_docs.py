"""The documented command builds the API reference, and the reference has every name of the table."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import llms
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

ROOT = Path(__file__).parents[1]
COMMAND = "python -m pdoc -o build/docs nakama_bots '!nakama_bots.emulator'"


def test_the_command_is_documented() -> None:
    for page in ("CONTRIBUTING.md", "docs/index.md"):
        assert COMMAND in (ROOT / page).read_text(encoding="utf-8"), page


def test_every_link_of_the_docs_exists() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_page_for_assistants_is_current_and_has_every_page() -> None:
    text = llms.DOCUMENT.read_text(encoding="utf-8")
    assert text == llms.document(), "run: python tests/llms.py > docs/llms.txt"
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in text, f"{page.name} is not in docs/index.md"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target


def test_its_example_is_a_scenario_that_runs(tmp_path: Path) -> None:
    code, commands = re.findall(r"```(?:python|sh)\n(.*?)```", llms.example(), re.DOTALL)
    first = shlex.split(commands.splitlines()[0], comments=True)
    assert first[:3] == ["locust", "-f", "fish.py"]
    (tmp_path / "fish.py").write_text(code, encoding="utf-8")
    short = ["-t", "4s", "--nakama-match-seconds", "1", "--nakama-emulator-matchmaker-interval", "0.2"]
    # A busy machine makes every generator too slow.
    short += ["--nakama-health-limits", "cpu=0,loop_busy=0,hub_lag=0,receive_wait=0,tick_lateness=0"]
    command = [sys.executable, "-m", "locust", *first[1:], *short]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [summary] = (tmp_path / "reports").glob("*/summary.json")
    assert json.loads(summary.read_text())["counts"]["match_sent.swim"] > 0


def test_the_client_page_is_a_whole_program() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(), re.DOTALL)
    with EmulatorProcess.start() as emulator:
        program = code.replace("http://127.0.0.1:7350", emulator.url)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.stderr) == ("ben received 1\n", "")


def test_the_reference_has_every_name_of_the_table(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    table = (ROOT / "docs" / "seed-names.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(nakama_bots(?:\.[a-z_0-9]+)+)\.(([A-Z]\w*)(?:\.\w+)?)`", table))
    assert len(names) > 250
    # Sources, search index and other rooms would take most of the time.
    *command, package, rest = shlex.split(COMMAND.replace("build/docs", str(tmp_path)))
    assert (package, rest) == ("nakama_bots", "!nakama_bots.emulator")
    rooms = sorted({".".join(module.split(".")[:2]) for module, _, _ in names})
    quick = [sys.executable, *command[1:], "--no-show-source", "--no-search", *rooms]
    done = subprocess.run(quick, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    missing = []
    for module, name, _ in names:
        page = tmp_path / f"{module.replace('.', '/')}.html"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        # An inherited member is a link to its class; a class may have no constructor of its own.
        if f'id="{name.removesuffix(".__init__")}"' not in text:
            missing.append(f"{module}.{name}")
    assert missing == []
