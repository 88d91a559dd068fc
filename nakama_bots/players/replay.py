"""The data file of a recorded scenario: match state, large values, and the calls that were recorded."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.players.behaviours.behaviour import Behaviour
from nakama_bots.players.behaviours.seat import Seat

VERSION: Final = 1
SUFFIX: Final = ".recorded.json"
_ACCEPTED: Final = "the data file that nakama-bots record wrote beside the scenario"


class Like(Behaviour):
    """Sends random bytes: of each op code the fewest and most bytes, and how often it was recorded."""

    def __init__(self, sent: Sequence[tuple[int, int, int, int]]) -> None:
        self._sent = sent
        self._often = [often for _, _, _, often in sent]

    def on_tick(self, seat: Seat) -> None:
        """Send one message."""
        op_code, least, most, _ = seat.random.choices(self._sent, self._often)[0]
        seat.send(op_code, seat.random.randbytes(seat.random.randint(least, most)))


Message = tuple[float, int, bytes]
"""Seconds from the first message of its series, op code, data."""


@dataclass(frozen=True, slots=True)
class Replay:
    """``Replay.beside(__file__)`` reads the data of a scenario."""

    state: dict[str, list[Message]]
    """Match state that ``match.replay`` sends, by the name of its series."""
    models: dict[str, dict[str, Any]]
    """What ``match.play`` needs to send messages like the recorded ones, by the name of their series."""
    values: dict[str, Any]
    """Values that are too large for the scenario."""
    calls: dict[str, list[list[str]]]
    """What was recorded: kind, name and outcome of each call, by role."""
    sent: dict[str, int]
    """How many messages of matches were recorded, by role."""
    players: int = 1
    """Users that play it together."""

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
            models = {name: _model(one) for name, one in found.get("models", {}).items()}
            values, calls = dict(found["values"]), dict(found["calls"])
            sent = {name: int(number) for name, number in found.get("sent", {}).items()}
            players = int(found.get("players", max(1, len(calls))))
        except OSError as error:
            raise ConfigError("data file", str(path), f"{_ACCEPTED} ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise ConfigError("data file", str(path), _ACCEPTED) from None
        return cls(state, models, values, calls, sent, players)


def _model(found: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``match.play``."""
    sent = [(int(op_code), int(least), int(most), int(often)) for op_code, least, most, often in found["sent"]]
    return {"behaviour": Like(sent), "rate": float(found["rate"]), "seconds": float(found["seconds"])}
