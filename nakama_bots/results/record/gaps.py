"""What the figures of a run lack: seconds that were not kept, gauges that were not read, and why. Pure.

Code that keeps figures notes failures here and continues; each gap is a line of the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypedDict

FIGURES: Final = "figures"
"""What was recorded in these seconds is lost."""
GAUGES: Final = "gauges"
"""Some of the values that are read once a second were not read."""

MOST: Final = 100
"""Most gaps that are kept; later ones extend the last of their kind, or are left out."""
_ADJACENT: Final = 1.5
"""Seconds between two gaps up to which they count as one."""


class Gap(TypedDict):
    """``what`` of ``source`` is missing for ``seconds`` from ``at`` (since 1970), because of ``reason``."""

    source: str
    what: str
    at: float
    seconds: float
    reason: str


class GapPart(TypedDict):
    """A gap in seconds after the start of the run."""

    source: str
    what: str
    first_s: float
    last_s: float
    reason: str


class Gaps:
    """The gaps of a run in the order in which they were noted; adjacent gaps are merged."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []

    def __len__(self) -> int:
        return len(self._gaps)

    def __iter__(self) -> Iterator[Gap]:
        return iter(list(self._gaps))

    def add(self, gap: Gap) -> bool:
        """Keep ``gap``; True if it is a new one."""
        for known in reversed(self._gaps):
            if (known["source"], known["what"], known["reason"]) != (gap["source"], gap["what"], gap["reason"]):
                continue
            ended = known["at"] + known["seconds"]
            if len(self._gaps) < MOST and not -_ADJACENT <= gap["at"] - ended <= _ADJACENT:
                break
            known["seconds"] = max(ended, gap["at"] + gap["seconds"]) - known["at"]
            return False
        if len(self._gaps) < MOST:
            self._gaps.append({**gap})
        return True

    def take(self) -> list[Gap]:
        """Return the gaps since the last call."""
        taken, self._gaps = self._gaps, []
        return taken

    def parts(self, started: float) -> list[GapPart]:
        """Return the part of the summary; ``started`` in seconds since 1970."""
        return [
            {
                "source": gap["source"],
                "what": gap["what"],
                "first_s": round(max(0.0, gap["at"] - started), 3),
                "last_s": round(max(0.0, gap["at"] + gap["seconds"] - started), 3),
                "reason": gap["reason"],
            }
            for gap in self._gaps
        ]


def gap_lines(parts: Iterable[GapPart]) -> list[str]:
    """Return a line per gap: ``figures of seconds 3 to 9 are missing: Too many open files``."""
    lines = []
    for part in parts:
        of = f" ({part['source']})" if part["source"] else ""
        seconds = f"seconds {part['first_s']:.0f} to {part['last_s']:.0f}"
        lines.append(f"{part['what']} of {seconds} are missing{of}: {part['reason']}")
    return lines


def hole(source: str, first: float, last: float) -> Gap:
    """Return the gap of a source that has no interval from ``first`` to ``last``."""
    reason = "the time line has a hole"
    return {"source": source, "what": FIGURES, "at": first, "seconds": last - first, "reason": reason}


def reason_of(error: BaseException) -> str:
    """Return the cause of a gap in a few words, without details that vary."""
    strerror = getattr(error, "strerror", None)
    return strerror if isinstance(strerror, str) else f"{type(error).__name__}: {error}"[:200]
