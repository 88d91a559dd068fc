"""Match state that a player sent: kept as a data file, or summed up as op codes, sizes and a rate."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nakama_bots.record.redact import Redactor

MOST_STATE: Final = 4 * 1024 * 1024
"""Bytes of match state that a data file has, of all series together."""


@dataclass(slots=True)
class Series:
    """Messages of one player in one match: seconds from the first one, op code and data of each."""

    name: str
    messages: list[tuple[float, int, bytes]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        return self.messages[-1][0] - self.messages[0][0]

    @property
    def rate(self) -> float:
        """Messages a second."""
        seconds = self.seconds
        return round((len(self.messages) - 1) / seconds, 1) if seconds > 0 else float(len(self.messages))

    def model(self) -> dict[str, Any]:
        """As the data file has it: the rate, and op code, fewest and most bytes, and number of each kind."""
        counts = Counter(op_code for _, op_code, _ in self.messages)
        rows = []
        for op_code, number in counts.most_common():
            sizes = [len(data) for _, one, data in self.messages if one == op_code]
            rows.append((op_code, min(sizes), max(sizes), number))
        return {"rate": self.rate, "seconds": round(max(self.seconds, 0.1), 1), "sent": rows}


def packed(all_series: Sequence[Series], redactor: Redactor, notes: list[str]) -> dict[str, Any]:
    """The series as the data file has them: ``[seconds, op code, base64]`` of each message."""
    left = MOST_STATE
    found: dict[str, Any] = {}
    for series in all_series:
        rows: list[list[Any]] = []
        start = series.messages[0][0]
        for at, op_code, data in series.messages:
            if len(data) > left:
                missing = len(series.messages) - len(rows)
                notes.append(
                    f"match state beyond {MOST_STATE:,} bytes is left out: {missing:,} of "
                    f"{len(series.messages):,} messages of {series.name!r}"
                )
                break
            left -= len(data)
            rows.append([round(at - start, 4), op_code, base64.b64encode(redactor.data(data)).decode()])
        found[series.name] = rows
    return found
