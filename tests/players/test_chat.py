from __future__ import annotations

import json

import pytest
from realtime.server import Peer, text

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import BadInput, ConnectionClosed

from .conftest import MakePlayer
from .support import SELF, failure, kill, make_player, scripted_nakama, target_of

LEAVE = ("WS", "channel_leave")


def test_talk(player: MakePlayer) -> None:
    (a, mine), (b, theirs) = player(), player()
    with a.chat("talk") as first:
        assert (first.id, first.others) == ("2...talk", [])
        with b.chat("talk") as second:
            assert second.others == [a.user_id]
            ack = first.say("hello")
            assert ack["channel_id"] == second.id == "2...talk"
            second.say({"text": "hi"})
            theirs.until("chat_received", 2)
            mine.until("chat_received", 2)
        with a.socket.expect("channel_message") as expectation:
            first.say({"text": "alone"})
            expectation.wait()
    assert (mine.counts["chat_sent"], theirs.counts["chat_sent"]) == (2, 1)
    # A member that left receives nothing more; the sender receives its own messages.
    assert (mine.counts["chat_received"], theirs.counts["chat_received"]) == (3, 2)
    assert mine.delivery("delivery.chat") == {"expected": 3, "received": 3}
    assert theirs.delivery("delivery.chat") == {"expected": 2, "received": 2}
    assert mine.delivery() == {}
    assert (mine.outcomes(*LEAVE), theirs.outcomes(*LEAVE)) == (["ok"], ["ok"])


def test_history_is_newest_first(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.chat("history") as room:
        for number in range(3):
            room.say({"n": number})
        contents = [message["content"] for message in room.history(2)["messages"]]
    numbers = [(json.loads(content) if isinstance(content, str) else content)["n"] for content in contents]
    assert numbers == [2, 1]
    assert recorder.outcomes("GET", "/v2/channel/{channel_id}") == ["ok"]


def test_without_persistence_there_is_no_history(player: MakePlayer) -> None:
    bot, _ = player()
    with bot.chat("volatile", persistence=False) as room:
        assert room.say({})["persistent"] is False
        assert room.history() == {}


def test_rooms_count_their_own_messages(player: MakePlayer) -> None:
    bot, recorder = player()
    with bot.chat("one") as one, bot.chat("two") as two:
        one.say({})
        two.say({})
    # Each room received one of the two messages.
    assert recorder.counts["chat_received"] == 2
    assert "input_to_echo" not in recorder.samples  # a sample of matches only


def test_joining_twice_does_not_list_the_player_itself(player: MakePlayer) -> None:
    (bot, _), (other, _) = player(), player()
    with other.chat("again"), bot.chat("again"), bot.chat("again") as room:
        assert room.others == [other.user_id]


def test_refused_join(player: MakePlayer) -> None:
    bot, recorder = player()
    with pytest.raises(BadInput, match="Invalid channel target"), bot.chat("x" * 300):
        raise AssertionError
    assert recorder.outcomes(*LEAVE) == []


def test_server_killed(player: MakePlayer, doomed: EmulatorProcess) -> None:
    bot, recorder = player(url=doomed.url)

    def talk() -> None:
        with bot.chat("gone") as room:
            kill(doomed)
            while True:
                room.say({})

    assert failure(ConnectionClosed, talk).operation == "channel_message_send"
    assert recorder.outcomes(*LEAVE) == []
    assert recorder.counts["chat_sent"] == recorder.outcomes("WS", "channel_message_send").count("ok")


def test_messages_before_the_join_reply() -> None:
    def message(channel: str) -> bytes:
        return text({"channel_message": {"channel_id": channel, "content": "{}"}})

    def realtime(peer: Peer) -> None:
        request = peer.request()
        reply = text({"cid": request["cid"], "channel": {"id": "2...early", "self": SELF}})
        peer.send(message("2...early") + message("2...other") + reply + message("2...early"))
        request = peer.request()
        assert request["channel_leave"] == {"channel_id": "2...early"}
        peer.answer(request, error={"code": 3, "message": "Invalid channel identifier"})

    with scripted_nakama(realtime) as server:
        bot, recorder = make_player(target_of(server))
        bot.connect()

        def visit() -> None:
            with bot.chat("early"):
                recorder.until("chat_received", 2)
                raise LookupError

        with pytest.raises(LookupError):
            visit()
        bot.close()
    assert recorder.counts["chat_received"] == 2
    # A refused leave does not hide the error that ended the visit.
    assert recorder.outcomes(*LEAVE) == ["BadInput"]
