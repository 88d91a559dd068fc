"""The API reference is made by the documented command, and has what the table of names points to."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = "python -m pdoc -o build/docs nakama_bots '!nakama_bots.emulator'"


def test_the_command_is_documented() -> None:
    for page in ("CONTRIBUTING.md", "docs/index.md"):
        assert COMMAND in (ROOT / page).read_text(encoding="utf-8"), page


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_has_every_name_of_the_table(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    command = [sys.executable, *shlex.split(COMMAND.replace("build/docs", str(tmp_path)))[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    table = (ROOT / "docs" / "seed-names.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(nakama_bots(?:\.[a-z_0-9]+)+)\.(([A-Z]\w*)(?:\.\w+)?)`", table))
    assert len(names) > 250
    missing = []
    for module, name, _ in names:
        page = tmp_path / f"{module.replace('.', '/')}.html"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        # A member that is inherited is a link to where it stands; a constructor may be nobody's own.
        if f'id="{name.removesuffix(".__init__")}"' not in text:
            missing.append(f"{module}.{name}")
    assert missing == []
