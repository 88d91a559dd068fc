"""docs/reliability.md, made from the cells."""

from __future__ import annotations

from .cell import NOT_STARTED, Cell
from .cells import GROUPS

_HEAD = """# Reliability

What a run does when something breaks. Every row is a cell of `tests/faults`: hostile servers and relays on
raw sockets, signals, full disks and faulty scenarios against a real `locust` process. This page is made from
them by `python -m tests.faults --page > docs/reliability.md`.

```sh
python -m tests.faults               # all of them, some minutes; the last line has the totals
python -m tests.faults killed TLS    # those whose names have one of the texts in it
```

In every cell, whatever breaks: each `cid` that was sent has ended exactly once (the ledger is balanced), the
printed verdict agrees with the exit code, no traceback is shown but of what the scenario itself raised, no
control character of the server reaches the terminal or the reports, memory stays below 400 MiB, the run ends
by its deadline, and none of its processes is left. Where something was gone for a while, calls go well again
in the run's last seconds. Exit codes are explained in [gates.md](gates.md).
"""


def page() -> str:
    parts = [_HEAD]
    for title, cells in GROUPS.items():
        parts.append(f"## {title}\n")
        parts.append("| cell | fault | what the run does | ledger | exit code |\n|---|---|---|---|---|")
        parts.extend(_row(cell) for cell in cells)
        parts.append("")
    return "\n".join(parts)


def _row(cell: Cell) -> str:
    codes = " or ".join("killed" if code < 0 else str(code) for code in cell.codes)
    verdict = "" if cell.verdict == NOT_STARTED or cell.codes[0] < 0 else ", " + " or ".join(
        name.lower() for name in cell.verdict.split()
    )  # fmt: skip
    return f"| {cell.name} | {cell.fault} | {cell.does} | {cell.ledger_text} | {codes}{verdict} |"
