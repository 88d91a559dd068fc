"""Checks that data from a file or another process has the shape of a TypedDict."""

from __future__ import annotations

from typing import Any

import msgspec


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
