from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.session import REFRESH_MARGIN, Claims, Session, TokenError

CLAIMS = {"tid": "t-1", "uid": "u-1", "usn": "bot", "exp": 2000, "iat": 1000}


def encode(claims: object, signature: str = "c2ln") -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), signature])


def token(**claims: object) -> str:
    return encode({**CLAIMS, **claims})


TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(TEXT, TEXT, st.integers(0, 2**53), st.integers(0, 2**53), st.dictionaries(TEXT, TEXT))
def test_claims_are_read_as_the_server_wrote_them(
    user_id: str, username: str, expires: int, issued: int, variables: dict[str, str]
) -> None:
    claims = Claims.decode(token(uid=user_id, usn=username, exp=expires, iat=issued, vrs=variables))
    assert (claims.user_id, claims.username, claims.token_id) == (user_id, username, "t-1")
    assert (claims.expires_at, claims.issued_at, claims.vars) == (expires, issued, variables)


def test_claims_that_may_be_missing() -> None:
    claims = Claims.decode(encode({"exp": 5}))
    assert (claims.user_id, claims.username, claims.issued_at, claims.vars) == ("", "", 0, {})
    odd = Claims.decode(encode({"exp": 5, "iat": "1", "vrs": [1]}))
    assert (odd.issued_at, odd.vars) == (0, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one",
        "a.b",
        "a.b.c.d",
        "a.!!.c",
        "..",
        encode([1]),
        encode({}),
        encode({"exp": "2000"}),
        encode({"exp": 1e40}),
        token() + "\r\nX-Evil: 1",
        "\n" + token(),
        token().replace(".", ". ", 1),
        "é." + token().split(".", 1)[1],
        "YQ.YQ.YQ",
    ],
)
def test_an_invalid_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(TokenError) as caught:
        Claims.decode(text)
    assert text == "" or text not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text())
def test_any_text_is_a_token_or_a_token_error(text: str) -> None:
    with pytest.raises(TokenError):
        Session(text)


def test_a_session_answers_for_its_tokens() -> None:
    session = Session(token(vrs={"a": "b"}), token(exp=9000), created=True)
    assert (session.user_id, session.username, session.vars) == ("u-1", "bot", {"a": "b"})
    assert (session.created_at, session.expires_at, session.refresh_expires_at) == (1000, 2000, 9000)
    assert session.created is True
    assert repr(session) == "Session(created=True)"


@pytest.mark.parametrize(
    ("now", "expired", "refresh_expired", "needs"),
    [
        (1000.0, False, False, False),
        (2000.0 - REFRESH_MARGIN - 0.1, False, False, False),
        (2000.0 - REFRESH_MARGIN, False, False, True),
        (1999.9, False, False, True),
        (2000.0, True, False, True),
        (8999.0, True, False, True),
        (9000.0, True, True, False),
    ],
)
def test_expiry_at_a_time(now: float, expired: bool, refresh_expired: bool, needs: bool) -> None:
    session = Session(token(), token(exp=9000))
    assert session.is_expired(now) is expired
    assert session.is_refresh_expired(now) is refresh_expired
    assert session.needs_refresh(now) is needs


def test_without_a_refresh_token_there_is_no_refresh() -> None:
    session = Session(token())
    assert session.refresh_expires_at is None
    assert session.is_refresh_expired(0.0)
    assert not session.needs_refresh(3000.0)


def test_restore_and_update_in_place() -> None:
    session = Session.restore(token(), token(exp=9000))
    assert session == Session(token(), token(exp=9000))
    session.update(token(exp=3000, usn="new"), token(exp=9999))
    assert (session.expires_at, session.refresh_expires_at, session.username) == (3000, 9999, "new")
    session.update(token(exp=4000))
    assert (session.expires_at, session.refresh_expires_at) == (4000, 9999)
    assert session.refresh_token == token(exp=9999)


@pytest.mark.parametrize(("new", "refresh"), [("bad", ""), (token(exp=7000), "bad")])
def test_a_bad_update_changes_nothing(new: str, refresh: str) -> None:
    session = Session(token(), token(exp=9000))
    with pytest.raises(TokenError):
        session.update(new, refresh)
    assert session == Session(token(), token(exp=9000))
    assert (session.expires_at, session.refresh_expires_at) == (2000, 9000)
