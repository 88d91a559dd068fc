"""The table of nk's functions in docs/modules.md, from their signatures and docstrings.

python tests/nk_reference.py          # rewrites it
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from nakama_bots.emulator.runtime.nk import Nk
from nakama_bots.emulator.runtime.nk.arguments import FunctionFamily

DOCUMENT = Path(__file__).parents[1] / "docs" / "modules.md"
BEGIN, END = "<!-- functions -->\n", "<!-- end of functions -->\n"


def _call(name: str, function: object) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]  # type: ignore[arg-type]
    shown = [one.name if one.default is inspect.Parameter.empty else f"{one.name}?" for one in parameters]
    return f"`{name}({', '.join(shown)})`"


def table() -> str:
    """The whole reference, one part per family."""
    parts: list[str] = []
    for family in Nk.__mro__[1:]:
        if (
            not issubclass(family, FunctionFamily)
            or family is FunctionFamily
            or all(name.startswith("_") for name in vars(family))
        ):
            continue
        title = (inspect.getdoc(family) or "").splitlines()[0]
        rows = [
            f"| {_call(name, function)} | {' '.join((inspect.getdoc(function) or '').split())} |"
            for name, function in vars(family).items()
            if callable(function) and not name.startswith("_")
        ]
        parts.append("\n".join((f"### {title}", "", "| function | what it does |", "|---|---|", *rows, "")))
    return "\n".join(parts)


def written() -> str:
    """The document with the current reference."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT}\n")
