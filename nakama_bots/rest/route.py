"""One row an operation: HTTP method, path template, and the type of the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import quote

from nakama_bots.rest.transports.seam import IDEMPOTENT

T = TypeVar("T")

# None leaves the parameter out; a sequence repeats it, as the server wants lists (a comma is data to it).
QueryValue: TypeAlias = str | int | bool | Sequence[str] | None
Query: TypeAlias = Mapping[str, QueryValue]

_PARAMETER = re.compile(r"\{(\w+)\}")
# A path ending in "/" is another route, and dot segments are resolved away by clients, proxies and Go's mux.
_NOT_A_SEGMENT = frozenset(("", ".", ".."))


# Not slotted: Python 3.11 cannot make Route[...](...) of a frozen, slotted and generic dataclass.
@dataclass(frozen=True)
class Route(Generic[T]):
    """An operation ``method template`` whose answer is a ``T``: ``Route[Account]("GET", "/v2/account")``.

    ``template`` holds parameters in braces. It is the name of the operation in statistics, never a path with
    the parameters filled in. ``repeatable`` says whether calling twice does what calling once does; None: as
    RFC 9110 section 9.2.2 has it for the method.
    """

    method: str
    template: str
    repeatable: bool | None = None
    parameters: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _texts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = _PARAMETER.split(self.template)
        object.__setattr__(self, "_texts", tuple(pieces[::2]))
        object.__setattr__(self, "parameters", tuple(pieces[1::2]))

    @property
    def idempotent(self) -> bool:
        """Whether it may be sent again after a failure."""
        return self.method in IDEMPOTENT if self.repeatable is None else self.repeatable

    def path(self, values: Sequence[str] = (), query: Query | None = None) -> str:
        """The path with ``values`` for its parameters in order, and the query; both percent-encoded.

        A wrong number of values, or one that cannot be a path segment, is a ``ValueError``.
        """
        if len(values) != len(self.parameters):
            msg = f"{self.method} {self.template} takes {len(self.parameters)} path values, not {len(values)}"
            raise ValueError(msg)
        path = self._texts[0]
        for name, value, text in zip(self.parameters, values, self._texts[1:], strict=True):
            if value in _NOT_A_SEGMENT:
                msg = f"{name} of {self.method} {self.template} must be a text other than '', '.' and '..'"
                raise ValueError(f"{msg}, not {value!r}")
            path += quote(value, safe="") + text
        if query:
            encoded = encode_query(query)
            if encoded:
                path += "?" + encoded
        return path


def encode_query(query: Query) -> str:
    """``a=1&ids=x&ids=y``; keys are written as they are, values percent-encoded."""
    parts: list[str] = []
    for key, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            # Before int: a bool is one, and the server reads true and false.
            parts.append(f"{key}={'true' if value else 'false'}")
        elif isinstance(value, str):
            parts.append(f"{key}={quote(value, safe='')}")
        elif isinstance(value, int):
            parts.append(f"{key}={value}")
        else:
            parts.extend(f"{key}={quote(item, safe='')}" for item in value)
    return "&".join(parts)
