from __future__ import annotations

from typing import Any

import gevent
import pytest
from realtime.server import Peer

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import Abandoned, ConnectionClosed, ConnectionRefused, InternalError
from nakama_bots.players.player import Player, World
from nakama_bots.rest.transports.transport import RequestsTransport
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts

from .conftest import MakePlayer
from .support import (
    TOKEN,
    Recorder,
    failure,
    kill,
    make_player,
    new_identity,
    scripted_nakama,
    target_of,
)

DEVICE = ("POST", "/v2/account/authenticate/device")
PROFILE = ("PUT", "/v2/account")
CONNECT = ("WS", "connect")


def test_new_account_gets_its_persona(player: MakePlayer) -> None:
    bot, recorder = player(connect=False)

    bot.authenticate()

    user = bot.client.get_account(bot.session)["user"]
    shown = bot.persona.profile
    assert {name: user[name] for name in shown} == shown
    assert user["username"] == bot.identity.username
    assert (recorder.outcomes(*DEVICE), recorder.outcomes(*PROFILE)) == (["ok"], ["ok"])


def test_existing_account_keeps_its_profile(player: MakePlayer) -> None:
    identity = new_identity()
    first, _ = player(identity)
    first.client.update_account(first.session, display_name="Renamed")
    first.close()

    again, recorder = player(identity)

    assert again.session.user_id == first.session.user_id
    assert not again.session.created
    assert recorder.outcomes(*PROFILE) == []
    assert again.client.get_account(again.session)["user"]["display_name"] == "Renamed"


def test_taken_user_name_is_replaced(player: MakePlayer) -> None:
    other, _ = player(connect=False)
    identity = new_identity()
    other.client.authenticate_device("a-human-with-that-name", username=identity.username)

    bot, recorder = player(identity)

    assert bot.session.username == identity.other_username
    assert bot.session.username.startswith(f"{identity.prefix}-")
    assert recorder.outcomes(*DEVICE) == ["AlreadyExists", "ok"]
    bot.authenticate()
    assert recorder.outcomes(*DEVICE) == ["AlreadyExists", "ok", "ok"]


def test_authenticating_again_writes_no_second_profile(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.authenticate()
    assert (recorder.outcomes(*DEVICE), recorder.outcomes(*PROFILE)) == (["ok", "ok"], ["ok"])


def test_failed_profile_write_is_retried_at_the_next_login() -> None:
    profiles = [(500, {"code": 13, "message": "no"}), (500, {"code": 13, "message": "no"}), (200, {})]

    def answer(method: str, path: str) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            return 200, {"token": TOKEN, "refresh_token": TOKEN, "created": True}
        return profiles.pop(0)

    with scripted_nakama(lambda peer: None, answer) as server:
        bot, recorder = make_player(target_of(server))
        for _ in range(2):
            with pytest.raises(InternalError):
                bot.connect()
        bot.connect()
        bot.close()
        assert profiles == []
        assert recorder.outcomes(*DEVICE) == ["ok"]


def test_calls_before_login_or_connect(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    assert not bot.connected
    with pytest.raises(RuntimeError, match="call authenticate"):
        bot.session  # noqa: B018
    with pytest.raises(ConnectionClosed, match="not connected"):
        bot.socket  # noqa: B018
    bot.close()


def test_connect_is_idempotent(player: MakePlayer) -> None:
    bot, recorder = player()
    socket = bot.socket

    bot.connect()

    assert bot.socket is socket
    assert bot.connected
    assert (recorder.outcomes(*CONNECT), recorder.outcomes(*DEVICE)) == (["ok"], ["ok"])


def test_appears_online(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    other, _ = player()
    bot.connect(create_status=True)
    assert len(other.socket.follow_users([bot.session.user_id])["presences"]) == 1


def test_close_reports_the_ledger_once(player: MakePlayer) -> None:
    bot, recorder = player()
    for _ in range(3):
        bot.socket.ping_pong()
    bot.socket.create_match()
    assert recorder.ledger() == {}

    bot.close()
    bot.close()

    ledger = recorder.ledger()
    ledger.pop("ledger.pushes", None)  # the presence event may have arrived
    assert ledger == {"ledger.sent": 4, "ledger.ok": 4}


def test_reconnect_adds_to_the_ledger(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.socket.ping_pong()
    bot.close()
    bot.connect()
    first = bot.socket
    bot.socket.ping_pong()
    # Closed without the player: the next connect creates a new socket and reports the old one.
    first.close()
    assert not bot.connected
    bot.connect()
    assert recorder.ledger() == {"ledger.sent": 2, "ledger.ok": 2}
    assert bot.socket is not first
    bot.close()
    assert recorder.ledger() == {"ledger.sent": 2, "ledger.ok": 2}


def test_ledger_counts_requests_pending_at_close() -> None:
    asked = gevent.event.Event()

    def realtime(peer: Peer) -> None:
        peer.request()
        asked.set()

    with scripted_nakama(realtime) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()
        waiting = gevent.spawn(failure, Abandoned, bot.socket.ping_pong)
        asked.wait()
        bot.close()
        waiting.get()
        assert recorder.ledger() == {"ledger.sent": 1, "ledger.abandoned": 1}


def test_server_killed(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, recorder = player(url=doomed.url)
    ended = gevent.event.AsyncResult()
    bot.socket.on("disconnect", ended.set)
    bot.socket.ping_pong()
    kill(doomed)
    ended.get()

    assert not bot.connected
    with pytest.raises(ConnectionClosed):
        bot.socket.ping_pong()
    with pytest.raises(ConnectionRefused):
        bot.connect()
    bot.close()
    assert recorder.ledger() == {"ledger.sent": 1, "ledger.ok": 1, "ledger.refused": 1}


def test_context_manager_closes(player: MakePlayer) -> None:
    bot, recorder = player()
    bot.socket.ping_pong()
    with bot as entered:
        assert entered is bot
    assert not bot.connected
    assert recorder.counts["ledger.ok"] == 1


def test_world_decides_the_transport(emulator: EmulatorProcess) -> None:
    transports: list[RequestsTransport] = []

    def transport(network: Network) -> RequestsTransport:
        transports.append(RequestsTransport(network))
        return transports[-1]

    recorder = Recorder()
    world = World(Target.parse(emulator.url), Credentials(), Timeouts(), Network(), recorder, transport)
    with Player(world, new_identity()) as bot:
        bot.authenticate()
        bot.authenticate()
    assert len(transports) == 1
    assert recorder.outcomes(*DEVICE) == ["ok", "ok"]
