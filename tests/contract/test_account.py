"""The current user's account: read, change, delete."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nakama_bots.errors import ConnectionClosed, HandshakeRefused
from nakama_bots.session import Session

from .support import ID, SECONDS, Line, Server, refused, unique


def test_new_account(server: Server) -> None:
    device, name = unique("contract-device"), unique("user")
    session = server.client.authenticate_device(device, username=name)

    account = server.api.get_account(session.token)
    assert account == {
        "user": {
            "id": session.user_id,
            "username": name,
            "lang_tag": "en",
            "metadata": "{}",
            "create_time": SECONDS,
            "update_time": SECONDS,
        },
        "wallet": "{}",
        "devices": [{"id": device}],
    }
    assert session.user_id == ID
    read = server.client.get_account(session)
    assert read == {**account, "wallet": {}, "user": {**account["user"], "metadata": {}}}


def test_custom_account(server: Server) -> None:
    ident = unique("contract")
    account = server.client.get_account(server.client.authenticate_custom(ident))
    assert account["custom_id"] == ident
    assert "devices" not in account


def test_update_and_clear(server: Server, session: Session) -> None:
    client = server.client
    fields = {
        "display_name": "Player One",
        "avatar_url": "http://example.com/a.png",
        "lang_tag": "fr",
        "location": "Paris",
        "timezone": "Europe/Paris",
    }
    assert client.update_account(session, **fields) == {}
    user = client.get_account(session)["user"]
    assert {name: user[name] for name in fields} == fields

    assert client.update_account(session, display_name="", avatar_url="", location="") == {}
    user = client.get_account(session)["user"]
    assert user.keys() >= {"lang_tag", "timezone"}
    assert not user.keys() & {"display_name", "avatar_url", "location"}


def test_rename(server: Server, session: Session) -> None:
    name = unique("with space")
    server.client.update_account(session, username=name)
    server.client.update_account(session, username=name)
    assert server.client.get_account(session)["user"]["username"] == name


def test_rename_to_a_taken_name(server: Server, session: Session) -> None:
    other = server.new_session()
    with refused(400, 3, "rpc error: code = AlreadyExists desc = Username is already in use."):
        server.client.update_account(session, username=other.username)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad\tname", "Username invalid, no spaces or control characters allowed."),
        ("u" * 129, "Username invalid, must be 1-128 bytes."),
        ("", "Username invalid, must be 1-128 bytes."),
        (None, "No fields to update."),
    ],
)
def test_bad_update(server: Server, session: Session, name: str | None, message: str) -> None:
    with refused(400, 3, message):
        server.client.update_account(session, username=name)


def test_display_name_that_is_too_long(server: Server, session: Session) -> None:
    with refused(500, 13, "Error while trying to update account."):
        server.client.update_account(session, display_name="x" * 1000)


def test_delete(server: Server, connect: Callable[..., Line]) -> None:
    device = unique("contract-device")
    session = server.client.authenticate_device(device)
    line = connect(session)
    server.next_second(session)

    assert server.client.delete_account(session) == {}

    error = line.ended()
    assert isinstance(error, ConnectionClosed)
    assert (error.code, error.reason) == (1000, "server-side session disconnect")
    with refused(401, 16, "Auth token invalid"):
        server.client.get_account(session)
    with refused(401, 16, "Auth token invalid"):
        server.client.delete_account(session)
    with refused(401, 16, "Refresh token invalid or expired."):
        server.client.session_refresh(session)
    with pytest.raises(HandshakeRefused, match="Missing or invalid token"):
        connect(session)
    # The device id can be used again.
    again = server.client.authenticate_device(device)
    assert again.created
    assert again.user_id != session.user_id
