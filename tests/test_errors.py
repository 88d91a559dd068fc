from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots import errors
from nakama_bots.errors import (
    CallError,
    ConfigError,
    ConnectionClosed,
    HandshakeRefused,
    HeartbeatTimeout,
    NakamaError,
    ProtocolError,
    RealtimeError,
    RestError,
    realtime_error,
    rest_error,
    scrub,
)

REST = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
REALTIME = [
    "RUNTIME_EXCEPTION",
    "UNRECOGNIZED_PAYLOAD",
    "MISSING_PAYLOAD",
    "BAD_INPUT",
    "MATCH_NOT_FOUND",
    "MATCH_JOIN_REJECTED",
    "RUNTIME_FUNCTION_NOT_FOUND",
    "RUNTIME_FUNCTION_EXCEPTION",
]
USER = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def classes() -> list[type[Exception]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, Exception)]


def test_the_tree_is_the_one_in_the_docstring() -> None:
    assert all(issubclass(value, NakamaError) for value in classes())
    drawn = set(re.findall(r"[A-Z]\w+", (errors.__doc__ or "").split("::")[1]))
    assert {value.__name__ for value in classes()} <= drawn


@pytest.mark.parametrize(("code", "name"), list(enumerate(REST, 1)))
def test_each_grpc_code_has_a_class_of_its_own(code: int, name: str) -> None:
    error = rest_error(400, code, "text", operation="/v2/x", elapsed=0.5)
    assert (type(error).name, error.code, error.status, error.message) == (name, code, 400, "text")
    assert isinstance(error, RestError)
    assert type(error) is not RestError
    assert (error.operation, error.elapsed) == ("/v2/x", 0.5)
    assert str(error) == f"/v2/x: {code} {name}: text (HTTP 400)"
    assert repr(error) == error.label == f"{type(error).__name__}: {code} {name}: text (HTTP 400)"


@pytest.mark.parametrize(("code", "name"), list(enumerate(REALTIME)))
def test_each_realtime_code_has_a_class_of_its_own(code: int, name: str) -> None:
    error = realtime_error(code, "text", operation="rpc", elapsed=0.1)
    assert (type(error).name, error.code, error.message, error.operation) == (name, code, "text", "rpc")
    assert type(error) is not RealtimeError


@pytest.mark.parametrize("error", [ConnectionClosed(1000, "bye"), rest_error(404, 5, "gone")])
def test_one_failure_can_end_many_calls(error: CallError) -> None:
    error.operation = "connect"
    copy = error.for_call("match_join", 0.25)
    assert (type(copy), copy.operation, copy.elapsed) == (type(error), "match_join", 0.25)
    assert copy.label == error.label
    assert copy.code == error.code  # type: ignore[attr-defined]
    assert error.operation == "connect"


@pytest.mark.parametrize("code", [-1, 0, 17, 99])
def test_unknown_codes_keep_their_number(code: int) -> None:
    error = rest_error(500, code, "odd")
    assert (type(error), error.code) == (RestError, code)


@pytest.mark.parametrize("code", [-1, 8])
def test_unknown_realtime_codes_keep_their_number(code: int) -> None:
    assert (type(realtime_error(code, "odd")), realtime_error(code, "odd").code) == (RealtimeError, code)


def test_other_errors_carry_what_they_are_about() -> None:
    refused = HandshakeRefused(401, "Missing or invalid token\n", operation="connect")
    assert (refused.status, str(refused)) == (401, "connect: HTTP 401 Missing or invalid token")
    closed = HeartbeatTimeout(1000, "")
    assert isinstance(closed, ConnectionClosed)
    assert (closed.code, closed.reason, str(closed)) == (1000, "", "1000")
    assert ConnectionClosed().code == 1006
    assert ProtocolError("bad frame", 1007).close_code == 1007
    setting = ConfigError("--port", "x", "1 to 65535")
    assert (setting.name, setting.value, setting.accepted) == ("--port", "x", "1 to 65535")
    assert str(setting) == "--port: 'x' cannot be used; accepted: 1 to 65535"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (f"User {USER} is gone", "User <id> is gone"),
        ("token eyJhbGciOi.eyJ0aWQ.c2ln-_x bad", "token <token> bad"),
        (
            "read tcp 127.0.0.1:7350->10.0.0.2:53232: i/o timeout",
            "read tcp <addr>-><addr>: i/o timeout",
        ),
        ("dial tcp [::1]:7350: refused", "dial tcp <addr>: refused"),
        ("Authorization: Basic ZGVmYXVsdGtleTo=", "Authorization: Basic <secret>"),
        ("GET /ws?token=abc&http_key=k1&x=1", "GET /ws?token=<secret>&http_key=<secret>&x=1"),
        ("proto: (line 1:18): code:13 version 1.2.3", "proto: (line 1:18): code:13 version 1.2.3"),
        ("localhost:7350 refused", "localhost:7350 refused"),
    ],
)
def test_labels_are_the_same_for_every_failure_of_a_kind(text: str, label: str) -> None:
    assert scrub(text) == label
    assert CallError(text).label == f"CallError: {label}"
    assert str(CallError(text)) == text


def test_a_private_class_goes_by_the_public_one_that_it_is() -> None:
    class _Inner(ConnectionClosed): ...

    assert _Inner(1006, "gone").label == ConnectionClosed(1006, "gone").label


@given(st.uuids(), st.integers(1, 65535), st.ip_addresses(v=4))
def test_ids_and_addresses_never_split_a_statistic(user: object, port: int, address: object) -> None:
    error = rest_error(404, 5, f"user {user} from {address}:{port} not found")
    assert error.label == "NotFound: 5 NOT_FOUND: user <id> from <addr> not found (HTTP 404)"


@given(st.text())
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


@pytest.mark.parametrize(
    "value", ["/none/password=s3cret.toml", "Bearer s3cret", "eyJhbGciOi.eyJ1aWQiOi.s3cret", ["token=s3cret"]]
)
def test_a_config_error_shows_no_secret(value: object) -> None:
    error = ConfigError("--flag", value, "something else")
    assert "s3cret" not in str(error)
    assert "accepted: something else" in str(error)
