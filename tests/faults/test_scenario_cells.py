"""Scenarios at fault, and runs that show nothing. One file per part, so that they run in parallel."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import scenario_cells
from .bench import Bench
from .cell import Cell
from .cells import QUICK

QUICK_CELLS = [cell for cell in scenario_cells.CELLS if cell.name in QUICK]


@pytest.mark.parametrize("cell", QUICK_CELLS, ids=lambda cell: cell.name)
def test_a_fault(cell: Cell, tmp_path: Path) -> None:
    result = Bench(cell, tmp_path).run()
    assert result.problems == [], result.output
