"""Every route of Nakama's own API description, with requests that fit the description and that do not.

``data/schema/swagger.json`` is the server's, without the descriptions. The requests are made when this file is
collected, which takes seconds: ``test_schema`` runs it in one process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from nakama_bots.emulator.server.process import EmulatorProcess

from .support import login

DESCRIPTION = Path(__file__).parent / "data" / "schema" / "swagger.json"
# Enums that the server sends as numbers, although its description says names.
ENUMS = {"apiOperator", "apiStoreEnvironment", "apiStoreProvider"}
REQUESTS = "Request"

# gRPC's codes as grpc-gateway maps them; 501 is its answer to a method that a route does not have.
# Internal errors of the real server, as recorded.
INTERNAL = {
    "Error while deleting notifications.",
    "Error deleting score from tournament.",
    "Error while trying to update account.",  # a value longer than its column
}
STATUSES = {400, 401, 403, 404, 409, 412, 501}


def described() -> dict[str, Any]:
    """The description, with the types of what is really sent."""
    description: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    for name, definition in description["definitions"].items():
        for field, kind in definition.get("properties", {}).items():
            if REQUESTS not in name and kind.get("$ref", "").rpartition("/")[2] in ENUMS:
                definition["properties"][field] = {"type": "integer"}
    return description


schema = schemathesis.openapi.from_dict(described())


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(seed=1) as process:
        yield process
        assert process.alive
        assert login(process.url, "a-device-of-the-end")["token"]
    assert "Traceback" not in process.stderr


@schema.parametrize()
@settings(
    max_examples=2, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_every_route_answers_as_described(case: schemathesis.Case, emulator: EmulatorProcess) -> None:
    # One of the routes deletes the account, so log in for each request.
    token = login(emulator.url, "a-device-of-the-schema")["token"]
    answer = case.call(base_url=emulator.url, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 200:
        case.validate_response(answer, checks=[response_schema_conformance])
        return
    error = answer.json()
    assert answer.status_code in STATUSES or error["message"] in INTERNAL, answer.text
    assert type(error["code"]) is int
    assert 0 < error["code"] <= 16
    assert type(error["message"]) is str
    assert set(error) <= {"code", "message", "error", "details"}
