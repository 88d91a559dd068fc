"""What each scenario of a run must do, and whether it was done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from nakama_bots.observer import PURPOSE_PREFIX


@dataclass(frozen=True, slots=True)
class Purpose:
    """What ``scenario`` must do at least once: names of counts or samples, or ``KIND name`` of a successful
    call. ``hint`` says what to do if it was not done.
    """

    scenario: str
    must_do: tuple[str, ...]
    hint: str = ""


class PurposePart(TypedDict):
    """``done``: how often the ``users`` of a scenario did each thing that must be done."""

    scenario: str
    users: int
    done: dict[str, int]
    hint: str


def purpose_parts(purposes: Iterable[Purpose], counts: Mapping[str, int]) -> list[PurposePart]:
    """Return the scenarios that had users, from the ``counts`` of a run."""
    return [
        {
            "scenario": purpose.scenario,
            "users": counts[PURPOSE_PREFIX + purpose.scenario],
            "done": {
                name: counts.get(f"{PURPOSE_PREFIX}{purpose.scenario}.{name}", 0) for name in purpose.must_do
            },
            "hint": purpose.hint,
        }
        for purpose in purposes
        if counts.get(PURPOSE_PREFIX + purpose.scenario)
    ]


def undone_lines(parts: Iterable[PurposePart]) -> list[str]:
    """Return a line for each scenario that never did what it must do."""
    lines = []
    for part in parts:
        undone = ", ".join(f"{name} is 0" for name, number in part["done"].items() if not number)
        if undone:
            hint = f" ({part['hint']})" if part["hint"] else ""
            lines.append(
                f"{part['scenario']} never did what it is for: {undone} with {part['users']:,} users{hint}"
            )
    return lines
