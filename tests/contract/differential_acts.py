"""Further acts of random sessions: functions, an authoritative match, tickets, notices and rare requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .differential_random import Session

_IDS: Final = ("echo", "ECHO", "echo", "nothing", "", "contract_greeter ")
_QUERIES: Final = ("+properties.never:x", "+properties.never:x", "+", "a:", "/(/", "+properties.n:>=x", '"')
_LIMITS: Final = ("", "0", "1", "2", "100", "101", "-1", "x", "1.0", "+1", "0x1", "1e1")


def socket_function(s: Session) -> None:
    rpc: dict[str, Any] = {"id": s.one(*_IDS), **s.maybe(0.7, "payload", lambda: s.one("", "x", "ä☃", "{}"))}
    s.send({"rpc": {**rpc, **s.maybe(0.1, "http_key", lambda: "wrong")}})


def authoritative(s: Session) -> None:
    """A match that broadcasts a greeting at each join and leave."""
    if not s.generated["greeter"] or s.random.random() < 0.1:
        answer = s.rest("POST", "/v2/rpc/contract_greeter", '""')
        s.keep("greeter", json.loads(answer.get("payload") or "{}").get("match_id"))
        return
    match = {"match_id": s.known("greeter", "x.y")}
    act = s.one("join", "join", "leave", "data")
    if act == "data":
        data = {**match, "op_code": s.one("0", "1", "2"), "data": s.one("", "YQ", "YQ==", "_w==")}
        s.send({"match_data_send": data}, acked=False)
        return
    metadata = s.maybe(0.2, "metadata", lambda: {"a": s.one("", "b")}) if act == "join" else {}
    s.send({f"match_{act}": {**match, **metadata}})


def ticket(s: Session) -> None:
    """Tickets that match no other ticket, or that are refused."""
    party = s.maybe(0.3, "party_id", lambda: s.known("party"))
    prefix = "party_matchmaker" if party else "matchmaker"
    if s.random.random() < 0.4:
        s.send({f"{prefix}_remove": {**party, "ticket": s.known("ticket")}})
        return
    body = {
        "query": s.one(*_QUERIES),
        "min_count": s.one(2, 2, 2, 1, 0, 3, -1),
        "max_count": s.one(2, 2, 4, 4, 1, 100, -1),
        **s.maybe(0.3, "count_multiple", lambda: s.one(0, 1, 2, 3, -1)),
        **s.maybe(0.4, "string_properties", lambda: {s.one("a", "", "b.c"): s.one("x", "")}),
        **s.maybe(0.3, "numeric_properties", lambda: {"n": s.one(1, 1.5, -1, "2", "NaN")}),
    }
    got = s.send({f"{prefix}_add": {**party, **body}})
    s.keep("ticket", got.get(f"{prefix}_ticket", {}).get("ticket"))


def notices(s: Session) -> None:
    if s.random.random() < 0.5:
        got = s.rest("GET", "/v2/notification", query={"limit": "100"}, unordered=("notifications",))
        for one in got.get("notifications", ()):
            s.keep("notice", one["id"])
        return
    ids = [s.known("notice") for _ in range(s.random.randrange(3))]
    s.rest("DELETE", "/v2/notification", query={"ids": ids})


def seldom(s: Session) -> None:
    """Requests with values of every kind where a client would send only one."""
    board, group = s.run.name("board"), s.known("group") or "x"
    method, path, body, query = s.one(
        ("POST", "/v2/event", {"name": s.one("", "x"), "properties": {"a": s.one("b", 1)}}, {}),
        ("POST", "/v2/event", {"timestamp": s.one("2026-01-02T03:04:05Z", "x", 5), "external": True}, {}),
        ("POST", "/v2/account/session/refresh", {"token": s.one("", "x", "a.b.c")}, {}),
        ("POST", "/v2/session/logout", {"token": "x", "refresh_token": s.one("", "x")}, {}),
        ("GET", f"/v2/leaderboard/{board}", None, {"limit": s.one(*_LIMITS), "cursor": s.one("", "x", "eA==")}),
        ("GET", f"/v2/leaderboard/{board}", None, {"expiry": s.one("0", "1", "-1", "x")}),
        ("GET", f"/v2/tournament/{board}_t", None, {"expiry": s.one("0", "1", "-1", "x"), "limit": "5"}),
        ("GET", "/v2/tournament", None, {"category_start": s.one("-1", "128", "x"), "limit": "1"}),
        ("GET", "/v2/tournament", None, {"limit": s.one("0", "101", "x")}),
        ("GET", "/v2/match", None, {"limit": s.one("0", "101", "x", "-1")}),
        ("GET", "/v2/party", None, {"limit": s.one("0", "101", "x"), "query": "+label.never:x"}),
        ("GET", "/v2/match", None, {"limit": "1", "query": s.one("+label.never:x", "+", "+")}),
        ("GET", "/v2/group", None, {"name": s.one(board, f"{board}%"), "limit": s.one(*_LIMITS)}),
        ("GET", "/v2/group", None, {"name": board, s.one("open", "lang_tag", "members"): s.one("true", "1")}),
        ("GET", f"/v2/group/{group}/user", None, {"cursor": s.one("x", "eA=="), "limit": s.one(*_LIMITS)}),
        ("GET", f"/v2/user/{s.user() or 'x'}/group", None, {"cursor": s.one("x", "eA==")}),
        ("GET", "/v2/friend", None, {"cursor": s.one("x", "eA=="), "state": s.one("-1", "x", "0")}),
        ("GET", "/v2/friend/friends", None, {"cursor": s.one("x", "eA=="), "limit": s.one(*_LIMITS)}),
        ("POST", "/v2/friend", None, {"ids": s.user(), "metadata": s.one("{}", "x", "[]", '{"a":1}')}),
        ("PUT", "/v2/account", {"username": s.one("", "a\tb", "x" * 129, s.run.name(s.who()))}, {}),
        ("PUT", "/v2/account", {s.one("display_name", "displayName"): s.one(5, None, {}, ["a"], "b")}, {}),
        ("PUT", "/v2/storage", {"objects": s.one({}, [{}], None, "x", [None])}, {}),
        ("POST", "/v2/account/link/email", {"email": s.one("", "x", "a@b"), "password": "short"}, {}),
        ("POST", "/v2/account/unlink/email", {"email": "nobody@example.com", "password": "password"}, {}),
        ("POST", f"/v2/account/{s.one('link', 'unlink')}/{s.one('steam', 'google', 'apple')}", {}, {}),
        (s.one("PATCH", "PUT", "DELETE"), s.one("/v2/user", "/v2/rpc/echo", "/v2/nothing"), {}, {}),
        ("POST", "/v2/iap/purchase/apple", {"receipt": s.one("", "x")}, {}),
        ("GET", "/v2/iap/subscription/x", None, {}),
        ("POST", "/v2/iap/subscription", {"limit": s.one(0, 1, 101, "x")}, {}),
        ("GET", f"/v2/storage/{s.name_of('box', 2)}", None, {"user_id": s.user(), "limit": s.one(*_LIMITS)}),
    )  # fmt: skip
    s.rest(method, path, body, query)
