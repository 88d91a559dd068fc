"""Runs the cases of ``schema_cases``."""

from __future__ import annotations

from pathlib import Path

from nested import nested_pytest


def test_every_route_answers_as_described(tmp_path: Path) -> None:
    done = nested_pytest(tmp_path, str(Path(__file__).with_name("schema_cases.py")))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "87 passed" in done.stdout
