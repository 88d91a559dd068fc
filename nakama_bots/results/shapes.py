"""Checks that what came from a file or another process has the shape of a TypedDict."""

from __future__ import annotations

from typing import Any

import msgspec


class ShapeError(ValueError):
    """What is wrong, and where."""


def check(value: object, shape: Any, where: str) -> None:
    """``ShapeError`` unless ``value`` fits ``shape``: a TypedDict, a list or a dict of such, or plain types.

    ``where`` names the value in the error. Keys that the shape does not have are allowed, so that a later
    writer may add some.
    """
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text, at, path = str(error).replace("`", "").partition(" - at ")
        raise ShapeError(f"{path.replace('$', where) if at else where}: {text}") from None
