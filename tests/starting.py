"""What a process of tests inherits from whatever started it."""

from __future__ import annotations

import signal


def default_signals() -> None:
    """Undo what ``nohup`` and a shell's ``&`` have every child inherit: SIGINT and SIGHUP are ignored."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
