"""A player recovers by itself from every state of its session."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import gevent
import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import (
    HandshakeRefused,
    NotFound,
    PermissionDenied,
    SessionExpired,
    Unauthenticated,
)
from nakama_bots.players.player import Player
from nakama_bots.rest.client import NakamaApi
from nakama_bots.rest.transports.transport import GeventTransport

from .conftest import MakePlayer
from .support import Recorder, make_player, new_identity, target_of_url

LOGIN = ("POST", "/v2/account/authenticate/device")
REFRESH = ("POST", "/v2/account/session/refresh")
ACCOUNT = ("GET", "/v2/account")
PROFILE = ("PUT", "/v2/account")
CONNECT = ("WS", "connect")


class Servers:
    """The emulators of a test, and players on them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, *extra: str) -> EmulatorProcess:
        return self._stack.enter_context(EmulatorProcess.start(extra=extra))

    def player(self, emulator: EmulatorProcess) -> tuple[Player, Recorder]:
        player, recorder = make_player(target_of_url(emulator.url))
        self._stack.enter_context(player)
        player.connect()
        return player, recorder


@pytest.fixture
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


def account(player: Player) -> str:
    return player.client.get_account(player.session)["user"]["id"]


@contextmanager
def outsider(emulator: EmulatorProcess) -> Iterator[NakamaApi]:
    """A raw client of the server, independent of the player."""
    transport = GeventTransport()
    yield NakamaApi(target_of_url(emulator.url), transport=transport)
    transport.close()


def until_refused(emulator: EmulatorProcess, token: str) -> None:
    """Wait until the server refuses ``token``."""
    with outsider(emulator) as api:
        while True:
            try:
                api.get_account(token)
            except Unauthenticated:
                return
            gevent.sleep(0.02)


def put_fault(emulator: EmulatorProcess, fault: dict[str, object]) -> None:
    body = json.dumps({"faults": [fault]}).encode()
    request = urllib.request.Request(f"{emulator.control_url}/faults", body, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


def test_expired_token_is_refreshed(servers: Servers) -> None:
    emulator = servers.start("--token-expiry", "5")  # enough to connect on a busy machine
    player, recorder = servers.player(emulator)
    until_refused(emulator, player.session.token)
    user_id = account(player)
    assert user_id == player.session.user_id
    assert (recorder.outcomes(*ACCOUNT), recorder.outcomes(*LOGIN)) == (["ok"], ["ok"])
    assert "ok" in recorder.outcomes(*REFRESH)
    assert player.connected


def test_both_tokens_expired_is_a_login_not_a_failure(servers: Servers) -> None:
    # Enough for a new token to reach the server on a busy machine.
    emulator = servers.start("--token-expiry", "3", "--refresh-token-expiry", "3")
    player, recorder = servers.player(emulator)
    user_id, held = player.session.user_id, player.session
    socket = player.socket
    until_refused(emulator, held.token)
    assert account(player) == user_id
    assert recorder.outcomes(*ACCOUNT) == ["ok"]
    assert player.session is held  # its holders use the new tokens
    assert len(recorder.outcomes(*LOGIN)) >= 2
    assert player.socket is socket
    socket.ping_pong()


def test_refused_session_with_an_open_socket(player: MakePlayer) -> None:
    """Logged out elsewhere: the socket stays open, as in Nakama, and later calls succeed."""
    bot, recorder = player()
    socket = bot.socket
    bot.client.session_logout(bot.session)
    with pytest.raises(Unauthenticated):
        account(bot)
    bot.connect()
    assert bot.socket is socket
    assert account(bot) == bot.session.user_id
    assert recorder.outcomes(*ACCOUNT) == ["Unauthenticated", "ok"]
    assert recorder.outcomes(*LOGIN) == ["ok", "ok"]
    assert recorder.outcomes(*CONNECT) == ["ok"]


def test_refused_session_without_a_connect(player: MakePlayer) -> None:
    """A loop that catches its failures never reaches ``connect``."""
    bot, recorder = player()
    session = bot.session
    bot.client.session_logout(session)
    with pytest.raises(Unauthenticated):
        bot.client.get_account(session)
    bot.client.get_account(session)
    assert recorder.outcomes(*ACCOUNT) == ["Unauthenticated", "ok"]


def test_all_tokens_revoked(servers: Servers) -> None:
    """The server revokes both tokens while the socket is closed, and refuses the handshake."""
    emulator = servers.start("--control-port", "0")
    player, recorder = servers.player(emulator)
    player.disconnect()
    old = player.session.token
    put_fault(emulator, {"kind": "expire_tokens"})
    until_refused(emulator, old)
    with pytest.raises(HandshakeRefused):
        player.connect()
    player.connect()
    assert recorder.outcomes(*CONNECT) == ["ok", "HandshakeRefused", "ok"]
    assert account(player) == player.session.user_id


def test_refused_refresh_is_a_login(servers: Servers) -> None:
    """The session token is about to expire, and the refresh token is logged out."""
    emulator = servers.start("--token-expiry", "8")
    player, recorder = servers.player(emulator)
    with outsider(emulator) as api:
        api.session_logout(player.session.token, {"token": "", "refresh_token": player.session.refresh_token})
    assert account(player) == player.session.user_id
    assert recorder.outcomes(*REFRESH)[-1] == "Unauthenticated"
    assert recorder.outcomes(*LOGIN) == ["ok", "ok"]
    assert recorder.outcomes(*ACCOUNT) == ["ok"]


def test_deleted_account_is_created_again(player: MakePlayer) -> None:
    bot, recorder = player()
    ended = gevent.event.AsyncResult()
    bot.socket.on("disconnect", ended.set)
    old = bot.session.user_id
    raw = bot.client.api_client
    raw.delete_account(bot.session.token)
    ended.get()
    with pytest.raises(Unauthenticated):
        account(bot)
    bot.connect()
    assert bot.session.user_id != old
    assert account(bot) == bot.session.user_id
    assert bot.session.created
    assert recorder.outcomes(*PROFILE) == ["ok", "ok"]


def test_server_that_lost_its_accounts(servers: Servers) -> None:
    """It still accepts the token of a user that no longer exists; the socket is not the new user's."""
    first = servers.start()
    player, recorder = servers.player(first)
    old = player.session.user_id
    port = first.url.rsplit(":", 1)[1]
    ended = gevent.event.AsyncResult()
    player.socket.on("disconnect", ended.set)
    first.stop()
    ended.get()
    servers.start("--port", port)
    player.connect()
    with pytest.raises(NotFound):
        account(player)
    assert account(player) == player.session.user_id != old
    before = player.socket
    assert before.connected
    player.connect()
    assert player.socket is not before
    assert recorder.outcomes(*PROFILE)[-1] == "ok"


def test_failed_login_is_raised_and_retried(servers: Servers) -> None:
    emulator = servers.start("--control-port", "0")
    player, recorder = servers.player(emulator)
    player.client.session_logout(player.session)
    with pytest.raises(Unauthenticated):
        account(player)
    put_fault(emulator, {"kind": "error", "on": " ".join(LOGIN), "code": 7, "times": 1})
    with pytest.raises(SessionExpired, match="PermissionDenied") as caught:
        account(player)
    assert isinstance(caught.value.__cause__, PermissionDenied)
    assert account(player) == player.session.user_id
    assert recorder.outcomes(*ACCOUNT) == ["Unauthenticated", "SessionExpired", "ok"]


def test_player_that_never_logged_in_has_no_session() -> None:
    player, _ = make_player(target_of_url("http://127.0.0.1:1"), new_identity())
    with pytest.raises(RuntimeError, match="call authenticate"):
        player.session  # noqa: B018
