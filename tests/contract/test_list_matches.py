"""The listing of running matches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nakama_bots.session import Session

from .support import Line, Server, refused, until


def test_relayed_match(server: Server, connect: Callable[..., Line]) -> None:
    line = connect()
    # Three members: a shared server has fewer matches of this size than of one or two.
    match = line.socket.create_match()
    for _ in range(2):
        connect().socket.join_match(match["match_id"])
    own = {"match_id": match["match_id"], "size": 3}

    def listed(**filters: object) -> list[object]:
        answer = server.client.list_matches(line.session, limit=100, **filters)
        return [one for one in answer.get("matches", []) if one["match_id"] == match["match_id"]]

    until(lambda: listed(authoritative=False, min_size=3, max_size=3) == [own])
    assert listed(authoritative=False, min_size=4) == []
    assert listed(authoritative=False, max_size=2) == []
    assert listed(authoritative=True) == []


def test_nothing_found(server: Server, session: Session) -> None:
    assert server.client.list_matches(session, authoritative=True, label="no such label") == {}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"limit": 0}, "Invalid limit - limit must be between 1 and 100."),
        ({"limit": 101}, "Invalid limit - limit must be between 1 and 100."),
        ({"min_size": -1}, "Minimum size must be 0 or above."),
        ({"max_size": -1}, "Maximum size must be 0 or above."),
        (
            {"min_size": 3, "max_size": 2},
            "Maximum size must be greater than or equal to minimum size when both are specified.",
        ),
        (
            {"authoritative": False, "label": "x"},
            "Label filtering is not supported for non-authoritative matches.",
        ),
        (
            {"authoritative": False, "query": "x"},
            "Query filtering is not supported for non-authoritative matches.",
        ),
    ],
)
def test_bad_filters(server: Server, session: Session, filters: dict[str, object], message: str) -> None:
    with refused(400, 3, message):
        server.client.list_matches(session, **filters)


def test_bad_query(server: Server, session: Session) -> None:
    with refused(500, 13, "Error listing matches."):
        server.client.list_matches(session, authoritative=True, query="+label.skill:>")
