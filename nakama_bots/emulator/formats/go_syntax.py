"""The words of Go's ``encoding/json`` for a text that is not JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

END: Final = "unexpected end of JSON input"
_BLANK: Final = " \t\r\n"
_WORDS: Final = {"t": "true", "f": "false", "n": "null"}


class _WrongCharacter(Exception):
    """A character where Go expects another; none is left at the end of the text. ``escape``: its length."""

    def __init__(self, where: str, escape: int = 0) -> None:
        super().__init__(where)
        self.where = where
        self.escape = escape


def syntax_error(content: bytes) -> str:
    """Return what Go says about invalid JSON; "" if it is valid."""
    scanner = _Scanner(content.decode("utf-8", "replace"))
    try:
        scanner.document()
    except _WrongCharacter as wrong:
        left = scanner.text[scanner.at : scanner.at + (wrong.escape or 1)]
        if not left:
            return END
        if wrong.escape:
            return f"invalid escape sequence `{left}` {wrong.where}"
        return f"invalid character {_quoted(left)} {wrong.where}"
    return ""


def _quoted(character: str) -> str:
    if character in "'\"":
        return {"'": "'\\''", '"': "'\"'"}[character]
    if character.isprintable() and character != "\\":
        return f"'{character}'"
    return {"\\": r"'\\'", "\n": r"'\n'", "\r": r"'\r'", "\t": r"'\t'"}.get(character, _escape(character))


def _escape(character: str) -> str:
    code = ord(character)
    return f"'\\x{code:02x}'" if code < 0x80 else f"'\\u{code:04x}'"


class _Scanner:
    """``at``: the place in ``text`` of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        # For each open list or object, what follows one of its values.
        self._open: list[Callable[[], bool]] = []

    def document(self) -> None:
        """Read one value, and nothing after it."""
        while self._begin():
            pass
        while self._open:
            if not self._open[-1]():
                self._open.pop()
                continue
            while self._begin():
                pass
        if self._next():
            raise _WrongCharacter("after top-level value")

    def _next(self) -> str:
        """Skip blanks, and return the next character, "" at the end."""
        while self.text[self.at : self.at + 1] in tuple(_BLANK):
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _begin(self) -> bool:
        """Read a value; of a list or an object only the start: True if its first value is next."""
        first = self._next()
        if first in ("{", "["):
            self.at += 1
            listed = first == "["
            if self._next() == ("]" if listed else "}"):
                self.at += 1
                return False
            if not listed:
                self._key()
            self._open.append(self._after_element if listed else self._after_member)
            return True
        if first == '"':
            self._string()
        elif first in tuple(_WORDS):
            self._word(_WORDS[first])
        elif first and first in "-0123456789":
            self._number()
        else:
            raise _WrongCharacter("looking for beginning of value")
        return False

    def _after_element(self) -> bool:
        return self._followed("]", "after array element")

    def _after_member(self) -> bool:
        more = self._followed("}", "after object key:value pair")
        if more:
            self._key()
        return more

    def _followed(self, end: str, where: str) -> bool:
        found = self._next()
        if found not in (",", end):
            raise _WrongCharacter(where)
        self.at += 1
        return found == ","

    def _key(self) -> None:
        if self._next() != '"':
            raise _WrongCharacter("looking for beginning of object key string")
        self._string()
        if self._next() != ":":
            raise _WrongCharacter("after object key")
        self.at += 1

    def _string(self) -> None:
        self.at += 1
        while True:
            self._skip(r'[^"\\\x00-\x1f]*')
            if self._expect('"\\', "in string") == '"':
                return
            self._escape()

    def _escape(self) -> None:
        letter = self.text[self.at : self.at + 1]
        size = 6 if letter == "u" else 2
        start, wanted = self.at - 1, r"u[0-9a-fA-F]{4}" if letter == "u" else r'["\\/bfnrt]'
        if not self._skip(wanted):
            self.at = start if letter and start + size <= len(self.text) else len(self.text)
            raise _WrongCharacter("in string", size)

    def _word(self, word: str) -> None:
        self.at += 1
        for wanted in word[1:]:
            self._expect(wanted, f"in literal {word} (expecting '{wanted}')")

    def _number(self) -> None:
        digits, where = "0123456789", "in numeric literal"
        self._skip("-?")
        if self._expect(digits, where) != "0":
            self._skip("[0-9]*")
        if self._skip(r"\."):
            self._expect(digits, where)
            self._skip("[0-9]*")
        if self._skip("[eE]"):
            self._skip("[+-]?")
            self._expect(digits, where)
            self._skip("[0-9]*")

    def _expect(self, accepted: str, where: str) -> str:
        found = self.text[self.at : self.at + 1]
        if not found or found not in accepted:
            raise _WrongCharacter(where)
        self.at += 1
        return found

    def _skip(self, pattern: str) -> bool:
        """Skip what matches; True if that is any text."""
        found = re.compile(pattern).match(self.text, self.at)
        end = found.end() if found else self.at
        moved, self.at = end > self.at, end
        return moved
