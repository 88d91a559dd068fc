"""The cid table: a Hypothesis state machine over the life of a cid, and single cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from nakama_bots import errors
from nakama_bots.observer import FinishedCall, NullObserver
from nakama_bots.realtime.catalog import REPLIES, Reply
from nakama_bots.realtime.protocol import RealtimeProtocol

KEYED = sorted(key for key, reply in REPLIES.items() if isinstance(reply, str))
EMPTY = sorted(key for key, reply in REPLIES.items() if reply is Reply.EMPTY)
SILENT = sorted(key for key, reply in REPLIES.items() if reply is Reply.NONE)


class Outcome:
    """A waiter that records its results."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.failures: list[BaseException] = []

    def switch(self, value: Any) -> None:
        self.values.append(value)

    def throw(self, error: BaseException) -> None:
        self.failures.append(error)

    @property
    def called(self) -> int:
        return len(self.values) + len(self.failures)


class Sent:
    def __init__(self, cid: str, key: str, deadline: float, waiter: Outcome) -> None:
        self.cid, self.key, self.deadline, self.waiter = cid, key, deadline, waiter
        self.end = ""  # the expected field of the ledger
        self.answered = False


class CidTable(RuleBasedStateMachine):
    """Compares the end of every cid with a plain model."""

    cids = Bundle("cids")

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.reported: list[tuple[str, errors.CallError | None]] = []
        self.sent: list[Sent] = []
        self.closed = False
        self.late = self.unmatched = self.pushes = self.refused = 0
        self.protocol = RealtimeProtocol(self)

    def call(self, call: FinishedCall) -> None:
        assert call.kind == "WS"
        self.reported.append((call.name, call.error))

    def sample(self, name: str, seconds: float) -> None:
        raise AssertionError

    def count(self, name: str, number: int = 1) -> None:
        raise AssertionError

    def reply(self, one: Sent, end: str, message: dict[str, Any]) -> None:
        was_open = not one.end
        assert self.protocol.receive(json.dumps({"cid": one.cid, **message}).encode(), self.now) is None
        if was_open:
            one.end = end
        elif one.end in ("timeout", "abandoned", "closed") and not one.answered:
            self.late += 1
        else:
            self.unmatched += 1
        one.answered = True

    @precondition(lambda self: not self.closed)
    @rule(target=cids, key=st.sampled_from(KEYED + EMPTY), timeout=st.floats(0.1, 10))
    def request(self, key: str, timeout: float) -> Sent:
        waiter = Outcome()
        cid, payload = self.protocol.request(key, {"n": 1}, waiter, self.now, timeout)
        assert json.loads(payload) == {"cid": cid, key: {"n": 1}}
        assert cid not in [one.cid for one in self.sent]
        self.sent.append(Sent(cid, key, self.now + timeout, waiter))
        return self.sent[-1]

    @rule(one=cids)
    def answer(self, one: Sent) -> None:
        reply = REPLIES[one.key]
        was_open = not one.end
        self.reply(one, "ok", {reply: {"a": 1}} if isinstance(reply, str) else {})
        if was_open:
            assert one.waiter.values == [{"a": 1} if isinstance(reply, str) else {}]

    @rule(one=cids, code=st.integers(0, 9), message=st.text())
    def answer_error(self, one: Sent, code: int, message: str) -> None:
        was_open = not one.end
        body = {"code": code, "message": message} if code else {"message": message}
        self.reply(one, "error", {"error": body})
        if was_open:
            (failure,) = one.waiter.failures
            assert isinstance(failure, errors.RealtimeError)
            assert (failure.code, failure.message, failure.operation) == (code, message, one.key)

    @rule(
        one=cids, body=st.sampled_from([{"wrong": {}}, {"error": 5}, {"error": {"code": "x"}}, {"error": None}])
    )
    def answer_wrongly(self, one: Sent, body: dict[str, Any]) -> None:
        if "wrong" in body and REPLIES[one.key] is Reply.EMPTY:
            return
        was_open = not one.end
        self.reply(one, "error", body)
        if was_open:
            assert type(one.waiter.failures[0]) is errors.ProtocolError

    @rule(one=consumes(cids))
    def answer_twice(self, one: Sent) -> None:
        self.answer(one)
        self.answer(one)

    @rule(
        cid=st.one_of(
            st.just("0"), st.text(max_size=3).map("x".__add__), st.integers(), st.just([]), st.just({})
        )
    )
    def stranger(self, cid: object) -> None:
        assert self.protocol.receive(json.dumps({"cid": cid, "pong": {}}).encode(), self.now) is None
        self.unmatched += 1

    @rule()
    def push(self) -> None:
        assert self.protocol.receive(b'{"match_data":{"op_code":"1"}}', self.now) == (
            "match_data",
            {"op_code": "1"},
        )
        self.pushes += 1

    @rule(payload=st.sampled_from([b"{}", b'{"cid":null}']))
    def empty(self, payload: bytes) -> None:
        assert self.protocol.receive(payload, self.now) is None
        self.unmatched += 1

    @rule(seconds=st.floats(0, 5))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        left = self.protocol.expire(self.now)
        waiting = []
        for one in self.sent:
            if not one.end and one.deadline <= self.now:
                one.end = "timeout"
                assert type(one.waiter.failures[0]) is errors.RequestTimeout
            elif not one.end:
                waiting.append(one.deadline)
        assert left == min(waiting, default=None)

    @rule(one=cids)
    def abandon(self, one: Sent) -> None:
        self.protocol.abandon(one.cid, self.now)
        one.end = one.end or "abandoned"

    @precondition(lambda self: not self.closed)
    @rule(ours=st.booleans())
    def close(self, ours: bool) -> None:
        error = errors.Abandoned("closed") if ours else errors.ConnectionClosed(1006, "gone")
        for waiter, failure in self.protocol.close(error, self.now):
            waiter.throw(failure)
        for one in self.sent:
            if not one.end:
                one.end = "abandoned" if ours else "closed"
                assert type(one.waiter.failures[0]) is type(error)
        self.closed = True

    @precondition(lambda self: self.closed)
    @rule()
    def refuse(self) -> None:
        error = errors.ConnectionClosed(1006, "gone")
        failure = self.protocol.refuse("match_join", error, self.now - 1, self.now)
        assert (failure.operation, failure.elapsed, type(failure)) == ("match_join", 1.0, type(error))
        self.refused += 1

    @invariant()
    def every_cid_is_accounted_for(self) -> None:
        ledger = self.protocol.ledger
        assert ledger.sent == len(self.sent) == ledger.ended + len(self.protocol.pending)
        for end in ("ok", "error", "timeout", "closed", "abandoned"):
            assert getattr(ledger, end) == sum(one.end == end for one in self.sent)
        assert set(self.protocol.pending) == {one.cid for one in self.sent if not one.end}
        assert (ledger.late, ledger.unmatched) == (self.late, self.unmatched)
        assert (ledger.pushes, ledger.refused) == (self.pushes, self.refused)

    @invariant()
    def every_waiter_was_called_once(self) -> None:
        for one in self.sent:
            # An abandoned request has no waiter, unless the owner closed the socket.
            expected = {"": (0,), "abandoned": (0, 1)}.get(one.end, (1,))
            assert one.waiter.called in expected

    @invariant()
    def every_end_was_reported_once(self) -> None:
        assert len(self.reported) == self.protocol.ledger.ended + self.refused
        ok = sorted(name for name, error in self.reported if error is None)
        assert ok == sorted(one.key for one in self.sent if one.end == "ok")


TestCidTable = CidTable.TestCase


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b'{"a":1}{}', b"[]", b'[{"cid":"1"}]', b"5", b"null", b'"x"']
)
def test_bad_envelope_ends_the_connection(payload: bytes) -> None:
    with pytest.raises(errors.ProtocolError) as caught:
        RealtimeProtocol(NullObserver()).receive(payload, 0.0)
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("body", [None, 5, "x", []])
def test_reply_that_is_not_an_object_is_an_error(body: object) -> None:
    protocol, waiter = RealtimeProtocol(NullObserver()), Outcome()
    cid, _ = protocol.request("match_join", {}, waiter, 0.0, 1.0)
    protocol.receive(json.dumps({"cid": cid, "match": body}).encode(), 0.5)
    assert isinstance(waiter.failures[0], errors.ProtocolError)
    assert protocol.ledger.error == 1


@pytest.mark.parametrize("body", [None, 5, "x", []])
def test_push_that_is_not_an_object_is_unmatched(body: object) -> None:
    protocol = RealtimeProtocol(NullObserver())
    assert protocol.receive(json.dumps({"match_data": body}).encode(), 0.5) is None
    assert (protocol.ledger.unmatched, protocol.ledger.pushes) == (1, 0)


@pytest.mark.parametrize("key", [*SILENT, "match_dat", ""])
def test_request_without_a_reply_type_is_refused(key: str) -> None:
    protocol = RealtimeProtocol(NullObserver())
    with pytest.raises(errors.ConfigError, match="match_join") as caught:
        protocol.request(key, {}, Outcome(), 0.0, 1.0)
    assert caught.value.value == key
    assert protocol.ledger.sent == 0


def test_only_messages_without_a_reply_have_no_cid() -> None:
    protocol = RealtimeProtocol(NullObserver())
    sent = protocol.message("match_data_send", {"op_code": "1"})
    assert json.loads(sent) == {"match_data_send": {"op_code": "1"}}
    with pytest.raises(errors.ConfigError, match="match_data_send"):
        protocol.message("channel_leave", {})


def test_body_that_is_not_json_leaves_nothing_pending() -> None:
    protocol = RealtimeProtocol(NullObserver())
    with pytest.raises(TypeError):
        protocol.request("rpc", {"payload": object()}, Outcome(), 0.0, 1.0)
    assert protocol.pending == {}
    assert protocol.ledger.sent == 0


class Closes(Outcome):
    """A waiter that closes the connection when its own request fails."""

    def __init__(self, protocol: RealtimeProtocol) -> None:
        super().__init__()
        self.protocol = protocol

    def throw(self, error: BaseException) -> None:
        super().throw(error)
        for waiter, failure in self.protocol.close(errors.ConnectionClosed(1006, "no pong"), 10.0):
            waiter.throw(failure)


def test_waiter_closes_the_connection_while_others_expire() -> None:
    protocol = RealtimeProtocol(NullObserver())
    first, second = Closes(protocol), Outcome()
    protocol.request("ping", {}, first, 0.0, 10.0)
    protocol.request("rpc", {}, second, 0.0, 10.0)
    protocol.expire(10.0)
    assert [type(error) for error in first.failures] == [errors.RequestTimeout]
    assert [type(error) for error in second.failures] == [errors.ConnectionClosed]
    assert (protocol.ledger.timeout, protocol.ledger.closed, protocol.pending) == (1, 1, {})


class Broken(NullObserver):
    def call(self, *_: object) -> None:
        raise RuntimeError


def test_failing_observer_does_not_block_waiters(caplog: pytest.LogCaptureFixture) -> None:
    protocol, waiters = RealtimeProtocol(Broken()), [Outcome() for _ in range(4)]
    for waiter in waiters:
        protocol.request("ping", {}, waiter, 0.0, 1.0)
    protocol.receive(b'{"cid":"1","pong":{}}', 0.5)
    protocol.receive(b'{"cid":"2","error":{}}', 0.5)
    for waiter, failure in protocol.close(errors.ConnectionClosed(), 0.6):
        waiter.throw(failure)
    assert [waiter.called for waiter in waiters] == [1, 1, 1, 1]
    assert protocol.ledger.ended == 4
    assert "the observer of ping failed" in caplog.text
