from __future__ import annotations

import inspect
import re
import time

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
    safe_text,
    scrub,
    without_secrets,
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
def test_each_grpc_code_has_its_own_class(code: int, name: str) -> None:
    error = rest_error(400, code, "text", operation="/v2/x", elapsed=0.5)
    assert (type(error).name, error.code, error.status, error.message) == (name, code, 400, "text")
    assert isinstance(error, RestError)
    assert type(error) is not RestError
    assert (error.operation, error.elapsed) == ("/v2/x", 0.5)
    assert str(error) == f"/v2/x: {code} {name}: text (HTTP 400)"
    assert repr(error) == error.label == f"{type(error).__name__}: {code} {name}: text (HTTP 400)"


@pytest.mark.parametrize(("code", "name"), list(enumerate(REALTIME)))
def test_each_realtime_code_has_its_own_class(code: int, name: str) -> None:
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


def test_attributes_of_other_errors() -> None:
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


def test_the_label_of_a_private_class_is_its_public_base() -> None:
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, \u00fcml\u00e4ut and \U0001f600", "plain text, \u00fcml\u00e4ut and \U0001f600"),
        ("a\x1b[31mred\x07", r"a\x1b[31mred\x07"),
        ("run: FAILED\r\nrun: PASSED", r"run: FAILED\x0d\x0arun: PASSED"),
        ("\x85\x9b31m\x7f", r"\x85\x9b31m\x7f"),
        ("user\u202etxt.exe\u2069", r"user\u202etxt.exe\u2069"),
        ("a\u2028b\u2029c\u200b\ufeff", r"a\u2028b\u2029c\u200b\ufeff"),
        ("half \ud83d", r"half \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
    ],
)
def test_a_safe_text_is_one_line_without_control_characters(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_safe_text_is_cut_after_it_was_escaped() -> None:
    assert safe_text("a" * 10, 10) == "a" * 10
    assert safe_text("a" * 11, 10) == "a" * 7 + "..."
    assert safe_text("\x1b" * 10, 10) == r"\x1b\x1"[:7] + "..."
    assert safe_text("abcd", 2) == ".."


@given(st.text(), st.integers(0, 60))
def test_a_safe_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert safe_text(shown, limit) == shown
    shown.encode()


@pytest.mark.parametrize(
    "error",
    [
        rest_error(500, 13, "\x1b[2Jrun: PASSED\nrun: PASSED " + "x" * 100_000),
        realtime_error(3, "\u202e\n" + "word " * 100_000),
        HandshakeRefused(502, "<html>\r\n\x1b]0;title\x07" + "y" * 100_000),
        ConnectionClosed(1008, "\n\x1b" * 100_000),
        ProtocolError("\n" * 100_000),
    ],
)
def test_messages_of_a_server_are_one_line_of_bounded_length(error: CallError) -> None:
    for shown in (str(error), repr(error), error.label):
        assert len(shown) <= errors.TEXT_LIMIT + 40  # with the name of the class
        assert shown.isprintable()
    assert len(getattr(error, "message", "")) <= errors.MESSAGE_LIMIT


def test_a_long_message_of_the_server_is_cut_alone() -> None:
    error = rest_error(500, 13, "too much " * 1000)
    assert str(error).startswith("13 INTERNAL: too much too much")
    assert str(error).endswith("... (HTTP 500)")


@pytest.mark.parametrize("before", range(770, 830))
def test_a_cut_leaves_no_half_of_a_token_or_an_id(before: int) -> None:
    for secret in ("eyJhbGciOi." + "eyJ0aWQ" * 40 + ".c2ln", USER):
        error = rest_error(500, 13, "x" * before + " " + secret)
        assert secret[:12] not in error.label, error.label


SLOW = (
    "[:::", ":", "eyJ", "eyJa.eyJb", "eyJ.", "bearer ", "bearer" + " " * 50, "token=", "[:", "1.", "0123abcd-",
)  # fmt: skip


@pytest.mark.parametrize("unit", SLOW)
def test_time_to_scrub_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "[" + unit * (size // len(unit))
        took = []
        for _ in range(3):
            started = time.process_time()
            for pattern, replacement in errors._VOLATILE:
                pattern.sub(replacement, text)
            took.append(time.process_time() - started)
        return min(took)

    small = max(seconds(8_000), 0.0005)
    assert seconds(128_000) / small < 100  # 16 where it is linear, 256 where it is quadratic


def test_a_text_of_megabytes_is_cut_before_it_is_scrubbed() -> None:
    for text in ("[" + ":" * 4_000_000, "eyJ" * 2_000_000, "word " * 1_000_000):
        started = time.process_time()
        assert len(scrub(text)) <= 4096
        assert len(without_secrets(text)) <= 4096
        assert time.process_time() - started < 1.0  # a millisecond; minutes without the cut
