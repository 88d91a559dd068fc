"""Regular expressions in time linear in the text, for patterns that a client sends.

What Nakama's index (vellum) takes: literals, ``.``, classes, ``\\d \\w \\s``, groups, ``|``, ``* + ?``,
``{m,n}``;
no anchors, no lazy quantifiers, no assertions. Python's own engine would hang on ``(a+)+b``; this one keeps the
set of states it can be in (https://swtch.com/~rsc/regexp/regexp1.html). A pattern matches a whole text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# As vellum's limit, so that {1000}{1000} is refused and not built.
_MOST_STATES: Final = 10_000
_DEEPEST: Final = 100

Test = Callable[[str], bool]


class RegexpError(ValueError):
    """The pattern cannot be used."""


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _space(char: str) -> bool:
    return char in " \t\n\f\r"


_CLASSES: Final[dict[str, Test]] = {"d": _digit, "w": _word, "s": _space}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


def _literal(char: str) -> Test:
    return lambda other: other == char


def _no(test: Test) -> Test:
    return lambda char: not test(char)


def _within(low: str, high: str) -> Test:
    return lambda char: low <= char <= high


def _any(_: str) -> bool:
    return True


# A state: a test with the state after it, or None with the states that cost nothing.
_State = tuple[Test | None, list[int]]
# A piece of a pattern: given the state after it, adds its own states and returns the first.
_Piece = Callable[[int], int]


class Regexp:
    """A compiled pattern; ``RegexpError`` when it cannot be used."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._states: list[_State] = [(None, [])]
        piece = self._alternatives()
        if self._at < len(pattern):
            raise RegexpError(pattern)
        self._start = piece(0)

    def fullmatch(self, text: str) -> bool:
        """Whether the whole of ``text`` fits."""
        current = self._closure([self._start])
        for char in text:
            following = [
                after[0]
                for test, after in map(self._states.__getitem__, current)
                if test is not None and test(char)
            ]
            if not following:
                return False
            current = self._closure(following)
        return 0 in current

    def _closure(self, states: list[int]) -> set[int]:
        seen: set[int] = set()
        pending = states
        while pending:
            state = pending.pop()
            if state not in seen:
                seen.add(state)
                test, after = self._states[state]
                if test is None:
                    pending.extend(after)
        return seen

    def _add(self, test: Test | None, after: list[int]) -> int:
        if len(self._states) >= _MOST_STATES:
            raise RegexpError(self._pattern)
        self._states.append((test, after))
        return len(self._states) - 1

    def _peek(self) -> str:
        return self._pattern[self._at] if self._at < len(self._pattern) else ""

    def _take(self) -> str:
        if self._at >= len(self._pattern):
            raise RegexpError(self._pattern)
        self._at += 1
        return self._pattern[self._at - 1]

    def _alternatives(self) -> _Piece:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda after: self._add(None, [branch(after) for branch in branches])

    def _sequence(self) -> _Piece:
        pieces: list[_Piece] = []
        while self._peek() not in ("", "|", ")"):
            pieces.append(self._repeated(self._atom()))

        def build(after: int) -> int:
            for piece in reversed(pieces):
                after = piece(after)
            return after

        return build

    def _repeated(self, piece: _Piece) -> _Piece:
        counts: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self._peek()
        if sign in counts and sign:
            self._at += 1
            bounds = counts[sign]
        elif sign == "{":
            bounds = self._bounds()
        else:
            return piece
        if self._peek() in ("*", "+", "?", "{") and self._peek():
            raise RegexpError(self._pattern)  # lazy, possessive or repeated twice
        return self._repeat(piece, *bounds)

    def _bounds(self) -> tuple[int, int | None]:
        end = self._pattern.find("}", self._at)
        low, comma, high = self._pattern[self._at + 1 : end].partition(",")
        if end < 0 or not low.isdecimal() or not (high.isdecimal() or not high) or len(low + high) > 8:
            raise RegexpError(self._pattern)
        self._at = end + 1
        most = int(high) if high else None if comma else int(low)
        if int(low) > 1000 or (most is not None and not int(low) <= most <= 1000):
            raise RegexpError(self._pattern)
        return int(low), most

    def _repeat(self, piece: _Piece, low: int, high: int | None) -> _Piece:
        def build(after: int) -> int:
            if high is None:
                loop = self._add(None, [after])
                self._states[loop][1].append(piece(loop))
                after = loop
            else:
                end = after
                for _ in range(high - low):
                    after = self._add(None, [end, piece(after)])
            for _ in range(low):
                after = piece(after)
            return after

        return build

    def _atom(self) -> _Piece:
        char = self._take()
        if char == "(":
            return self._group()
        if char in "*+?{^$":
            raise RegexpError(self._pattern)
        test: Test = {".": _any}.get(char) or _literal(char)
        if char == "[":
            test = self._class()
        elif char == "\\":
            test = self._escape()
        return lambda after: self._add(test, [after])

    def _group(self) -> _Piece:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RegexpError(self._pattern)
        if self._pattern.startswith("?:", self._at):
            self._at += 2
        piece = self._alternatives()
        if self._take() != ")":
            raise RegexpError(self._pattern)
        self._depth -= 1
        return piece

    def _escape(self) -> Test:
        char = self._take()
        if char.lower() in _CLASSES:
            test = _CLASSES[char.lower()]
            return test if char.islower() else _no(test)
        if char in _CONTROLS:
            return _literal(_CONTROLS[char])
        if char.isalnum():
            raise RegexpError(self._pattern)  # \b and the like
        return _literal(char)

    def _class(self) -> Test:
        negated = self._peek() == "^"
        self._at += negated
        tests: list[Test] = []
        while not tests or self._peek() != "]":
            low = self._take()
            if low == "\\":
                tests.append(self._escape())
            elif self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                high = self._take()
                if high < low:
                    raise RegexpError(self._pattern)
                tests.append(_within(low, high))
            else:
                tests.append(_literal(low))
        self._at += 1
        return lambda char: any(test(char) for test in tests) != negated
