"""``python -m tests.faults``: runs the matrix and prints it; exit code 0 when every cell is as expected.

``python -m tests.faults NAME..`` runs the cells whose name has one of the texts in it, ``--list`` names them,
``--page`` prints docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starting import default_signals

from .bench import Bench
from .cell import Cell
from .cells import CELLS, QUICK
from .judge import Result
from .page import page

_WIDTHS = (28, 6, 12, 44, 7)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cells with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="cells at the same time (2)")
    parser.add_argument("--quick", action="store_true", help="only those that are among the tests")
    parser.add_argument("--show", action="store_true", help="what the runs of bad cells printed")
    parser.add_argument("--list", action="store_true", help="names of the cells")
    parser.add_argument("--page", action="store_true", help="docs/reliability.md")
    given = parser.parse_args(arguments)
    cells = [cell for cell in _named(given.names) if cell.name in QUICK or not given.quick]
    if given.page:
        print(page(), end="")
        return 0
    if given.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    if not cells:
        parser.error(f"no cell's name has {' or '.join(map(repr, given.names))} in it")
    default_signals()
    print(_row("cell", "exit", "verdict", "ledger", "s") + "result")
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(lambda cell: _run(cell, show=given.show), cells))
    print(total(results))
    return 0 if all(result.good for result in results) else 1


def _named(names: Sequence[str]) -> list[Cell]:
    """The cells with that name, or with it in theirs where none has it; all without names."""
    wanted = [cell for cell in CELLS if not names]
    for name in names:
        exact = [cell for cell in CELLS if cell.name == name]
        wanted += exact or [cell for cell in CELLS if name in cell.name]
    return list(dict.fromkeys(wanted))


def _run(cell: Cell, *, show: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        try:
            result = Bench(cell, Path(folder)).run()
        except Exception as error:  # noqa: BLE001 - the others go on
            result = Result(cell, problems=[f"the bench failed: {type(error).__name__}: {error}"])
    said = f"skipped: {result.skipped}" if result.skipped else "; ".join(result.problems) or "ok"
    seconds = f"{result.seconds:.1f}"
    line = _row(cell.name, str(result.code), result.verdict or "-", result.ledger or "-", seconds) + said
    print(line + (f"\n{result.output}" if show and not result.good else ""), flush=True)
    return result


def _row(*cells: str) -> str:
    return "".join(f"{cell[: width - 2]:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))


def total(results: Sequence[Result]) -> str:
    """The last line."""
    ran = [result for result in results if not result.skipped]
    bad = [result for result in ran if not result.good]
    skipped = f", {len(results) - len(ran)} skipped" if len(ran) < len(results) else ""
    return (
        f"{len(ran)} cells, {sum(result.unaccounted for result in ran)} unaccounted cids, "
        f"{sum(result.wrong_passed for result in ran)} wrong PASSED, "
        f"{sum(result.tracebacks for result in ran)} tracebacks, {sum(result.hang for result in ran)} hangs; "
        f"{len(bad)} not as they have to be{skipped}"
    )


if __name__ == "__main__":
    sys.exit(main())
