from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.players.behaviours.scripts import load


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("x = 1", "x", "a class or a generator function"),
        ("class A: pass", "A", "on_tick"),
        ("class A: pass", "B", "the name of a class"),
        ("1/0", "A", "division by zero"),
        ("class A:\n def __init__(self): 1/0\n def on_tick(self, seat): pass", "A", "division by zero"),
    ],
)
def test_bad_scripts(tmp_path: Path, text: str, name: str, message: str) -> None:
    file = tmp_path / "script.py"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load([f"{file}:{name}"])


def test_unknown_file_or_entry_point() -> None:
    with pytest.raises(ConfigError, match=r"FILE\.py:NAME"):
        load(["/nonexistent.py:A"])
    with pytest.raises(ConfigError, match="wanderer"):
        load(["nobody"])


class _Seat:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)


def test_each_part_draws_from_its_own_random(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(
        "class A:\n def on_chat(self, seat, said): seat.random.random()\n"
        "class B:\n drawn = []\n def on_tick(self, seat): self.drawn.append(seat.random.random())\n"
    )
    drawn = []
    for chats in (0, 3):
        seat: Any = _Seat(1)
        together: Any = load([f"{file}:A", f"{file}:B"])()
        together.on_join(seat)
        for _ in range(chats):
            together.on_chat(seat, {})
        together.on_tick(seat)
        drawn += together.parts[1].drawn
    assert drawn[0] == drawn[1]


def test_bundled_behaviours_are_entry_points() -> None:
    load(["wanderer", "chatter", "emoter", "idler", "reconnecter", "tic_tac_toe"])()
