"""Checks that data from a file or another process has a schema and the shape of a TypedDict."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from nakama_bots.errors import NakamaError

T = TypeVar("T")


class ShapeError(ValueError):
    """A value does not have the shape: what is wrong, and where."""


def check(value: object, shape: Any, where: str) -> None:
    """Raise ``ShapeError`` unless ``value`` fits ``shape``: a TypedDict, lists or dicts of it, or plain types.

    ``where`` names the value in the error. Unknown keys are allowed, so that a later version may add some.
    """
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text, at, path = str(error).replace("`", "").partition(" - at ")
        raise ShapeError(f"{path.replace('$', where) if at else where}: {text}") from None


def document(value: object, shape: type[T], schema: str, problem: type[NakamaError], no: str = "") -> T:
    """Return ``value`` as the content of a file of ``schema``, ``nakama-bots/name/version`` (or an older one).

    Raises ``problem``, which says what is wrong; ``no`` is its text for something else than such a file.
    """
    found = value.get("schema") if isinstance(value, dict) else None
    family, _, latest = schema.rpartition("/")
    name = family.rpartition("/")[2]
    of, _, version = str(found).rpartition("/")
    if of != family or not version.isdecimal():
        raise problem(f'{no or f"not a {name}"} (its "schema" is {found!r:.80}, not {schema!r})')
    if int(version) > int(latest):
        raise problem(f"written by a newer nakama-bots (schema {version}); this one reads up to {latest}")
    try:
        check(value, shape, name)
    except ShapeError as error:
        raise problem(f"a damaged {name} ({error})") from None
    return cast("T", value)
