"""UUIDs in every form that the server reads: some clients send them without hyphens or in upper case."""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID: Final = re.compile(rf"(?:\{{({_PLAIN})\}}|({_PLAIN}))", re.IGNORECASE)
_URN: Final = "urn:uuid:"


def parse_uuid(text: str) -> str | None:
    """Return a UUID in lower case with hyphens, None for a text that is none.

    Accepted are 32 hexadecimal digits in any case, with hyphens or without, in braces or after ``urn:uuid:``.
    """
    found = _UUID.fullmatch(text.removeprefix(_URN))
    if found is None or (found[1] and text.startswith(_URN)):
        return None
    digits = (found[1] or found[2]).replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
