"""The published schemas are up to date with the code, and written files match them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.results.gate.rules import evaluate_all
from nakama_bots.results.gate.verdict import conclude, verdict_part
from nakama_bots.results.json_schema import FILES, as_text, schema_of
from nakama_bots.results.record.timeline import gauges_only
from nakama_bots.results.summary import Summary

ROOT = Path(__file__).parents[2]


def validator(name: str) -> Any:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_up_to_date(name: str) -> None:
    path = ROOT / f"docs/schemas/{name}-1.json"
    assert path.read_text() == as_text(name), f"run: nakama-bots schema {name} > {path.relative_to(ROOT)}"


def test_a_summary_matches_its_schema(summary: Summary) -> None:
    written = orjson.loads(orjson.dumps(summary))
    validator("summary").validate(written)
    del written["ledger"]["late"]
    with pytest.raises(jsonschema.ValidationError, match="'late' is a required property"):
        validator("summary").validate(written)


def test_a_verdict_matches_its_schema(summary: Summary) -> None:
    gate = parse_gate('[[rule]]\ncalls = "WS *"\nexpect = ["p95 <= 1 ms", "count >= 1"]\n', "g.toml")
    part = verdict_part(conclude(summary, gate, evaluate_all(gate, summary, None)), summary)
    validator("verdict").validate(orjson.loads(orjson.dumps(part)))
    with pytest.raises(jsonschema.ValidationError):
        validator("verdict").validate({**part, "schema": "nakama-bots/verdict/2"})


def test_an_interval_matches_its_schema() -> None:
    validator("interval").validate(dict(gauges_only("local", 1.0, 1.0, {"users": 2})))
