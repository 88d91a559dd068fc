"""Checks an object strictly against its TypedDict: unknown keys, missing keys, wrong types."""

from __future__ import annotations

from typing import Any, Required, get_args, get_origin, get_type_hints, is_typeddict

# Always sent, but not Required in the type: a caller may start with an empty object.
ALWAYS = {"Channel": ("id", "self"), "Notification": ("id", "subject", "content", "code", "create_time")}


def problems(value: Any, kind: Any, path: str = "") -> list[str]:
    """Return every mismatch between ``value`` and the type ``kind``, with its path."""
    if get_origin(kind) is Required:
        (kind,) = get_args(kind)
    base = get_origin(kind) or kind
    if is_typeddict(base):
        return _object(value, base, get_args(kind), path)
    if base is list:
        if not isinstance(value, list):
            return [f"{path}: {type(value).__name__}"]
        return [found for one in value for found in problems(one, get_args(kind)[0], f"{path}[]")]
    if base is dict:
        if not isinstance(value, dict):
            return [f"{path}: {type(value).__name__}"]
        return [found for one in value.values() for found in problems(one, get_args(kind)[1], f"{path}{{}}")]
    accepted = (float, int) if kind is float else (kind,)
    return [] if type(value) in accepted else [f"{path}: {type(value).__name__}"]


def _object(value: Any, kind: Any, arguments: tuple[Any, ...], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {type(value).__name__}"]
    known = get_type_hints(kind, include_extras=True)
    type_arguments = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=True))
    found = []
    for key, inner in value.items():
        if key in known:
            found += problems(inner, type_arguments.get(known[key], known[key]), f"{path}.{key}")
        else:
            found.append(f"{path}.{key}: unknown")
    required = [key for key, hint in known.items() if kind.__total__ or get_origin(hint) is Required]
    return found + [
        f"{path}.{key}: missing" for key in (*required, *ALWAYS.get(kind.__name__, ())) if key not in value
    ]
