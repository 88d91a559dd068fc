"""Status: follow, update, unfollow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nakama_bots.session import Session

from .support import SYSTEM_USER, UNKNOWN_ID, Line, error_reply

Connect = Callable[..., Line]
EVENT = "status_presence_event"


def update(line: Line, status: str | None) -> Any:
    """Set the status; its event comes after the ack, except sometimes on a busy real server."""
    assert EVENT not in [key for key, _ in line.received]
    line.socket.update_status(status)
    assert line.server.real or EVENT not in [key for key, _ in line.received]
    return line.take(EVENT)


def test_follow_update_unfollow(connect: Connect) -> None:
    fan, star = connect(), connect()
    assert fan.socket.follow_users([star.user_id]) == {}

    hello = update(star, "hello")
    online = hello["joins"]
    assert hello == {"joins": [star.presence(status="hello")]}
    assert fan.take(EVENT) == hello

    changed = update(star, "changed")
    assert changed == {"joins": [{**online[0], "status": "changed"}], "leaves": online}
    assert fan.take(EVENT) == changed

    # An empty status is online too.
    empty = update(star, "")
    assert empty == {"joins": [{**online[0], "status": ""}], "leaves": changed["joins"]}
    assert fan.take(EVENT) == empty
    assert fan.socket.follow_users([star.user_id]) == {"presences": empty["joins"]}

    offline = update(star, None)
    assert offline == {"leaves": empty["joins"]}
    assert fan.take(EVENT) == offline
    assert fan.socket.follow_users([star.user_id]) == {}

    fan.socket.unfollow_users([star.user_id])
    update(star, "unseen")
    assert fan.keys() == []


def test_follower_sees_connect_and_close(connect: Connect) -> None:
    fan = connect()
    session = connect().session
    fan.socket.follow_users([session.user_id])

    star = connect(session, status=True)
    online = star.take(EVENT)
    assert fan.take(EVENT) == online == {"joins": [star.presence(status="")]}
    star.close()
    assert fan.take(EVENT) == {"leaves": online["joins"]}


def test_two_sockets(session: Session, connect: Connect) -> None:
    a, b, fan = connect(session), connect(session), connect()
    fan.socket.follow_users([session.user_id])

    on_a = update(a, "on a")
    assert [line.take(EVENT) for line in (b, fan)] == [on_a, on_a]
    on_b = update(b, "on b")
    assert [line.take(EVENT) for line in (a, fan)] == [on_b, on_b]

    presences = fan.socket.follow_users([session.user_id])["presences"]
    assert sorted(one["status"] for one in presences) == ["on a", "on b"]
    assert presences[0]["session_id"] != presences[1]["session_id"]
    a.close()
    left = {"leaves": on_a["joins"]}
    assert [line.take(EVENT) for line in (b, fan)] == [left, left]


def test_follow_unknown_users(connect: Connect) -> None:
    line = connect(status=True)
    line.take(EVENT)
    for ids in ([], [UNKNOWN_ID], [SYSTEM_USER], [line.user_id]):
        assert line.socket.follow_users(ids) == {}
    for ids in ([], [UNKNOWN_ID], [line.user_id]):
        line.socket.unfollow_users(ids)


def test_follow_twice_gets_one_event(connect: Connect) -> None:
    fan, star = connect(), connect()
    fan.socket.follow_users([star.user_id, star.user_id])
    fan.socket.follow_users([star.user_id])
    update(star, "once")
    fan.take(EVENT)
    assert fan.keys() == []


def test_follow_by_name(connect: Connect) -> None:
    fan, star = connect(), connect()
    online = update(star, "here")
    reply = fan.socket.request("status_follow", {"usernames": [star.username]})
    assert reply == {"presences": online["joins"]}


@pytest.mark.parametrize(
    ("key", "body", "text"),
    [
        ("status_follow", {"user_ids": ["not-a-uuid"]}, "Invalid user identifier"),
        ("status_follow", {"usernames": [""]}, "Invalid username"),
        ("status_unfollow", {"user_ids": ["not-a-uuid"]}, "Invalid user identifier"),
        ("status_update", {"status": "s" * 2049}, "Status must be 2048 characters or less"),
    ],
)
def test_refused(connect: Connect, key: str, body: dict[str, object], text: str) -> None:
    line = connect()
    with error_reply(3, text):
        line.socket.request(key, body)
    assert line.keys() == []


def test_longest_status(connect: Connect) -> None:
    line = connect()
    assert update(line, "s" * 2048)["joins"][0]["status"] == "s" * 2048
