"""The query language of matchmaker and listings, compared with recorded answers of a real server."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.emulator.formats.query import QuerySearchError, QuerySyntaxError, document, parse

RECORDED = json.loads((Path(__file__).parent / "queries.json").read_text(encoding="utf-8"))
PARTY = document({"label": RECORDED["label"], "open": True, "hidden": False, "max_size": 4, "node": "nakama1"})
PLAYER = document({"properties": {"region": "eu-west", "rank": 8, "mode": "duel", "level": "12"}})


def answer(query: str) -> str:
    try:
        score = parse(query).score(PARTY)
    except (QuerySyntaxError, QuerySearchError):
        return "error"
    return "no match" if score is None else "match"


@pytest.mark.parametrize(("query", "recorded"), RECORDED["queries"])
def test_as_recorded(query: str, recorded: str) -> None:
    assert answer(query) == recorded


def test_every_query_is_recorded() -> None:
    assert len(RECORDED["queries"]) >= 150


@pytest.mark.parametrize("query", ["+a:/(/", "+a:/b**/", "+a:b~3", "+a:b~-1", "+a:/[b/", "+a:/b{9999}/"])
def test_query_that_parses_but_cannot_be_searched(query: str) -> None:
    """A ticket with this query is accepted but never finds another; a listing fails."""
    parsed = parse(query)
    with pytest.raises(QuerySearchError):
        parsed.score(PLAYER)


def test_nothing_matches_an_empty_query() -> None:
    assert parse("").score(PLAYER) is None


def test_boosts_order_candidates() -> None:
    query = parse("properties.region:eu-west^3 properties.rank:>=10^2 properties.mode:duel")
    assert query.ranked
    assert query.score(PLAYER) == 9.0 + 1.0
    assert query.score(document({"properties": {"rank": 11}})) == 2.0
    assert not parse("+properties.mode:duel").ranked


def test_documents() -> None:
    fields = {"a": {"b": [1, "x", True, None, "2026-01-01 10:00:00"], "c": {}}, "when": "2026-13-01"}
    found = document(fields)
    assert found["when"] == ["2026-13-01"]
    assert {str(value) for value in found["a.b"]} == {"1.0", "x", "T", "2026-01-01 10:00:00+00:00"}
    assert set(found) == {"a.b", "when"}


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(QuerySyntaxError, QuerySearchError):
        parse(text).score(PLAYER)


@given(st.text(alphabet='+-:><=^~"\\/*?.ab1 ', max_size=24))
def test_any_operators_are_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(QuerySyntaxError, QuerySearchError):
        parse(text).score(PLAYER)
