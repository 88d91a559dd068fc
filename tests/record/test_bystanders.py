"""Users that were not recorded: a new account replaces each."""

from __future__ import annotations

from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError

from .conftest import MakeRecorder
from .support import Game
from .test_scenario import check_plays, written


def test_one_player_and_users_of_the_server(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    friend, named = (Game(emulator.url, name).log_in(connect=False) for name in ("by-id", "by-name"))
    proxy = record()
    game = Game(proxy.url, "alone-with-others").log_in()
    client, session, socket = game.client, game.session, game.socket
    client.add_friends(session, ids=[friend.session.user_id])
    client.add_friends(session, usernames=["by-name"])
    with pytest.raises(CallError):
        client.add_friends(session, usernames=["nobody-has-this-name"])
    client.get_users(session, usernames=["nobody-has-it-either"])
    client.read_storage_objects(
        session,
        {
            "object_ids": [
                {"collection": "saves", "key": "one", "user_id": "11111111-2222-4333-8444-555555555555"}
            ]
        },
    )
    socket.follow_users([friend.session.user_id])
    socket.request("status_follow", {"usernames": ["by-name"]})
    room = socket.join_chat(friend.session.user_id, 2)
    socket.write_chat_message(room["id"], {"text": "hello"})
    for one in (game, friend, named):
        one.close()
    path = tmp_path / "alone.py"
    source, _ = written(proxy, path)
    assert "with self.player.bystanders(2) as others:" in source
    assert "api.add_friends(ids=[others[0].user_id])" in source
    assert "api.add_friends(usernames=[others[1].username])" in source
    assert "with self.player.chat(user=others[0].user_id) as room:" in source
    assert "by-name" not in source
    assert "nobody-has" not in source
    check_plays(path, emulator)
