"""Some calls over real sockets to a server process: the emulator, or with NAKAMA_URL a real Nakama."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import AlreadyExists, InvalidArgument, NotFound, Unauthenticated
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import TRANSPORTS
from nakama_bots.settings.target import Credentials, Target

from .support import Recorder


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if "NAKAMA_URL" in os.environ:
        yield os.environ["NAKAMA_URL"]
        return
    emulator = EmulatorProcess.start()
    yield emulator.url
    emulator.stop()


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.fixture(params=sorted(TRANSPORTS))
def client(url: str, request: pytest.FixtureRequest, observer: Recorder) -> Iterator[Client]:
    transport = TRANSPORTS[request.param]()
    credentials = Credentials(
        os.environ.get("NAKAMA_SERVER_KEY", "defaultkey"), os.environ.get("NAKAMA_HTTP_KEY", "defaulthttpkey")
    )
    yield Client(Target.parse(url), credentials, transport=transport, observer=observer)
    transport.close()


def identity() -> str:
    return f"slice-{uuid.uuid4()}"


def test_account_from_creation_to_deletion(client: Client, observer: Recorder) -> None:
    device = identity()
    session = client.authenticate_device(device, username=device, vars={"k": "v"})
    assert (session.created, session.username, session.vars) == (True, device, {"k": "v"})
    assert client.update_account(session, display_name="Zoë", location="Here") == {}
    account = client.get_account(session)
    assert account["user"]["id"] == session.user_id
    assert account["user"]["display_name"] == "Zoë"
    assert account["devices"] == [{"id": device}]
    assert client.authenticate_device(device).created is False
    assert client.delete_account(session) == {}
    with pytest.raises(NotFound):
        client.authenticate_device(device, create=False)
    assert [error for *_, error in observer.outcomes()] == [None] * 5 + [NotFound]


def test_email_and_custom(client: Client) -> None:
    name = identity()
    assert client.authenticate_custom(name, username=name).created
    with pytest.raises(AlreadyExists):
        client.authenticate_custom(identity(), username=name)
    email = f"{identity()}@example.com"
    first = client.authenticate_email(email, "password-1")
    assert client.authenticate_email(email, "password-1").user_id == first.user_id
    with pytest.raises(Unauthenticated):
        client.authenticate_email(email, "password-2")


def test_refresh_and_logout(client: Client) -> None:
    session = client.authenticate_device(identity())
    user = session.user_id
    assert client.session_refresh(session, {"a": "b"}).vars == {"a": "b"}
    assert session.user_id == user
    client.get_account(session)
    client.session_logout(session)
    with pytest.raises(Unauthenticated, match="Auth token invalid"):
        client.get_account(session)
    with pytest.raises(Unauthenticated, match="Refresh token invalid or expired"):
        client.session_refresh(session)


def test_listings_health_and_failures(client: Client) -> None:
    session = client.authenticate_device(identity())
    assert client.healthcheck() == {}
    assert isinstance(client.list_matches(session, limit=1, authoritative=False), dict)
    assert client.list_channel_messages(session, f"2...{uuid.uuid4()}", limit=10, forward=False) == {}
    with pytest.raises(InvalidArgument, match="limit must be between 1 and 100"):
        client.list_matches(session, limit=0)
    with pytest.raises(InvalidArgument, match="Invalid channel ID"):
        client.list_channel_messages(session, "nope")
    with pytest.raises(NotFound, match="RPC function not found"):
        client.rpc(session, "no_such_function", {"a": 1})
    with pytest.raises(Unauthenticated, match="HTTP key invalid"):
        client.rpc_http_key("wrong", "no_such_function")


def test_wrong_server_key(url: str) -> None:
    transport = TRANSPORTS["geventhttpclient"]()
    client = Client(Target.parse(url), Credentials("wrong"), transport=transport)
    with pytest.raises(Unauthenticated, match="Server key invalid"):
        client.authenticate_device(identity())
    transport.close()
