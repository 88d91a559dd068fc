"""What a process of tests inherits from whatever started it, and the order of the files."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

# Rooms whose tests wait for processes and run times. The rest needs the processor and no patience.
WAITING: Final = (
    "ops", "load", "scenarios", "faults", "test_docs.py", "fill", "record", "cli", "benchmarks", "emulator",
)  # fmt: skip
_TESTS: Final = Path(__file__).parent


def default_signals() -> None:
    """Undo what ``nohup`` and a shell's ``&`` have every child inherit: SIGINT and SIGHUP are ignored."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def keep_bytecode() -> None:
    """Undo PYTHONDONTWRITEBYTECODE: hundreds of child processes would each compile the whole package again."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def no_authorities() -> None:
    """Use none of the machine's certificate authorities: each of hundreds of processes would read them all."""
    os.environ["SSL_CERT_FILE"] = os.devnull


def pytest_configure(config: pytest.Config) -> None:
    """Keep our order under xdist, which would start the files with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits comes first, so that no process ends the suite alone, with a minute of waiting."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    parts = item.path.relative_to(_TESTS).parts if item.path.is_relative_to(_TESTS) else ()
    return WAITING.index(parts[0]) if parts and parts[0] in WAITING else len(WAITING)
