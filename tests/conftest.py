"""What every test starts from, however and on whatever machine the tests are run."""

from __future__ import annotations

import signal

import hypothesis

# Hooks, found here by their names.
from contract.summary import (  # noqa: F401
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

# A machine may be busy, and an example late by it: no test depends on how fast its examples are.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def default_signals() -> None:
    """Undo what ``nohup`` and a shell's ``&`` have every child inherit: SIGINT and SIGHUP are ignored."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


default_signals()
