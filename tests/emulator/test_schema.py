"""Every route of Nakama's own API description, with requests that fit the description and that do not.

``data/schema/swagger.json`` is the server's, without the descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from nakama_bots.emulator.server.process import EmulatorProcess

from .support import login

DESCRIPTION = Path(__file__).parent / "data" / "schema" / "swagger.json"
schema = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.read_text(encoding="utf-8")))

# gRPC's codes as grpc-gateway maps them; 501 is its answer to a method that a route does not have.
# Internal errors of the real server, as recorded.
INTERNAL = {
    "Error while deleting notifications.",
    "Error deleting score from tournament.",
    "Error while trying to update account.",  # a value longer than its column
}
STATUSES = {400, 401, 403, 404, 409, 412, 501}
CONFORMS = CHECKS.get_one("response_schema_conformance")


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
        case.validate_response(answer, checks=[CONFORMS])
        return
    error = answer.json()
    assert answer.status_code in STATUSES or error["message"] in INTERNAL, answer.text
    assert type(error["code"]) is int
    assert 0 < error["code"] <= 16
    assert type(error["message"]) is str
    assert set(error) <= {"code", "message", "error", "details"}
