"""Device, custom and email authentication."""

from __future__ import annotations

import re

import pytest

from nakama_bots.session import Session

from .support import TOKEN, Server, claims_of, refused, unique

PASSWORD = "password-123"


def authenticate(server: Server, method: str, ident: str, **options: object) -> Session:
    call = getattr(server.client, f"authenticate_{method}")
    return call(ident, **options)


def email(server: Server, address: str, password: str = PASSWORD, **options: object) -> Session:
    return server.client.authenticate_email(address, password, **options)


def new_address() -> str:
    return f"{unique('mail')}@example.com"


@pytest.mark.parametrize("method", ["device", "custom"])
class TestById:
    def test_unknown_without_create(self, server: Server, method: str) -> None:
        with refused(404, 5, "User account not found."):
            authenticate(server, method, unique("contract"), create=False)

    def test_account_is_created_once(self, server: Server, method: str) -> None:
        ident, name = unique("contract"), unique("user")

        first = authenticate(server, method, ident, username=name, vars={"build": "7"})
        again = authenticate(server, method, ident, create=False)

        assert (first.created, again.created) == (True, False)
        assert first.username == again.username == name
        assert first.user_id == again.user_id
        assert first.vars == {"build": "7"}
        assert again.vars == {}
        assert first.token == TOKEN
        assert first.refresh_token == TOKEN

    def test_both_tokens_of_a_login_share_its_id(self, server: Server, method: str) -> None:
        session = authenticate(server, method, unique("contract"))

        token, refresh = claims_of(session.token), claims_of(session.refresh_token)
        assert token.keys() == refresh.keys() == {"tid", "uid", "usn", "exp", "iat"}
        assert (token["tid"], token["uid"]) == (refresh["tid"], refresh["uid"])
        assert session.refresh_expires_at is not None
        assert session.expires_at > session.created_at
        assert session.refresh_expires_at > session.created_at

    def test_name_of_an_existing_account_is_ignored(self, server: Server, method: str) -> None:
        ident, name = unique("contract"), unique("user")
        authenticate(server, method, ident, username=name)

        assert authenticate(server, method, ident, username=unique("other")).username == name

    def test_generated_name(self, server: Server, method: str) -> None:
        assert re.fullmatch("[A-Za-z]{10}", authenticate(server, method, unique("contract")).username)
        assert re.fullmatch(
            "[A-Za-z]{10}", authenticate(server, method, unique("contract"), username="").username
        )

    def test_taken_name(self, server: Server, method: str, session: Session) -> None:
        ident = unique("contract")

        with refused(409, 6, "Username is already in use."):
            authenticate(server, method, ident, username=session.username)
        with refused(404, 5, "User account not found."):
            authenticate(server, method, ident, create=False)

    def test_names_are_case_sensitive(self, server: Server, method: str, session: Session) -> None:
        other = session.username.upper()

        assert authenticate(server, method, unique("contract"), username=other).username == other

    def test_name_with_spaces(self, server: Server, method: str) -> None:
        name = unique("bad name")

        assert authenticate(server, method, unique("contract"), username=name).username == name

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("bad\tname", "Username invalid, no spaces or control characters allowed."),
            ("u" * 129, "Username invalid, must be 1-128 bytes."),
        ],
    )
    def test_bad_name(self, server: Server, method: str, name: str, message: str) -> None:
        with refused(400, 3, message):
            authenticate(server, method, unique("contract"), username=name)

    def test_wrong_server_key(self, server: Server, method: str) -> None:
        client = server.other_client(server_key="not-the-key")

        with refused(401, 16, "Server key invalid"):
            getattr(client, f"authenticate_{method}")(unique("contract"))


@pytest.mark.parametrize(
    ("method", "ident", "message"),
    [
        ("device", "", "Device ID is required."),
        ("device", "short", "Device ID invalid, must be 10-128 bytes."),
        ("device", "d" * 129, "Device ID invalid, must be 10-128 bytes."),
        ("device", "device 0000000001", "Device ID invalid, no spaces or control characters allowed."),
        ("custom", "", "Custom ID is required."),
        ("custom", "abc", "Custom ID invalid, must be 6-128 bytes."),
        ("custom", "custom id 1", "Custom ID invalid, no spaces or control characters allowed."),
    ],
)
def test_bad_id(server: Server, method: str, ident: str, message: str) -> None:
    with refused(400, 3, message):
        authenticate(server, method, ident)


def test_longest_and_shortest_device_id(server: Server) -> None:
    longest = unique("contract").ljust(128, "d")

    assert server.client.authenticate_device(longest).created
    # Ten bytes are too few for a unique name per run: any account will do.
    assert server.client.authenticate_device("device-010").user_id


def test_email(server: Server) -> None:
    address, name = new_address(), unique("user")

    with refused(404, 5, "User account not found."):
        email(server, address, create=False)
    first = email(server, address, username=name)
    again = email(server, address.upper(), create=False)
    by_name = email(server, "", username=name, create=False)

    assert (first.created, again.created, by_name.created) == (True, False, False)
    assert first.user_id == again.user_id == by_name.user_id
    assert server.client.get_account(first)["email"] == address


def test_email_wrong_password(server: Server) -> None:
    address, name = new_address(), unique("user")
    email(server, address, username=name)

    for create in (False, True):
        with refused(401, 16, "Invalid credentials."):
            email(server, address, "password-124", create=create)
    with refused(401, 16, "Invalid credentials."):
        email(server, "", "password-124", username=name, create=False)


def test_email_by_unknown_name(server: Server) -> None:
    with refused(404, 5, "User account not found."):
        email(server, "", username=unique("nobody"), create=False)
    with refused(400, 3, "Username is required when email address is not supplied."):
        email(server, "", create=False)


def test_email_taken_name(server: Server, session: Session) -> None:
    with refused(409, 6, "Username is already in use."):
        email(server, new_address(), username=session.username)


@pytest.mark.parametrize(
    ("address", "password", "message"),
    [
        ("somebody@example.com", "short", "Password must be at least 8 characters long."),
        ("somebody@example.com", "", "Password must be at least 8 characters long."),
        ("", "", "Password must be at least 8 characters long."),
        ("not-an-email", PASSWORD, "Invalid email address format."),
        ("a@b.co", PASSWORD, "Invalid email address, must be 10-255 bytes."),
        ("a b@example.com", PASSWORD, "Invalid email address, no spaces or control characters allowed."),
    ],
)
def test_bad_email(server: Server, address: str, password: str, message: str) -> None:
    with refused(400, 3, message):
        email(server, address, password)


def test_email_wrong_server_key(server: Server) -> None:
    with refused(401, 16, "Server key invalid"):
        server.other_client(server_key="not-the-key").authenticate_email(new_address(), PASSWORD)
