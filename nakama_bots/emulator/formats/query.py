"""The query language of the matchmaker and of the match and party lists, as Nakama's parser reads it.

Nakama parses it with ``blugelabs/query_string`` (its lexer and grammar) and the keyword analyzer: a text is one
term. Clauses are separated by spaces: ``+`` must, ``-`` must not, without a sign: should. In ``field:value`` a
value is a term, a number (equal as a number or as text), ``>N >=N <N <=N`` of numbers without exponent or of
RFC 3339 times in quotes, ``/a regexp/``, has the wildcards ``*`` and ``?``, or ends in ``~1`` or ``~2``
(edits). ``^2`` boosts a clause in the order of candidates. A phrase in quotes never matches: keywords are
stored without the positions that a phrase needs. Only a space ends a term; ``-`` within it is part of it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from nakama_bots.emulator.formats.regexp import RegexpError, regexp

# A time is a separate type: no number and no text is equal to it.
Value = str | float | datetime
Document = Mapping[str, Sequence[Value]]
Accepts = Callable[[Value], bool]


class QuerySyntaxError(ValueError):
    """The query cannot be read."""


class QuerySearchError(ValueError):
    """The query is valid, but its search fails: an unusable regexp or fuzziness."""


@dataclass(frozen=True, slots=True)
class _Clause:
    sign: str
    field: str
    # Every accepting one counts; a number is searched as text and as a number.
    accepts: tuple[Accepts, ...]
    weight: float

    def score(self, document: Document) -> float:
        values = document.get(self.field, ())
        return self.weight * sum(any(map(accepts, values)) for accepts in self.accepts)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. ``ranked``: it has clauses that order the candidates.

    ``fault``: why every search fails, "" if none does.
    """

    must: tuple[_Clause, ...] = ()
    must_not: tuple[_Clause, ...] = ()
    should: tuple[_Clause, ...] = ()
    fault: str = ""

    @property
    def ranked(self) -> bool:
        """True if ``score`` may differ between candidates."""
        return bool(self.should)

    def score(self, document: Document) -> float | None:
        """Return how well ``document`` fits; None without a match. ``QuerySearchError`` for a ``fault``."""
        if self.fault:
            raise QuerySearchError(self.fault)
        if any(clause.score(document) for clause in self.must_not):
            return None
        total = 0.0
        for clause in self.must:
            score = clause.score(document)
            if not score:
                return None
            total += score
        fitting = sum(clause.score(document) for clause in self.should)
        if self.should and not self.must and not fitting:
            return None
        return total + fitting


def document(fields: Mapping[str, object]) -> dict[str, list[Value]]:
    """Return the index document of nested fields: paths joined by dots, each with all its values.

    Booleans are ``T`` and ``F``; a text that is a date or a time is a time; lists are many values
    (``BlugeWalkDocument``).
    """
    found: dict[str, list[Value]] = {}
    pending: list[tuple[str, object]] = list(fields.items())
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [(f"{path}.{name}", item) for name, item in value.items()]
        elif isinstance(value, list | tuple):
            pending += [(path, item) for item in value]
        elif value is not None:
            found.setdefault(path, []).append(_index(value))
    return found


def _index(value: object) -> Value:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    return text if (time := _time(text, dates=True)) is None else time


_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>(?P<t>[T ])\d\d:\d\d:\d\d(?:[.,]\d+)?(?P<zone>Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def _time(text: str, *, dates: bool) -> datetime | None:
    """Parse an RFC 3339 time; with ``dates`` also without zone, or only a day, as Nakama indexes them."""
    match = _TIME.fullmatch(text)
    if match is None or not (dates or match["zone"]) or (match["zone"] and match["t"] == " "):
        return None
    try:
        time = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# The characters that a backslash escapes; before any other it is literal.
_ESCAPABLE: Final = frozenset('+-=&|><!(){}[]^"~*?:\\/ ')
_TERM_ENDS: Final = frozenset(" :^~")
_SINGLES: Final = frozenset("+-:><=")
_SUFFIXES: Final = frozenset("^~")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # one of + - : > < = ^ ~ or: string, number, phrase
    text: str


def _escaped(text: str, at: int) -> str:
    return text[at] if text[at] in _ESCAPABLE else "\\" + text[at]


def _run(text: str, at: int, ends: frozenset[str]) -> tuple[str, bool, int]:
    """Return the text up to an unescaped end, whether it had escapes, and the position of that end."""
    taken, escaped = "", False
    while at < len(text) and text[at] not in ends:
        if text[at] == "\\":
            escaped = True
            at += 1
            if at < len(text):
                taken += _escaped(text, at)
        else:
            taken += text[at]
        at += 1
    return taken, escaped, min(at, len(text))


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        char = text[at]
        if char == '"':
            phrase, _, at = _run(text, at + 1, frozenset('"'))
            if at >= len(text):
                raise QuerySyntaxError(text)
            yield _Token("phrase", phrase)
            at += 1
        elif char in _SINGLES:
            yield _Token(char, char)
            at += 1
        elif char in _SUFFIXES:
            taken, _, at = _run(text, at + 1, frozenset(" "))
            yield _Token(char, taken or "1")
        elif char.isspace():
            at += 1
        else:
            taken, escaped, at = _run(text, at, _TERM_ENDS)
            if not taken:
                return  # a backslash at the very end
            plain = not escaped and char.isdecimal() and taken.replace(".", "", 1).isdecimal()
            yield _Token("number" if plain else "string", taken)


class _QueryParser:
    """The grammar (``query_string.y``): one or more of sign, base and suffix."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), _Token("end", "")]
        self._at = 0
        self.fault = ""

    def clauses(self) -> list[_Clause]:
        clauses = [self._clause()]
        while self._tokens[self._at].kind != "end":
            clauses.append(self._clause())
        return clauses

    def _is(self, kind: str, ahead: int = 0) -> bool:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)].kind == kind

    def _take(self, *kinds: str) -> str:
        token = self._tokens[self._at]
        if token.kind not in kinds:
            raise QuerySyntaxError(self._text)
        self._at += 1
        return token.text

    def _clause(self) -> _Clause:
        sign = self._take("+", "-") if self._is("+") or self._is("-") else ""
        field = ""
        if self._is("string") and self._is(":", 1):
            field = self._take("string")
            self._at += 1
        squared, accepts = self._base(bare=not field)
        boost = self._number(self._take("^")) if self._is("^") else 1.0
        # Nakama applies a term's boost to the term and to the enclosing query.
        return _Clause(sign, field, accepts, boost * boost if squared else boost)

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise QuerySyntaxError(self._text) from None

    def _base(self, *, bare: bool) -> tuple[bool, tuple[Accepts, ...]]:
        if self._is("phrase"):
            self._at += 1
            return False, (_never,)
        if self._is("string"):
            term = self._take("string")
            if self._is("~"):
                return True, (self._fuzzy(term, self._number(self._take("~"))),)
            return self._term(term)
        if not bare and (self._is("<") or self._is(">")):
            return False, (self._range(),)
        sign = "-" if not bare and self._is("-") else ""
        self._at += bool(sign)
        text = sign + self._take("number")
        return False, (_equal(text), _equal(float(text)))

    def _term(self, term: str) -> tuple[bool, tuple[Accepts, ...]]:
        if term.startswith("/") and term.endswith("/"):
            if term == "/":
                raise QuerySyntaxError(self._text)
            return False, (self._regexp(term[1:-1].removeprefix("^")),)
        if "*" in term or "?" in term:
            pattern = "".join(_WILDCARD.get(char) or _literal(char) for char in term)
            return False, (self._regexp(pattern),)
        return True, (_equal(term),)

    def _regexp(self, pattern: str) -> Accepts:
        try:
            compiled = regexp(pattern)
        except RegexpError:
            self.fault = pattern
            return _never
        # Numbers and times are stored as texts that clients cannot know; ``.*`` finds them.
        return lambda value: compiled.fullmatch(value if isinstance(value, str) else "\uffff" * 11) is not None

    def _fuzzy(self, term: str, fuzziness: float) -> Accepts:
        if not math.isfinite(fuzziness) or not 0 <= int(fuzziness) <= 2:
            self.fault = term
            return _never
        edits = int(fuzziness)
        return lambda value: isinstance(value, str) and _distance(term, value, edits) <= edits

    def _range(self) -> Accepts:
        sign = self._take("<", ">") + (self._take("=") if self._is("=") else "")
        compare = _COMPARE[sign]
        if self._is("phrase"):
            bound = _time(self._take("phrase"), dates=False)
            if bound is None:
                raise QuerySyntaxError(self._text)
            return lambda value: isinstance(value, datetime) and compare(value, bound)
        minus = self._take("-") if self._is("-") else ""
        number = float(minus + self._take("number"))
        return lambda value: isinstance(value, float) and compare(value, number)


_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_WILDCARD: Final = {"*": ".*", "?": "."}
_MATCH_ALL: Final = Query()


def _literal(char: str) -> str:
    return "\\" + char if char in "+()^$.{}[]|\\" else char


def _never(_: Value) -> bool:
    return False


def _equal(wanted: str | float) -> Accepts:
    kind = type(wanted)
    return lambda value: type(value) is kind and value == wanted


def _distance(one: str, other: str, limit: int) -> int:
    """Return the edit distance; any result above ``limit`` only means "too far"."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        above, row = row, [number]
        for place, against in enumerate(other, 1):
            row.append(min(row[-1] + 1, above[place] + 1, above[place - 1] + (char != against)))
    return row[-1]


@lru_cache(maxsize=1024)
def parse(text: str) -> Query:
    """Parse a query; ``*`` matches everything, "" nothing. ``QuerySyntaxError``."""
    if text == "*":
        return _MATCH_ALL
    if not text:
        return Query(should=(_Clause("", "", (_never,), 1.0),))
    parser = _QueryParser(text)
    clauses = parser.clauses()
    by_sign = {sign: tuple(clause for clause in clauses if clause.sign == sign) for sign in ("+", "-", "")}
    return Query(by_sign["+"], by_sign["-"], by_sign[""], parser.fault)
