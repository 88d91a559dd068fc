from __future__ import annotations

from pathlib import Path

import pytest

from nakama_bots.bots.behaviour import load
from nakama_bots.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("x = 1", "x", "a class or a generator function"),
        ("class A: pass", "A", "on_tick"),
        ("class A: pass", "B", "the name of a class"),
        ("1/0", "A", "division by zero"),
        ("class A:\n def __init__(self): 1/0\n def on_tick(self, seat): pass", "A", "division by zero"),
    ],
)
def test_scripts_that_cannot_be_used(tmp_path: Path, text: str, name: str, told: str) -> None:
    file = tmp_path / "script.py"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load([f"{file}:{name}"])


def test_no_such_file_or_entry_point() -> None:
    with pytest.raises(ConfigError, match=r"FILE\.py:NAME"):
        load(["/nonexistent.py:A"])
    with pytest.raises(ConfigError, match="wanderer"):
        load(["nobody"])


def test_bundled_behaviours_are_entry_points() -> None:
    load(["wanderer", "chatter", "emoter", "idler", "reconnecter", "tic_tac_toe"])()
