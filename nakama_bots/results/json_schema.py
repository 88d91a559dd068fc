"""JSON Schema (draft 2020-12) of the result files, generated from the TypedDicts that check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nakama_bots.results import summary
from nakama_bots.results.capacity import document
from nakama_bots.results.files import json_text
from nakama_bots.results.gate import verdict
from nakama_bots.results.record import timeline

FILES: Final[Mapping[str, tuple[type, str]]] = {
    "summary": (summary.Summary, summary.SCHEMA),
    "verdict": (verdict.VerdictPart, verdict.SCHEMA),
    "interval": (timeline.Interval, timeline.SCHEMA),
    "capacity": (document.CapacityPart, document.SCHEMA),
}
"""By name: the shape, and the value of its ``schema`` key. An interval is a line of a time line."""


def schema_of(name: str) -> dict[str, Any]:
    """Return the schema of one of ``FILES``."""
    shape, identity = FILES[name]
    _, definitions = msgspec.json.schema_components([shape], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = " ".join(definition["description"].replace("``", "`").split())
    top = definitions.pop(shape.__name__)
    if "schema" in top["properties"]:
        top["properties"]["schema"] = {"const": identity}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "title": f"{name} ({identity})",
        "$defs": dict(sorted(definitions.items())),
    }


def as_text(name: str) -> str:
    """Return the content of the schema file."""
    return json_text(schema_of(name)).decode()
