"""Checks that what came from a file or another process has the shape of a TypedDict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict


class ShapeError(ValueError):
    """What is wrong, and where."""


@lru_cache(maxsize=64)
def _hints(shape: type) -> Mapping[str, Any]:
    return get_type_hints(shape)


def check(value: object, shape: Any, where: str) -> None:
    """``ShapeError`` unless ``value`` fits: a TypedDict, list[X], dict[str, X] or plain types (X, X | Y).

    ``where`` names the value in the error. Keys that the shape does not have are allowed, so that a later
    writer may add some.
    """
    if is_typeddict(shape):
        found = _object(value, where)
        for key, inner in _hints(shape).items():
            if key not in found:
                if key in shape.__optional_keys__:
                    continue
                msg = f"{where}: {key!r} is missing"
                raise ShapeError(msg)
            check(found[key], inner, f"{where}.{key}")
    elif get_origin(shape) is dict:
        for key, item in _object(value, where).items():
            check(item, get_args(shape)[1], f"{where}.{key}")
    elif get_origin(shape) is list:
        if not isinstance(value, list):
            raise _unexpected(value, "a list", where)
        (inner,) = get_args(shape)
        if set(map(type, value)) <= {inner}:  # thousands of raw values come at once
            return
        for index, item in enumerate(value):
            check(item, inner, f"{where}[{index}]")
    else:
        kinds = get_args(shape) if isinstance(shape, UnionType) else (shape,)
        # Exact types: True is an int to isinstance. A float may be written without its point.
        if type(value) not in kinds and not (float in kinds and type(value) is int):
            names = ("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise _unexpected(value, " or ".join(names), where)


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _unexpected(value, "an object with text keys", where)
    return value


def _unexpected(value: object, wanted: str, where: str) -> ShapeError:
    return ShapeError(f"{where}: {wanted} is expected, not {type(value).__name__}")
