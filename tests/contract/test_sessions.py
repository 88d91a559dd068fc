"""Refresh and logout, and tokens that the server does not accept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nakama_bots.errors import HandshakeRefused, RestError, SessionExpired, Unauthenticated
from nakama_bots.session import Session

from .support import REFRESH_KEY, SESSION_KEY, UNKNOWN_ID, Line, Server, claims_of, refused, signed, until

REFRESH_REFUSED = "Refresh token invalid or expired."
FAR_FUTURE = 4102444800
LONG_AGO = 1000000000


def bad_tokens(session: Session, key: str) -> dict[str, str]:
    own = claims_of(session.token)
    return {
        "expired": signed({**own, "exp": LONG_AGO}, key),
        "wrongly signed": signed({**own, "exp": FAR_FUTURE}, "some other key"),
        "of nobody": signed({**own, "uid": UNKNOWN_ID, "tid": UNKNOWN_ID, "exp": FAR_FUTURE}, "other key"),
    }


def test_refresh(server: Server, session: Session) -> None:
    before, first = session.created_at, Session(session.token, session.refresh_token)

    again = server.client.session_refresh(session)

    assert again is session
    assert claims_of(session.token)["tid"] == claims_of(first.token)["tid"]
    assert session.created_at == before
    assert session.user_id == first.user_id
    server.client.get_account(session)
    # The old tokens are valid until they expire.
    server.client.get_account(first)
    server.client.session_refresh(first)


def test_refresh_replaces_vars(server: Server, session: Session) -> None:
    assert server.client.session_refresh(session, vars={"k2": "v2"}).vars == {"k2": "v2"}


def test_refresh_with_a_session_token(server: Server, session: Session) -> None:
    with refused(401, 16, REFRESH_REFUSED):
        server.client.session_refresh(Session(session.token, session.token))


def test_refresh_without_a_token(server: Server, session: Session) -> None:
    with refused(400, 3, "Refresh token is required."):
        server.client.session_refresh(Session(session.token))


@pytest.mark.parametrize("kind", ["expired", "wrongly signed", "of nobody"])
def test_refresh_with_a_bad_token(server: Server, session: Session, kind: str) -> None:
    bad = Session(session.token, bad_tokens(session, REFRESH_KEY)[kind])

    with refused(401, 16, REFRESH_REFUSED):
        server.client.session_refresh(bad)


def test_refresh_with_the_wrong_server_key(server: Server, session: Session) -> None:
    with refused(401, 16, "Server key invalid"):
        server.other_client(server_key="not-the-key").session_refresh(session)


@pytest.mark.parametrize("kind", ["expired", "wrongly signed", "of nobody"])
def test_bad_token(server: Server, session: Session, kind: str) -> None:
    bad = Session(bad_tokens(session, SESSION_KEY)[kind])

    with refused(401, 16, "Auth token invalid"):
        # With this clock no token is expired, so the client sends it.
        server.other_client(clock=lambda: 0.0).get_account(bad)


@pytest.mark.parametrize("kind", ["expired", "wrongly signed", "of nobody"])
def test_bad_token_on_the_socket(
    server: Server, session: Session, connect: Callable[..., Line], kind: str
) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        connect(Session(bad_tokens(session, SESSION_KEY)[kind]))
    assert caught.value.status == 401
    assert "Missing or invalid token" in str(caught.value)


def test_refresh_token_cannot_open_a_socket(session: Session, connect: Callable[..., Line]) -> None:
    with pytest.raises(HandshakeRefused, match="Missing or invalid token"):
        connect(Session(session.refresh_token))


def test_client_refreshes_an_expired_token_first(server: Server, session: Session) -> None:
    expired = Session(bad_tokens(session, SESSION_KEY)["expired"], session.refresh_token)

    account = server.client.get_account(expired)

    assert account["user"]["id"] == session.user_id
    assert expired.expires_at > LONG_AGO


def test_client_with_both_tokens_expired(server: Server, session: Session) -> None:
    bad = Session(bad_tokens(session, SESSION_KEY)["expired"], bad_tokens(session, REFRESH_KEY)["expired"])
    with pytest.raises(SessionExpired):
        server.client.get_account(bad)


def test_logout(server: Server, session: Session, connect: Callable[..., Line]) -> None:
    line = connect(session)

    assert server.client.session_logout(session) == {}

    with refused(401, 16, "Auth token invalid"):
        server.client.get_account(session)
    with refused(401, 16, REFRESH_REFUSED):
        server.client.session_refresh(session)
    with refused(401, 16, "Auth token invalid"):
        server.client.session_logout(session)
    # Sockets stay open, and the token even opens new ones.
    line.socket.ping_pong()
    connect(session).socket.ping_pong()


def test_logout_of_the_session_token_only(server: Server, session: Session) -> None:
    server.client.session_logout(session, refresh_token="")

    with refused(401, 16, "Auth token invalid"):
        server.client.get_account(session)
    # The refreshed token has the id of the revoked one.
    server.client.session_refresh(session)
    with refused(401, 16, "Auth token invalid"):
        server.client.get_account(session)


@pytest.mark.parametrize(
    ("field", "message"), [("token", "Session token invalid."), ("refresh_token", "Refresh token invalid.")]
)
def test_logout_of_garbage(server: Server, session: Session, field: str, message: str) -> None:
    with refused(400, 3, message):
        server.client.session_logout(session, **{field: "garbage"})
    server.client.get_account(session)


def test_logout_of_another_user(server: Server, session: Session) -> None:
    other = server.new_session()

    with refused(400, 3, "Session token invalid."):
        server.client.session_logout(session, other.token, other.refresh_token)
    server.client.get_account(other)


def test_logout_everywhere(server: Server, connect: Callable[..., Line]) -> None:
    device = server.new_session()
    client = server.client
    line = connect(device)
    custom = Session(device.token, device.refresh_token)

    def dead() -> bool:
        # Tokens issued in the second of the logout survive it.
        try:
            client.session_logout(device, "", "")
            client.get_account(device)
        except Unauthenticated:
            return True
        return False

    until(dead)
    with refused(401, 16, "Auth token invalid"):
        client.get_account(custom)
    with refused(401, 16, REFRESH_REFUSED):
        client.session_refresh(device)
    line.socket.ping_pong()
    with pytest.raises(HandshakeRefused, match="Missing or invalid token"):
        connect(device)


def test_refused_calls_name_the_route_and_hide_the_token(server: Server, session: Session) -> None:
    bad = Session(bad_tokens(session, SESSION_KEY)["wrongly signed"])
    with pytest.raises(RestError) as caught:
        server.client.get_account(bad)
    assert caught.value.operation == "/v2/account"
    assert bad.token not in f"{caught.value} {caught.value!r}"
