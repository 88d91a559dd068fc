"""The data file of a recorded scenario: match state, large values, and the calls that were recorded."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson

from nakama_bots.errors import ConfigError

VERSION: Final = 1
SUFFIX: Final = ".recorded.json"
_ACCEPTED: Final = "the data file that nakama-bots record wrote beside the scenario"

Message = tuple[float, int, bytes]
"""Seconds from the first message of its series, op code, data."""


@dataclass(frozen=True, slots=True)
class Replay:
    """``Replay.beside(__file__)`` reads the data of a scenario."""

    state: dict[str, list[Message]]
    """Match state that ``match.replay`` sends, by the name of its series."""
    values: dict[str, Any]
    """Values that are too large for the scenario."""
    calls: dict[str, list[list[str]]]
    """What was recorded: kind, name and outcome of each call, by role."""

    @classmethod
    def beside(cls, scenario: str) -> Self:
        """The data of the scenario in this file; ``ConfigError`` if it is missing or broken."""
        path = Path(scenario).with_suffix(SUFFIX)
        try:
            found = orjson.loads(path.read_bytes())
            state = {
                name: [(float(at), int(op_code), base64.b64decode(data)) for at, op_code, data in rows]
                for name, rows in found["state"].items()
            }
            values, calls = dict(found["values"]), dict(found["calls"])
        except OSError as error:
            raise ConfigError("data file", str(path), f"{_ACCEPTED} ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise ConfigError("data file", str(path), _ACCEPTED) from None
        return cls(state, values, calls)
