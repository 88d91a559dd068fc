"""The cells of the matrix, a table a room."""

from __future__ import annotations

from . import process_cells, scenario_cells, server_cells, wire_cells
from .cell import Cell

GROUPS: dict[str, tuple[Cell, ...]] = {
    "A server that breaks or goes away": server_cells.CELLS,
    "Bytes that a server must not send": wire_cells.CELLS,
    "Signals, workers and the machine": process_cells.CELLS,
    "Scenarios at fault": scenario_cells.CELLS,
}
CELLS = tuple(cell for cells in GROUPS.values() for cell in cells)

QUICK = frozenset({
    "dropped", "killed", "frozen",
    "frame: close codes", "frame: bad pushes", "handshake: endless headers", "answer: bomb", "answer: forged",
    "Ctrl-C to the end", "SIGHUP", "64 files", "reports in the way", "proxy",
    "scenario: RaisesBase", "scenario: HandlerRaises", "scenario: Miscounts",
    "-u 0", "-u -1",
})  # fmt: skip
"""The cells that are among the tests: some seconds each."""
