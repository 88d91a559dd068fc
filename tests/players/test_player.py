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
    Heard,
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
    bot, heard = player(connect=False)

    bot.authenticate()

    user = bot.client.get_account(bot.session)["user"]
    shown = bot.persona.profile
    assert {name: user[name] for name in shown} == shown
    assert user["username"] == bot.identity.username
    assert (heard.outcomes(*DEVICE), heard.outcomes(*PROFILE)) == (["ok"], ["ok"])


def test_known_account_keeps_its_profile(player: MakePlayer) -> None:
    identity = new_identity()
    first, _ = player(identity)
    first.client.update_account(first.session, display_name="Renamed")
    first.close()

    again, heard = player(identity)

    assert again.session.user_id == first.session.user_id
    assert not again.session.created
    assert heard.outcomes(*PROFILE) == []
    assert again.client.get_account(again.session)["user"]["display_name"] == "Renamed"


def test_a_taken_user_name_is_replaced(player: MakePlayer) -> None:
    other, _ = player(connect=False)
    identity = new_identity()
    other.client.authenticate_device("a-human-with-that-name", username=identity.username)

    bot, heard = player(identity)

    assert bot.session.username == identity.other_username
    assert bot.session.username.startswith(f"{identity.prefix}-")
    assert heard.outcomes(*DEVICE) == ["AlreadyExists", "ok"]
    bot.authenticate()
    assert heard.outcomes(*DEVICE) == ["AlreadyExists", "ok", "ok"]


def test_authenticating_again_writes_no_second_profile(player: MakePlayer) -> None:
    bot, heard = player()
    bot.authenticate()
    assert (heard.outcomes(*DEVICE), heard.outcomes(*PROFILE)) == (["ok", "ok"], ["ok"])


def test_profile_that_could_not_be_written_is_written_later() -> None:
    profiles = [(500, {"code": 13, "message": "no"}), (500, {"code": 13, "message": "no"}), (200, {})]

    def answer(method: str, path: str) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            return 200, {"token": TOKEN, "refresh_token": TOKEN, "created": True}
        return profiles.pop(0)

    with scripted_nakama(lambda peer: None, answer) as server:
        bot, heard = make_player(target_of(server))
        for _ in range(2):
            with pytest.raises(InternalError):
                bot.connect()
        bot.connect()
        bot.close()
        assert profiles == []
        assert heard.outcomes(*DEVICE) == ["ok"]


def test_nothing_before_its_time(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    assert not bot.connected
    with pytest.raises(RuntimeError, match="call authenticate"):
        bot.session  # noqa: B018
    with pytest.raises(ConnectionClosed, match="not connected"):
        bot.socket  # noqa: B018
    bot.close()


def test_connect_is_idempotent(player: MakePlayer) -> None:
    bot, heard = player()
    socket = bot.socket

    bot.connect()

    assert bot.socket is socket
    assert bot.connected
    assert (heard.outcomes(*CONNECT), heard.outcomes(*DEVICE)) == (["ok"], ["ok"])


def test_appears_online(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    other, _ = player()
    bot.connect(create_status=True)
    assert len(other.socket.follow_users([bot.session.user_id])["presences"]) == 1


def test_close_reports_the_ledger_once(player: MakePlayer) -> None:
    bot, heard = player()
    for _ in range(3):
        bot.socket.ping_pong()
    bot.socket.create_match()
    assert heard.ledger() == {}

    bot.close()
    bot.close()

    ledger = heard.ledger()
    ledger.pop("ledger.pushes", None)  # the presence event may still have come
    assert ledger == {"ledger.sent": 4, "ledger.ok": 4}


def test_reconnect_adds_to_the_ledger(player: MakePlayer) -> None:
    bot, heard = player()
    bot.socket.ping_pong()
    bot.close()
    bot.connect()
    first = bot.socket
    bot.socket.ping_pong()
    # Ended below the player: the next connect makes a new socket and reports the old one.
    first.close()
    assert not bot.connected
    bot.connect()
    assert heard.ledger() == {"ledger.sent": 2, "ledger.ok": 2}
    assert bot.socket is not first
    bot.close()
    assert heard.ledger() == {"ledger.sent": 2, "ledger.ok": 2}


def test_requests_under_way_at_the_close_are_in_the_ledger() -> None:
    asked = gevent.event.Event()

    def realtime(peer: Peer) -> None:
        peer.request()
        asked.set()

    with scripted_nakama(realtime) as server:
        bot, heard = make_player(target_of(server))
        bot.connect()
        waiting = gevent.spawn(failure, Abandoned, bot.socket.ping_pong)
        asked.wait()
        bot.close()
        waiting.get()
        assert heard.ledger() == {"ledger.sent": 1, "ledger.abandoned": 1}


def test_server_gone(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, heard = player(url=doomed.url)
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
    assert heard.ledger() == {"ledger.sent": 1, "ledger.ok": 1, "ledger.refused": 1}


def test_context_closes(player: MakePlayer) -> None:
    bot, heard = player()
    bot.socket.ping_pong()
    with bot as entered:
        assert entered is bot
    assert not bot.connected
    assert heard.counts["ledger.ok"] == 1


def test_the_world_decides_the_transport(emulator: EmulatorProcess) -> None:
    made: list[RequestsTransport] = []

    def transport(network: Network) -> RequestsTransport:
        made.append(RequestsTransport(network))
        return made[-1]

    heard = Heard()
    world = World(Target.parse(emulator.url), Credentials(), Timeouts(), Network(), heard, transport)
    with Player(world, new_identity()) as bot:
        bot.authenticate()
        bot.authenticate()
    assert len(made) == 1
    assert heard.outcomes(*DEVICE) == ["ok", "ok"]
