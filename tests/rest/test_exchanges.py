"""Every recorded exchange: the raw client sends the recorded request; both levels read the answer."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import Counter
from functools import cache
from typing import Any, get_type_hints
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import orjson
import pytest

import nakama_bots.types
from nakama_bots.errors import ProtocolError, RestError
from nakama_bots.rest.caller import Caller, same
from nakama_bots.rest.client import Client, NakamaApi
from nakama_bots.rest.documents import READERS, read_document
from nakama_bots.rest.route import Route
from nakama_bots.rest.transports.transport import Response
from nakama_bots.session import Session
from nakama_bots.settings.target import Credentials, Target
from nakama_bots.types.common import ErrorBody
from nakama_bots.types.matches import MatchList

from .exchanges import (
    Call,
    Exchange,
    Inexpressible,
    Keys,
    as_call,
    authorization_sent,
    exchanges,
    load,
    reachable,
    routes,
    snake,
)
from .support import NOW, FakeTransport, token

RECORDED = exchanges()
DESCRIPTION = load("description")
OPERATIONS = {one["op"]: one for one in DESCRIPTION["operations"]}
# Nakama 3.40.0 serves it, but does not describe it.
UNDESCRIBED = {"ValidatePurchaseSamsung": ("POST", "/v2/iap/purchase/samsung")}

ALL = (*OPERATIONS, *UNDESCRIBED)

TARGET = Target("game.test")

# Reasons why a recorded request cannot be a typed call. test_counts prints how often each occurs.
INEXPRESSIBLE = frozenset((
    "a body that is no JSON object",
    "a body where the operation has none",
    "a parameter given twice",
    "a parameter that the operation does not have, or in another case",
    "a value of another type",
    "an http key in the address: the client sends it as a header",
    "an object where the wire has a JSON text: the client encodes it",
    "another path than the operation's",
    "no body where the client always sends one",
    "null for a field",
    "other authorization than the operation's",
))  # fmt: skip

# Answers that only a store can cause.
TYPES_NEVER_RECORDED = {"ValidateSubscriptionResponse"}
# Keys without a recording.
NEVER_RECORDED = {
    "Account": {"disable_time", "verify_time"},  # banned users get no answer, modules verify emails
    "AccountDevice": {"vars"},  # requests only
    "FriendsOfFriendsList": {"cursor"},  # more than one page
    "ApiParty": {"hidden"},  # hidden parties are not listed
    "Rpc": {"id", "http_key"},  # used by the socket's rpc
    "ValidatedPurchase": {"refund_time"},  # only after a refund by the store
}


def calls() -> tuple[list[tuple[Exchange, Call]], Counter[str]]:
    found: list[tuple[Exchange, Call]] = []
    reasons: Counter[str] = Counter()
    for exchange in RECORDED:
        try:
            if exchange.op in OPERATIONS or exchange.op in UNDESCRIBED:
                described = OPERATIONS.get(exchange.op)
                method = described["method"] if described else "POST"
                if exchange.method != method:
                    raise Inexpressible("another path than the operation's")
                found.append((exchange, as_call(exchange)))
            else:
                raise Inexpressible("another path than the operation's")
        except Inexpressible as reason:
            reasons[str(reason)] += 1
    return found, reasons


CALLS, REASONS = calls()


def played(exchange: Exchange) -> FakeTransport:
    body = b"" if exchange.answer is None else orjson.dumps(exchange.answer)
    return FakeTransport([Response(exchange.status, {}, body)])


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    operations = Counter(exchange.op for exchange, _ in CALLS)
    succeeded = {exchange.op for exchange, _ in CALLS if exchange.status == 200}
    with capsys.disabled():
        print(f"\n{len(OPERATIONS) + len(UNDESCRIBED)} operations, {len(RECORDED)} recorded exchanges:")
        print(f"  {len(CALLS)} sent by {len(operations)} operations, {len(succeeded)} of them successfully")
        for reason, number in sorted(REASONS.items()):
            print(f"  {number} only read: {reason}")
    assert operations.keys() == OPERATIONS.keys() | UNDESCRIBED.keys()
    assert REASONS.keys() <= INEXPRESSIBLE
    assert len(CALLS) + REASONS.total() == len(RECORDED)


def test_every_described_operation_has_a_method_and_a_route() -> None:
    rows = {(row.method, row.template) for row in routes()}
    wanted = {(one["method"], template_of(one["path"])) for one in OPERATIONS.values()} | set(
        UNDESCRIBED.values()
    )
    assert rows == wanted
    assert len(routes()) == len(wanted)
    for op in ALL:
        assert callable(getattr(NakamaApi, snake(op), None)), op


def test_every_recorded_answer_is_read() -> None:
    """Including answers to requests that no typed call can send."""
    read = 0
    for exchange in RECORDED:
        route = Route[Any](exchange.method, exchange.template)
        caller = Caller(TARGET, played(exchange))
        if exchange.status == 200 and isinstance(exchange.answer, dict):
            assert caller.call(route, same, None, exchange.path) == exchange.answer
        elif exchange.status == 200:
            # GET / has no body; an RPC with unwrap answers with the return value of its function.
            with pytest.raises(ProtocolError):
                caller.call(route, same, None, exchange.path)
        else:
            with pytest.raises(RestError) as caught:
                caller.call(route, same, None, exchange.path)
            code = exchange.answer["code"] if exchange.answer else -1
            assert (caught.value.status, caught.value.code) == (exchange.status, code)
            assert (type(caught.value) is RestError) == (code == -1)
        read += 1
    assert read == len(RECORDED)


def template_of(path: str) -> str:
    return "/".join("{" + snake(part[1:-1]) + "}" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(("exchange", "call"), CALLS, ids=[str(exchange) for exchange, _ in CALLS])
def test_raw_client_sends_the_recorded_request(exchange: Exchange, call: Call) -> None:
    transport = played(exchange)
    api = NakamaApi(TARGET, transport=transport)
    if exchange.status == 200:
        assert getattr(api, call.method)(*call.positional, **call.named) == exchange.answer
    else:
        with pytest.raises(RestError) as caught:
            getattr(api, call.method)(*call.positional, **call.named)
        # An error of the HTTP server itself has no JSON body.
        answer = exchange.answer or {"code": -1, "message": "no text"}
        error = caught.value
        assert (error.status, error.code, error.message) == (exchange.status, answer["code"], answer["message"])
    [sent] = transport.sent
    parts = urlsplit(sent.path)
    assert (sent.method, parts.path) == (exchange.method, quoted(exchange.path))
    assert sorted(parse_qsl(parts.query, keep_blank_values=True)) == sorted(exchange.query)
    assert sent.headers.get("Authorization", "") == authorization_sent(exchange)
    assert sent.body == exchange.body


def quoted(path: str) -> str:
    return "/".join(quote(unquote(part), safe="") for part in path.split("/"))


@pytest.mark.parametrize(
    ("exchange", "call"),
    [
        pytest.param(exchange, call, id=str(exchange))
        for exchange, call in CALLS
        if getattr(Client, call.method, None) is getattr(NakamaApi, call.method) and exchange.status == 200
    ],
)
def test_client_sends_the_same_by_session_and_reads_documents(exchange: Exchange, call: Call) -> None:
    transport = played(exchange)
    client = Client(TARGET, Credentials("server-key-1"), transport=transport, clock=lambda: NOW)
    positional: tuple[Any, ...] = (Session(token()),) if call.positional else ()
    answer = getattr(client, call.method)(*positional, **call.named)
    assert_decoded(exchange.answer, answer)
    [sent] = transport.sent
    assert (sent.method, sent.path, sent.body) == sent_raw(exchange, call)


def sent_raw(exchange: Exchange, call: Call) -> tuple[str, str, Any]:
    transport = played(exchange)
    getattr(NakamaApi(TARGET, transport=transport), call.method)(*call.positional, **call.named)
    [sent] = transport.sent
    return sent.method, sent.path, sent.body


DOCUMENT_KEYS = {key for key, reader in READERS.items() if reader is read_document}


def assert_decoded(wire: Any, decoded: Any, key: str = "") -> None:
    """``decoded`` equals ``wire``, except that documents are JSON values and int64 are ints."""
    if isinstance(wire, dict):
        assert wire.keys() == decoded.keys()
        for name in wire:
            assert_decoded(wire[name], decoded[name], name)
    elif isinstance(wire, list):
        for one, other in zip(wire, decoded, strict=True):
            assert_decoded(one, other, key)
    elif key in DOCUMENT_KEYS and wire and wire[0] in '{["':
        assert decoded == orjson.loads(wire)
    elif key in ("score", "subscore", "rank", "rank_count"):
        assert decoded == int(wire)
        assert type(decoded) is int
    else:
        assert decoded == wire


def test_types_define_every_recorded_key() -> None:
    keys = Keys()
    for exchange in RECORDED:
        if not isinstance(exchange.answer, dict) or any(name == "unwrap" for name, _ in exchange.query):
            continue
        kind = ErrorBody
        if exchange.status == 200:
            hints = get_type_hints(getattr(NakamaApi, snake(exchange.op)))
            kind = hints["return"]
        keys.check(kind, exchange.answer, exchange.op)
    assert sorted(keys.wrong) == []
    assert sorted(keys.unknown) == []
    missing = {
        name: unseen
        for name, seen in keys.seen.items()
        if (unseen := types_by_name()[name].__annotations__.keys() - seen)
    }
    assert missing == NEVER_RECORDED
    answers = set().union(*(reachable(get_type_hints(getattr(NakamaApi, snake(op)))["return"]) for op in ALL))
    assert answers - keys.seen.keys() == TYPES_NEVER_RECORDED


def test_every_described_type_has_exactly_its_fields() -> None:
    differ: dict[str, set[str]] = {}
    for name, described in DESCRIPTION["definitions"].items():
        ours = types_by_name().get(name) or types_by_name()[name.removeprefix("api")]
        if name in ENUMS:
            assert [member.name for member in ours] == described
        else:
            difference = ours.__annotations__.keys() ^ {snake(field) for field in described}
            if difference:
                differ[name] = difference
    assert differ == {}


def test_unknown_keys_and_wrong_types_are_found() -> None:
    keys = Keys()
    keys.check(MatchList, {"matches": [{"match_id": 5, "colour": "red", "size": 1}]}, "ListMatches")
    assert keys.unknown == {"ApiMatch.colour"}
    assert keys.wrong == {"ApiMatch.match_id is 5, not str"}
    assert keys.seen == {"MatchList": {"matches"}, "ApiMatch": {"match_id", "size"}}


ENUMS = {"apiOperator", "apiStoreEnvironment", "apiStoreProvider"}


@cache
def types_by_name() -> dict[str, Any]:
    """Return the classes of the REST types by name, also by their name in the description."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(nakama_bots.types.__path__):
        if not info.name.startswith("realtime"):
            module = importlib.import_module(f"nakama_bots.types.{info.name}")
            for name, value in vars(module).items():
                if inspect.isclass(value) and value.__module__ == module.__name__:
                    found[name] = found[name[0].lower() + name[1:]] = value
    return found
