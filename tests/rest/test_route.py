from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.rest.families import health
from nakama_bots.rest.route import Route, encode_query

from .exchanges import routes

ROW = Route[object]("GET", "/v2/group/{group_id}/user/{user_id}")
# A lone surrogate has no UTF-8 encoding.
TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(TEXT.filter(lambda t: t not in ("", ".", "..")), TEXT.filter(lambda t: t not in ("", ".", "..")))
def test_path_values_survive_encoding_and_never_add_segments(group: str, user: str) -> None:
    path = ROW.path((group, user))
    assert path.isascii()
    assert not set(path) & set(" ?#\r\n")
    segments = path.split("/")
    assert (unquote(segments[3]), unquote(segments[5])) == (group, user)
    assert len(segments) == 6


@given(st.dictionaries(st.sampled_from(["limit", "ids", "label"]), TEXT | st.lists(TEXT) | st.integers()))
def test_query_round_trip(query: dict[str, str | list[str] | int]) -> None:
    expected = [
        (key, str(item))
        for key, value in query.items()
        for item in (value if isinstance(value, list) else [value])
    ]
    assert parse_qsl(encode_query(query), keep_blank_values=True) == expected


def test_query_of_none_and_bools() -> None:
    path = ROW.path(("a b", "c/d"), {"limit": None, "open": True, "forward": False, "ids": ["x,y", "z"]})
    assert path == "/v2/group/a%20b/user/c%2Fd?open=true&forward=false&ids=x%2Cy&ids=z"
    assert ROW.path(("a", "b"), {"limit": None}) == "/v2/group/a/user/b"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_path_value_that_would_change_the_route_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="user_id of GET /v2/group"):
        ROW.path(("a", value))


def test_wrong_number_of_path_values() -> None:
    with pytest.raises(ValueError, match="takes 2 path values, not 1"):
        ROW.path(("a",))


def test_routes_are_unique_and_absolute() -> None:
    rows = routes()
    assert len({(row.method, row.template) for row in rows}) == len(rows)
    assert all(urlsplit(row.template).path == row.template for row in rows)
    assert ROW.parameters == ("group_id", "user_id")
    assert Route[object]("GET", "/healthcheck") == health.CHECK


def test_routes_that_may_be_resent() -> None:
    again = {f"{row.method} {row.template}" for row in routes() if row.idempotent}
    assert {"GET /v2/account", "PUT /v2/account", "DELETE /v2/friend", "POST /v2/storage"} <= again
    assert not again & {
        "POST /v2/rpc/{id}", "GET /v2/rpc/{id}", "PUT /v2/tournament/{tournament_id}", "PUT /v2/storage",
        "POST /v2/account/authenticate/device",
    }  # fmt: skip
