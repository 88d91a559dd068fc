from __future__ import annotations

import threading

import gevent
import orjson
import pytest
from gevent.event import Event

from nakama_bots.errors import (
    Abandoned,
    AlreadyExists,
    CallError,
    ConnectionClosed,
    InternalError,
    InvalidArgument,
    NotFound,
    ProtocolError,
    RequestTimeout,
    RestError,
    SessionExpired,
    Unauthenticated,
)
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport, Response
from nakama_bots.session import Session
from nakama_bots.settings.target import Credentials, Target

from .scripted import Connection, answer_bytes, serving
from .support import NOW, Recorder, Rig, Sent, ok, token

SERVER_KEY = "Basic c2VydmVyLWtleS0xOg=="


def fresh() -> Session:
    return Session(token(), token(NOW + 7200))


def test_each_operation_sends_its_route_body_and_authorization() -> None:
    answers = {"token": token(), "refresh_token": token(NOW + 7200), "created": True}
    rig = Rig(ok(answers), ok(answers), ok(answers))
    client, session = rig.client, fresh()
    bearer = f"Bearer {session.token}"

    made = client.authenticate_device("device-000001", username="neo", vars={"k": "v"})
    client.authenticate_custom("custom-1", create=False)
    client.authenticate_email("a@b.c", "pässword")
    client.healthcheck()
    client.get_account(session)
    client.update_account(session, display_name="", location="Here")
    client.delete_account(session)
    client.list_matches(session, limit=5, authoritative=True, query="+label.mode:duel", min_size=0)
    client.list_channel_messages(session, "2...lobby é", limit=10, forward=False, cursor="a+/=")
    client.rpc(session, "echo", {"a": [1, None]})
    client.rpc(session, "echo")
    client.rpc_http_key("other", "ec/ho", "text")
    client.session_logout(session)
    client.session_logout(session, "", "")

    assert (made.user_id, made.created, made.refresh_expires_at) == ("u-1", True, NOW + 7200)
    sent = [(s.method, s.path, s.headers.get("Authorization"), s.body) for s in rig.transport.sent]
    assert sent == [
        ("POST", "/v2/account/authenticate/device?create=true&username=neo", SERVER_KEY,
         {"id": "device-000001", "vars": {"k": "v"}}),
        ("POST", "/v2/account/authenticate/custom?create=false", SERVER_KEY, {"id": "custom-1"}),
        ("POST", "/v2/account/authenticate/email?create=true", SERVER_KEY,
         {"email": "a@b.c", "password": "pässword"}),
        ("GET", "/healthcheck", None, None),
        ("GET", "/v2/account", bearer, None),
        ("PUT", "/v2/account", bearer, {"display_name": "", "location": "Here"}),
        ("DELETE", "/v2/account", bearer, None),
        ("GET", "/v2/match?limit=5&authoritative=true&min_size=0&query=%2Blabel.mode%3Aduel", bearer, None),
        ("GET", "/v2/channel/2...lobby%20%C3%A9?limit=10&forward=false&cursor=a%2B%2F%3D", bearer, None),
        ("POST", "/v2/rpc/echo", bearer, '{"a":[1,null]}'),
        ("POST", "/v2/rpc/echo", bearer, None),
        ("POST", "/v2/rpc/ec%2Fho", "Basic b3RoZXI6", '"text"'),
        ("POST", "/v2/session/logout", bearer,
         {"token": session.token, "refresh_token": session.refresh_token}),
        ("POST", "/v2/session/logout", bearer, {"token": "", "refresh_token": ""}),
    ]  # fmt: skip
    names = [(kind, name) for kind, name, _ in rig.observer.outcomes()]
    assert names[9:12] == [("POST", "/v2/rpc/{id}")] * 3
    assert names[8] == ("GET", "/v2/channel/{channel_id}")
    assert len(names) == 14


def test_call_is_reported_once_with_the_size_of_its_body() -> None:
    rig = Rig(ok({"user": {"id": "u-1"}}, resent=True))
    assert rig.client.get_account(fresh()) == {"user": {"id": "u-1"}}
    [(kind, name, started, elapsed, size, error)] = rig.observer.calls
    assert (kind, name, size, error) == ("GET", "/v2/account", len('{"user":{"id":"u-1"}}'), None)
    assert elapsed >= 0.0
    assert started > 0.0
    assert rig.observer.counts == [("rest_resent", 1)]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (400, b'{"code":3,"message":"No fields to update."}', InvalidArgument, 3, "No fields to update."),
        (409, b'{"code":6,"message":"Username is already in use."}', AlreadyExists, 6,
         "Username is already in use."),
        (404, b'{"error":"RPC function not found","message":"RPC function not found","code":5}', NotFound, 5,
         "RPC function not found"),
        (500, b'{"code":13,"error":{},"message":"boom"}', InternalError, 13, "boom"),
        (500, b'{"error":"only here"}', RestError, -1, "only here"),
        (500, b'{"code":"13","error":{}}', RestError, -1, "no text"),
        (418, b'{"code":99,"message":"odd"}', RestError, 99, "odd"),
        (431, b"431 Request Header\r\n Fields Too Large", RestError, -1, "431 Request Header Fields Too Large"),
        (502, b"<html>Bearer eyJa.eyJb.c</html>", RestError, -1, "<html>Bearer <token></html>"),
        (503, b"", RestError, -1, "no text"),
        (500, b"[1]", RestError, -1, "[1]"),
        (302, b"", RestError, -1, "no text"),
        (500, b"\xff", RestError, -1, "�"),
    ],
)  # fmt: skip
def test_error_bodies_become_typed_errors(
    status: int, body: bytes, kind: type[RestError], code: int, message: str
) -> None:
    rig = Rig(Response(status, {}, body))
    with pytest.raises(RestError) as caught:
        rig.client.get_account(fresh())
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, code, message)
    assert error.operation == "/v2/account"
    [(*_, elapsed, size, reported)] = rig.observer.calls
    assert reported is error
    assert elapsed == error.elapsed > 0.0
    assert size == len(body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff{}"])
def test_malformed_answer_is_a_protocol_error(body: bytes) -> None:
    rig = Rig(Response(200, {}, body))
    with pytest.raises(ProtocolError, match="the answer is"):
        rig.client.get_account(fresh())
    assert rig.observer.outcomes() == [("GET", "/v2/account", ProtocolError)]


@pytest.mark.parametrize("answer", [{"token": None}, {"token": 7}, {"token": ["x"]}])
def test_unreadable_answer_is_a_failure_not_an_abandoned_call(
    answer: dict[str, object],
) -> None:
    rig = Rig(ok(answer))
    with pytest.raises(ProtocolError, match="the answer could not be read") as caught:
        rig.client.authenticate_device("0123456789")
    assert caught.value.__cause__ is not None
    assert [type_ for *_, type_ in rig.observer.outcomes()] == [ProtocolError]


def test_client_bug_is_a_failure_not_an_abandoned_call() -> None:
    rig = Rig(ZeroDivisionError("planted"))
    with pytest.raises(ZeroDivisionError):
        rig.client.healthcheck()
    ((*_, error),) = rig.observer.calls
    assert type(error) is CallError
    assert error.label == "CallError: fault in the client: ZeroDivisionError"


@pytest.mark.parametrize("tokens", [{}, {"token": "garbage"}, {"token": "x.y.z"}])
def test_authentication_without_a_valid_token_is_one_failure(tokens: dict[str, str]) -> None:
    rig = Rig(ok(tokens))
    with pytest.raises(ProtocolError, match="holds no session"):
        rig.client.authenticate_device("device-000001")
    assert rig.observer.outcomes() == [("POST", "/v2/account/authenticate/device", ProtocolError)]


@pytest.mark.parametrize("error", [RequestTimeout("no answer"), ConnectionClosed(1006, "gone")])
def test_transport_failure_has_operation_and_elapsed_time(error: CallError) -> None:
    rig = Rig(error)
    with pytest.raises(type(error)) as caught:
        rig.client.healthcheck()
    assert caught.value is error
    assert error.operation == "/healthcheck"
    assert error.elapsed > 0.0
    assert rig.observer.outcomes() == [("GET", "/healthcheck", type(error))]


def test_token_about_to_expire_is_refreshed_in_place() -> None:
    new, new_refresh = token(NOW + 60), token(NOW + 9000)
    rig = Rig(ok({"token": new, "refresh_token": new_refresh}))
    session = Session(token(NOW + 9), token(NOW + 3600))
    old_refresh = session.refresh_token
    rig.client.get_account(session)
    refresh, get = rig.transport.sent
    assert (refresh.path, refresh.headers["Authorization"]) == ("/v2/account/session/refresh", SERVER_KEY)
    assert refresh.body == {"token": old_refresh}
    assert get.headers["Authorization"] == f"Bearer {new}"
    assert (session.token, session.refresh_token) == (new, new_refresh)
    assert [name for _, name, _ in rig.observer.outcomes()] == ["/v2/account/session/refresh", "/v2/account"]
    rig.client.get_account(session)
    assert len(rig.transport.sent) == 3


def test_refresh_vars_are_sent() -> None:
    rig = Rig(ok({"token": token(vrs={"a": "b"}), "refresh_token": token()}))
    session = fresh()
    assert rig.client.session_refresh(session, {"a": "b"}) is session
    assert rig.transport.sent[0].body["vars"] == {"a": "b"}
    assert session.vars == {"a": "b"}


@pytest.mark.parametrize("session", [Session(token(NOW)), Session(token(NOW - 1), token(NOW))])
def test_no_valid_token_is_one_failure_and_sends_nothing(session: Session) -> None:
    rig = Rig()
    with pytest.raises(SessionExpired) as caught:
        rig.client.list_matches(session)
    assert rig.transport.sent == []
    assert caught.value.operation == "/v2/match"
    assert rig.observer.outcomes() == [("GET", "/v2/match", SessionExpired)]


def test_refused_refresh_of_an_expired_token_is_session_expired() -> None:
    rig = Rig(Response(401, {}, b'{"code":16,"message":"Refresh token invalid or expired."}'))
    with pytest.raises(SessionExpired) as caught:
        rig.client.get_account(Session(token(NOW - 1), token(NOW + 60)))
    assert isinstance(caught.value.__cause__, Unauthenticated)
    assert rig.observer.outcomes() == [
        ("POST", "/v2/account/session/refresh", Unauthenticated),
        ("GET", "/v2/account", SessionExpired),
    ]


def test_failed_refresh_of_a_valid_token_is_counted_and_the_call_sent() -> None:
    rig = Rig(RequestTimeout("no answer"))
    session = Session(token(NOW + 5), token(NOW + 60))
    rig.client.get_account(session)
    assert rig.observer.outcomes() == [
        ("POST", "/v2/account/session/refresh", RequestTimeout),
        ("GET", "/v2/account", None),
    ]


def test_fresh_refreshes_only_a_session_that_needs_it() -> None:
    rig = Rig(ok({"token": token(NOW + 600), "refresh_token": token(NOW + 6000)}))
    session = Session(token(NOW + 1), token(NOW + 60))
    assert rig.client.fresh(session) is session
    assert session.expires_at == NOW + 600
    assert rig.client.fresh(session) is session
    assert len(rig.transport.sent) == 1
    with pytest.raises(SessionExpired):
        rig.client.fresh(Session(token(NOW - 1)))


class Gate:
    """A refresh that the server holds until ``go`` is set."""

    def __init__(self, *refreshes: bytes) -> None:
        self.entered, self.go = Event(), Event()
        self.refreshes = list(refreshes)

    def send(self, sent: Sent) -> Response:
        self.entered.set()
        self.go.wait()
        return Response(200, {}, self.refreshes.pop(0))


class GreenletRig(Rig):
    """A rig whose lock and refresh block only their greenlet."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate.send, *[ok() for _ in range(8)])
        self.transport.lock = GeventTransport().lock  # type: ignore[method-assign]


def renewed() -> bytes:
    return orjson.dumps({"token": token(NOW + 600), "refresh_token": token(NOW + 6000)})


def test_concurrent_callers_share_one_refresh() -> None:
    gate = Gate(renewed())
    rig = GreenletRig(gate)
    session = Session(token(NOW + 1), token(NOW + 60))
    callers = [gevent.spawn(rig.client.get_account, session) for _ in range(5)]
    gate.entered.wait()
    gevent.idle()
    gate.go.set()
    gevent.joinall(callers, raise_error=True)
    paths = [sent.path for sent in rig.transport.sent]
    assert sorted(paths) == ["/v2/account"] * 5 + ["/v2/account/session/refresh"]
    assert {s.headers["Authorization"] for s in rig.transport.sent[1:]} == {f"Bearer {session.token}"}


def test_concurrent_callers_share_a_failed_refresh() -> None:
    gate = Gate(b"not json")
    rig = GreenletRig(gate)
    session = Session(token(NOW - 1), token(NOW + 60))
    callers = [gevent.spawn(rig.client.get_account, session) for _ in range(3)]
    for caller in callers:
        caller.rawlink(lambda _: None)
    gate.entered.wait()
    gevent.idle()
    gate.go.set()
    gevent.joinall(callers)
    assert [type(caller.exception) for caller in callers] == [SessionExpired] * 3
    assert [sent.path for sent in rig.transport.sent] == ["/v2/account/session/refresh"]


def test_next_caller_refreshes_when_the_refresher_is_killed() -> None:
    gate = Gate(renewed(), renewed())
    rig = GreenletRig(gate)
    rig.transport.steps.insert(1, gate.send)
    session = Session(token(NOW + 1), token(NOW + 60))
    first = gevent.spawn(rig.client.get_account, session)
    gate.entered.wait()
    second = gevent.spawn(rig.client.get_account, session)
    gevent.idle()
    first.kill()
    gate.go.set()
    second.get()
    assert [name for _, name, _ in rig.observer.outcomes()] == [
        "/v2/account/session/refresh",
        "/v2/account/session/refresh",
        "/v2/account",
    ]
    assert rig.observer.outcomes()[0][2] is Abandoned
    assert session.expires_at == NOW + 600


def test_killed_caller_is_abandoned_once_and_frees_its_connection() -> None:
    def silent(connection: Connection) -> None:
        connection.request()
        requested.set()
        connection.until_closed()

    requested = threading.Event()
    with serving(silent, lambda connection: (connection.request(), connection.answer())) as server:  # type: ignore[arg-type, return-value]
        observer, transport = Recorder(), GeventTransport()
        target = Target("127.0.0.1", server.port)
        client = Client(target, Credentials(), transport=transport, observer=observer)
        caller = gevent.spawn(client.healthcheck)
        gevent.get_hub().threadpool.apply(requested.wait)
        caller.kill()
        assert isinstance(caller.value, gevent.GreenletExit)
        # The only slot is free, and the dead connection is not reused.
        client.healthcheck()
        transport.close()
        assert server.accepted == 2
    assert observer.outcomes() == [("GET", "/healthcheck", Abandoned), ("GET", "/healthcheck", None)]
    assert "GreenletExit" in observer.calls[0][5].label  # type: ignore[union-attr]


def test_path_of_the_server_url_precedes_the_route() -> None:
    with serving(
        lambda connection: connection.send(answer_bytes()) if connection.request() else None
    ) as server:
        transport = GeventTransport()
        target = Target.parse(f"http://127.0.0.1:{server.port}/games/one/")
        Client(target, Credentials(), transport=transport).healthcheck()
        transport.close()
    assert server.requests[0].startswith(b"GET /games/one/healthcheck HTTP/1.1\r\n")
