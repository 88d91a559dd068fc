"""JSON Schema (draft 2020-12) of the files that others read, made from the TypedDicts that check them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints, is_typeddict

import orjson

from nakama_bots.results import summary
from nakama_bots.results.gate import verdict
from nakama_bots.results.record import timeline

FILES: Final[Mapping[str, tuple[type, str]]] = {
    "summary": (summary.Summary, summary.SCHEMA),
    "verdict": (verdict.VerdictPart, verdict.SCHEMA),
    "interval": (timeline.Interval, timeline.SCHEMA),
}
"""By name: the shape, and what stands in ``schema``. An interval is a line of a time line."""

_PLAIN: Final[dict[object, dict[str, object]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one of ``FILES``."""
    shape, identity = FILES[name]
    definitions: dict[str, Any] = {}
    root = _schema(shape, definitions)
    top = definitions.pop(shape.__name__)
    if "schema" in top["properties"]:
        top["properties"]["schema"] = {"const": identity}
    assert root == {"$ref": f"#/$defs/{shape.__name__}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{name} ({identity})",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def as_text(name: str) -> str:
    """The schema's file."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(schema_of(name), option=options).decode()


def _schema(shape: Any, definitions: dict[str, Any]) -> dict[str, object]:
    if is_typeddict(shape):
        if shape.__name__ not in definitions:
            definitions[shape.__name__] = {}  # before its parts: they may hold it
            definitions[shape.__name__] = {
                "description": " ".join((inspect.getdoc(shape) or "").replace("``", "`").split()),
                "type": "object",
                "properties": {
                    key: _schema(inner, definitions) for key, inner in get_type_hints(shape).items()
                },
                "required": sorted(shape.__required_keys__),
            }
        return {"$ref": f"#/$defs/{shape.__name__}"}
    if get_origin(shape) is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(shape)[1], definitions)}
    if get_origin(shape) is list:
        return {"type": "array", "items": _schema(get_args(shape)[0], definitions)}
    if isinstance(shape, UnionType):
        return {"anyOf": [_schema(each, definitions) for each in get_args(shape)]}
    return dict(_PLAIN[shape])
