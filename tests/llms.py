"""docs/llms.txt, for assistants that write scenarios: what this is, a whole example, and every page in a line.

``python tests/llms.py`` prints it; it is made from README.md, docs/index.md and docs/tutorial.md.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DOCUMENT: Final = ROOT / "docs" / "llms.txt"

INTRODUCTION: Final = """\
A scenario is one Python file. This one is complete: a behaviour is the script of one player, a user class
says how players come together. The commands start it without a server (the emulator), hold it to a gate,
and let its bots play with humans."""

_ROW: Final = re.compile(r"^\| \[([^\]]+)\]\(([^)]+)\) \| (.+) \|$", re.MULTILINE)


def document() -> str:
    """The whole text."""
    read = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/index.md")}
    summary = " ".join(read["README.md"].split("\n\n")[1].split())
    first, reference = read["docs/index.md"].split("Reference:")
    parts = [
        "# nakama_bots",
        f"> {plain(summary)}",
        INTRODUCTION,
        example(),
        "## Docs",
        pages(first),
        "## Reference",
        pages(reference),
    ]
    return "\n\n".join(parts) + "\n"


def example() -> str:
    """The tutorial's first scenario and its commands."""
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:python|sh)\n.*?```", tutorial, re.DOTALL)
    return "\n\n".join(blocks[:2])


def pages(index: str) -> str:
    """The rows of a table of pages as a list of links."""
    rows = _ROW.findall(index)
    listed = [row for row in rows if row[1] != DOCUMENT.name]
    return "\n".join(f"- [{name}]({target}): {plain(what)}" for name, target, what in listed)


def plain(text: str) -> str:
    """``text`` without the targets of its links."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


if __name__ == "__main__":
    print(document(), end="")
