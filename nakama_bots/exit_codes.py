"""How a command or a run ends; ``nakama-bots`` and Locust runs use the same exit codes."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """A process's exit code. 1 is Locust's own for any failure, and 2 argparse's for bad usage."""

    PASSED = 0
    FAILURES = 1
    USAGE = 2
    """Bad usage or configuration: found before any load was sent."""
    GATE_FAILED = 3
    INVALID = 4
    """The figures prove nothing: the generator was too slow, there are none, or they are the emulator's."""
    UNREACHABLE = 5
    """Nothing answered at the target."""


class Outcome(StrEnum):
    """The outcome of a run, or of one trial of a search."""

    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
