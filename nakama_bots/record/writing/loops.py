"""Loops in the source of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LONGEST_LOOP: Final = 4


def folded(lines: Sequence[str]) -> list[str]:
    """Return ``lines`` with a loop for lines that repeat."""
    done: list[str] = []
    index = 0
    while index < len(lines):
        for size in range(1, _LONGEST_LOOP + 1):
            block = list(lines[index : index + size])
            number = 1
            while list(lines[index + number * size : index + (number + 1) * size]) == block:
                number += 1
            if number * size >= size + 2 and number > 2 and all(map(_repeatable, block)) and _level(block):
                pad = block[0][: len(block[0]) - len(block[0].lstrip())]
                done.append(f"{pad}for _ in range({number}):")
                done += [f"    {line}" for line in block]
                index += number * size
                break
        else:
            done.append(lines[index])
            index += 1
    return done


def _repeatable(line: str) -> bool:
    text = line.strip()
    return (
        text.endswith(")") and text[0].isalpha() and not text.startswith(("with ", "for ")) and len(line) < 85
    )


def _level(block: Sequence[str]) -> bool:
    return len({len(line) - len(line.lstrip()) for line in block}) == 1
