"""The matchmaker. Every match here takes up to two of the server's intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .support import (
    ID,
    RELAYED_MATCH_ID,
    TOKEN,
    UNKNOWN_ID,
    Line,
    Server,
    claims_of,
    error_reply,
    unique,
)

Connect = Callable[..., Line]


class Pool:
    """Tickets that only match each other, as the server's pool is shared with other users."""

    def __init__(self, server: Server) -> None:
        self._wait = server.matchmaker_wait
        # One word, as the query language splits at other characters.
        self.name = unique("pool").replace("-", "")

    def add(
        self, line: Line, query: str = "", counts: tuple[int, int, int | None] = (2, 2, None), **numbers: float
    ) -> str:
        query = f"+properties.pool:{self.name} {query}".strip()
        low, high, multiple = counts
        reply = line.socket.add_matchmaker(query, low, high, {"pool": self.name}, numbers, multiple)
        assert reply == {"ticket": ID}
        return reply["ticket"]

    def matched(self, line: Line, ticket: str) -> Any:
        return line.take("matchmaker_matched", lambda body: body["ticket"] == ticket, self._wait)


@pytest.fixture
def pool(server: Server) -> Pool:
    return Pool(server)


def test_two_are_matched_and_join_by_token(connect: Connect, pool: Pool) -> None:
    a, b = connect(), connect()
    tickets = [pool.add(a, rank=8, ratio=0.5), pool.add(b, rank=9)]
    pushes = [pool.matched(line, ticket) for line, ticket in zip((a, b), tickets, strict=True)]

    def user(line: Line, **numbers: float) -> dict[str, Any]:
        properties = {"pool": pool.name}
        return {
            "presence": line.presence(),
            "string_properties": properties,
            "numeric_properties": numbers,
        }

    users = {a.user_id: user(a, rank=8, ratio=0.5), b.user_id: user(b, rank=9)}
    for line, push, ticket in zip((a, b), pushes, tickets, strict=True):
        assert push.keys() == {"ticket", "token", "users", "self"}
        assert push["ticket"] == ticket
        assert push["self"] == users[line.user_id]
        assert {one["presence"]["user_id"]: one for one in push["users"]} == users
        assert len(push["users"]) == 2
    token = pushes[0]["token"]
    assert token == pushes[1]["token"] == TOKEN
    claims = claims_of(token)
    assert claims.keys() == {"mid", "exp"}
    assert claims["mid"] == RELAYED_MATCH_ID

    # With a token even an empty relayed match can be joined.
    first = a.socket.join_match(token=token)
    assert first == {"match_id": claims["mid"], "self": a.presence()}
    a.take("match_presence_event")
    second = b.socket.join_match(token=token)
    assert (second["size"], second["presences"]) == (1, [first["self"]])
    a.take("match_presence_event")
    a.socket.send_match_state(claims["mid"], 1, b"go")
    assert b.take("match_data")["presence"] == first["self"]
    # Used tickets are unknown.
    for line, ticket in zip((a, b), tickets, strict=True):
        with error_reply(3, "Matchmaker ticket not found"):
            line.socket.remove_matchmaker(ticket)


def test_query_excludes(connect: Connect, pool: Pool) -> None:
    low, high, alone = connect(), connect(), connect()
    pool.add(alone, "+properties.level:>=30", level=20)
    tickets = [
        pool.add(low, "+properties.level:<=12", level=5),
        pool.add(high, "+properties.level:<=5", level=12),
    ]
    for line, ticket in zip((low, high), tickets, strict=True):
        users = {one["presence"]["user_id"] for one in pool.matched(line, ticket)["users"]}
        assert users == {low.user_id, high.user_id}
    assert alone.keys() == []


def test_count_multiple_leaves_out_the_older_ticket(connect: Connect, pool: Pool) -> None:
    """The last of three searching tickets is matched with the younger of the other two."""
    lines = [connect() for _ in range(3)]
    tickets = [pool.add(line, counts=(2, 4, 2)) for line in lines]
    users = {one["presence"]["user_id"] for one in pool.matched(lines[2], tickets[2])["users"]}
    assert len(users) == 2
    assert lines[2].user_id in users


def test_one_accepting_side_is_enough(connect: Connect, pool: Pool) -> None:
    a, b = connect(), connect()
    # The accepting ticket is added last: a ticket searches for a few intervals only.
    refusing = pool.add(b, "+properties.level:>=100", level=12)
    accepting = pool.add(a, "+properties.level:>=10", level=5)
    assert pool.matched(a, accepting)["token"] == pool.matched(b, refusing)["token"]


def test_removed_and_closed_tickets_are_not_matched(connect: Connect, pool: Pool) -> None:
    removed, closed, c, d = connect(), connect(), connect(), connect()
    removed.socket.remove_matchmaker(pool.add(removed))
    pool.add(closed)
    closed.close()

    # If either earlier ticket still existed, it would be matched first.
    tickets = [pool.add(c), pool.add(d)]

    for line, ticket in zip((c, d), tickets, strict=True):
        users = {one["presence"]["user_id"] for one in pool.matched(line, ticket)["users"]}
        assert users == {c.user_id, d.user_id}
    assert removed.keys() == []


def test_fewer_than_the_maximum_after_the_last_interval(connect: Connect, pool: Pool) -> None:
    a, b = connect(), connect()
    tickets = [pool.add(line, counts=(2, 4, 2)) for line in (a, b)]
    pushes = [pool.matched(line, ticket) for line, ticket in zip((a, b), tickets, strict=True)]
    assert [len(push["users"]) for push in pushes] == [2, 2]
    # Without numeric properties the key is missing.
    assert all("numeric_properties" not in push["self"] for push in pushes)


def test_two_tickets_of_one_socket_are_never_matched(connect: Connect, pool: Pool) -> None:
    a, b = connect(), connect()
    own = [pool.add(a), pool.add(a)]
    other = pool.add(b)
    push = pool.matched(b, other)
    assert {one["presence"]["user_id"] for one in push["users"]} == {a.user_id, b.user_id}
    a.take("matchmaker_matched", lambda body: body["ticket"] in own)
    assert a.keys() == []


def test_remove(connect: Connect, pool: Pool) -> None:
    a, b = connect(), connect()
    ticket = pool.add(a)
    with error_reply(3, "Matchmaker ticket not found"):
        b.socket.remove_matchmaker(ticket)
    a.socket.remove_matchmaker(ticket)
    for unknown in (ticket, UNKNOWN_ID):
        with error_reply(3, "Matchmaker ticket not found"):
            a.socket.remove_matchmaker(unknown)
    with error_reply(3, "Invalid matchmaker ticket"):
        a.socket.remove_matchmaker("")


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1, 2, None), "Invalid minimum count, must be >= 2"),
        ((0, 2, None), "Invalid minimum count, must be >= 2"),
        ((-1, 2, None), "Invalid minimum count, must be >= 2"),
        ((3, 2, None), "Invalid maximum count, must be >= minimum count"),
        ((2, 0, None), "Invalid maximum count, must be >= minimum count"),
        ((2, 4, 0), "Invalid count multiple, must be >= 1"),
        ((3, 4, 2), "Invalid count multiple for minimum count, must divide"),
        ((2, 5, 2), "Invalid count multiple for maximum count, must divide"),
    ],
)
def test_bad_counts(connect: Connect, counts: tuple[int, int, int | None], text: str) -> None:
    low, high, multiple = counts
    with error_reply(3, text):
        connect().socket.add_matchmaker("*", low, high, count_multiple=multiple)


@pytest.mark.parametrize("query", ["+properties.level:>", '"unbalanced', "+"])
def test_bad_query(connect: Connect, query: str) -> None:
    with error_reply(0, "Error adding to matchmaker"):
        connect().socket.add_matchmaker(query, 2, 2)


def test_fourth_ticket(connect: Connect, pool: Pool) -> None:
    line = connect()
    for _ in range(3):
        pool.add(line)
    with error_reply(0, "Error adding to matchmaker"):
        pool.add(line)


def test_empty_query(connect: Connect) -> None:
    line = connect()
    # A hundred players: on a shared server it must not be matched.
    ticket = line.socket.add_matchmaker("", 100, 100)["ticket"]
    line.socket.remove_matchmaker(ticket)
