"""Random sessions: the same seed sends the same requests to any server, whose answers are then compared.

A step is drawn from tables of requests over few names, so that users meet; values are at and around limits.
What a server made up is drawn by its place in the order of appearance, so a session does not depend on it.

Two servers by hand, for as long as one likes::

    python -m tests.contract.differential_random URL URL --seeds 1-50 --steps 300
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import uuid
from collections.abc import Callable
from typing import Any, Final

from . import differential_acts as more
from .differential import Actor, Run
from .transcript import Step, compare

NOBODY: Final = "11111111-1111-4111-8111-111111111111"
SYSTEM: Final = "00000000-0000-0000-0000-000000000000"
# A server that works in parallel sends events up to so many seconds after the answer.
PAUSE: Final = 0.03
_LIMITS: Final = ("", "0", "1", "2", "3", "100", "101", "-1", "x")
_TEXTS: Final = ("", "a", "ä☃", "x" * 64, "x" * 129, "x" * 256, "<&>", 'a"b', "a b", " ")
_DOCUMENTS: Final = (
    "{}",
    '{"a":1}',
    '{"b":[1,2],"a":"x"}',
    ' {"a":1e3}',
    "[]",
    "",
    "x",
    '{"a":"\\u0000"}',
    '{"a":1e400}',
    '{"a":1,"a":2}',
)
_FLAGS: Final = (True, False)
_NUMBERS: Final = ("0", "1", "5", "7", "-1", "9223372036854775807", "1e2", "1.5", "")


class Session:
    """One random session against one server."""

    def __init__(self, run: Run, seed: int) -> None:
        self.run = run
        self.random = random.Random(seed)
        self.name = ""
        # What the server made up, in the order in which it came.
        self.made: dict[str, list[str]] = {
            kind: []
            for kind in (
                "group",
                "channel",
                "message",
                "match",
                "party",
                "version",
                "session",
                "cursor",
                "greeter",
                "ticket",
                "notice",
            )
        }

    def one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def who(self) -> str:
        return str(self.one(*self.run.actors))

    def user(self) -> str:
        """The id of a user, now and then of none."""
        if self.random.random() < 0.1:
            return str(self.one(NOBODY, SYSTEM, "x", ""))
        return self.written(self.run.actors[self.who()].user_id)

    def written(self, identifier: str) -> str:
        """An id, now and then in another form that a server reads."""
        start, dot, node = identifier.partition(".")
        forms = (start.upper(), start.replace("-", ""))
        return f"{self.one(*forms)}{dot}{node}" if self.random.random() < 0.05 else identifier

    def known(self, kind: str, *others: str) -> str:
        """Something that the server made up, now and then another text."""
        if not self.made[kind] or self.random.random() < 0.1:
            return str(self.one(*others, NOBODY, "x", ""))
        found: str = self.one(*self.made[kind][-4:])
        return self.written(found) if kind in ("group", "message", "match", "party") else found

    def name_of(self, kind: str, number: int = 3) -> str:
        return self.run.name(f"{kind}{self.random.randrange(number)}")

    def maybe(self, chance: float, name: str, value: Callable[[], Any]) -> dict[str, Any]:
        return {name: value()} if self.random.random() < chance else {}

    def keep(self, kind: str, value: Any) -> None:
        if isinstance(value, str) and value:
            self.made[kind].append(value)

    def rest(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        unordered: tuple[str, ...] = (),
    ) -> Any:
        pairs = [
            (key, one)
            for key, value in (query or {}).items()
            for one in (value if isinstance(value, list) else [value])
        ]
        got = self.run.rest(self.name, self.who(), method, path, body, query=pairs, unordered=unordered)
        return got if isinstance(got, dict) else {}

    def send(self, message: dict[str, Any], *, acked: bool = True) -> dict[str, Any]:
        return self.run.send(self.name, self.who(), message, acked=acked)


Act = Callable[[Session], object]


def _account(s: Session) -> None:
    fields = ("display_name", "location", "timezone", "lang_tag", "avatar_url")
    s.rest("PUT", "/v2/account", {s.one(*fields): s.one(*_TEXTS) for _ in range(s.random.randrange(3))})


def _read(s: Session) -> None:
    path, query = s.one(
        ("/v2/account", {}),
        ("/v2/user", {"ids": [s.user(), s.user()]}),
        ("/v2/user", {"usernames": [s.run.name(s.who()), s.one("", "no one")]}),
        ("/v2/friend/friends", {"limit": s.one(*_LIMITS)}),
        ("/v2/notification", {"limit": s.one(*_LIMITS)}),
        ("/v2/notification", {"cacheable_cursor": "nonsense"}),
        (f"/v2/user/{s.user()}/group", {"limit": s.one(*_LIMITS)}),
    )
    s.rest("GET", path, query=query)


def _friend(s: Session) -> None:
    method, path = s.one(
        ("POST", "/v2/friend"), ("POST", "/v2/friend"), ("DELETE", "/v2/friend"), ("POST", "/v2/friend/block")
    )
    query = {"ids": s.user()} if s.random.random() < 0.7 else {"usernames": s.run.name(s.who())}
    s.rest(method, path, query=query)


def _friends(s: Session) -> None:
    query = {
        **s.maybe(0.5, "limit", lambda: s.one(*_LIMITS)),
        **s.maybe(0.5, "state", lambda: s.one("0", "1", "2", "3", "4")),
    }
    s.rest("GET", "/v2/friend", query=query)


def _make_group(s: Session) -> None:
    body = {
        "name": s.one(s.name_of("group"), s.name_of("group"), ""),
        "open": s.one(*_FLAGS),
        **s.maybe(0.3, "max_count", lambda: s.one(0, 1, 2, 100, -1)),
        **s.maybe(0.2, "description", lambda: s.one(*_TEXTS)),
        **s.maybe(0.2, "lang_tag", lambda: s.one("", "en", "x" * 19)),
    }
    s.keep("group", s.rest("POST", "/v2/group", body).get("id"))


def _group(s: Session) -> None:
    act = s.one("join", "join", "leave", "add", "kick", "ban", "promote", "demote")
    query = {} if act in ("join", "leave") else {"user_ids": [s.user() for _ in range(s.random.randrange(3))]}
    s.rest("POST", f"/v2/group/{s.known('group') or 'x'}/{act}", query=query)


def _change_group(s: Session) -> None:
    path = f"/v2/group/{s.known('group') or 'x'}"
    if s.random.random() < 0.3:
        s.rest("DELETE", path)
        return
    body = {
        **s.maybe(0.5, "name", lambda: s.one("", s.name_of("group"))),
        **s.maybe(0.5, "open", lambda: s.one(*_FLAGS)),
        **s.maybe(0.3, "avatar_url", lambda: s.one(*_TEXTS)),
    }
    s.rest("PUT", path, body)


def _group_users(s: Session) -> None:
    query = {
        **s.maybe(0.5, "limit", lambda: s.one(*_LIMITS)),
        **s.maybe(0.3, "state", lambda: s.one("0", "1", "2", "3", "4", "5")),
    }
    s.rest("GET", f"/v2/group/{s.known('group') or 'x'}/user", query=query)


def _write(s: Session) -> None:
    def item() -> dict[str, Any]:
        return {
            "collection": s.one(s.name_of("box", 2), s.name_of("box", 2), ""),
            "key": s.one("a", "b", "c", "k" * 129, ""),
            "value": s.one(*_DOCUMENTS[:4], *_DOCUMENTS),
            **s.maybe(0.4, "version", lambda: s.one("*", s.known("version", "y"))),
            **s.maybe(0.4, "permission_read", lambda: s.one(0, 1, 2, 3)),
            **s.maybe(0.2, "permission_write", lambda: s.one(0, 1, 2)),
        }

    got = s.rest("PUT", "/v2/storage", {"objects": [item() for _ in range(s.one(0, 1, 1, 1, 2, 3))]})
    for ack in got.get("acks", ()):
        s.keep("version", ack["version"])


def _objects(s: Session) -> None:
    def item(owner: bool) -> dict[str, Any]:
        more = {"user_id": s.user()} if owner else s.maybe(0.3, "version", lambda: s.known("version", "y"))
        return {"collection": s.name_of("box", 2), "key": s.one("a", "b", "c", ""), **more}

    if s.random.random() < 0.6:
        s.rest("POST", "/v2/storage", {"object_ids": [item(owner=True) for _ in range(s.one(0, 1, 2))]})
    else:
        s.rest("PUT", "/v2/storage/delete", {"object_ids": [item(owner=False) for _ in range(s.one(0, 1, 2))]})


def _list_objects(s: Session) -> None:
    owner = s.one("", f"/{s.user() or 'x'}")
    query = {
        **s.maybe(0.7, "limit", lambda: s.one(*_LIMITS)),
        **s.maybe(0.5, "cursor", lambda: s.known("cursor")),
    }
    s.keep("cursor", s.rest("GET", f"/v2/storage/{s.name_of('box', 2)}{owner}", query=query).get("cursor"))


def _score(s: Session) -> None:
    body = {
        "score": s.one(*_NUMBERS),
        **s.maybe(0.4, "subscore", lambda: s.one(*_NUMBERS)),
        **s.maybe(0.4, "operator", lambda: s.one(0, 1, 2, 3, 4, 5, "SET", "BEST", "nothing", [])),
        **s.maybe(0.3, "metadata", lambda: s.one(*_DOCUMENTS)),
    }
    board = s.one("leaderboard", "tournament")
    suffix = "_t" if board == "tournament" else ""
    path = f"/v2/{board}/{s.one(s.run.name('board') + suffix, s.run.name('board') + suffix, 'nothing')}"
    if board == "tournament" and s.random.random() < 0.3:
        s.rest("POST", f"{path}/join")
    else:
        s.rest(s.one("POST", "POST", "POST", "DELETE"), path, body)


def _scores(s: Session) -> None:
    board, suffix = s.one(("leaderboard", ""), ("tournament", "_t"))
    path = f"/v2/{board}/{s.run.name('board')}{suffix}"
    query = {**s.maybe(0.6, "limit", lambda: s.one(*_LIMITS)), **s.maybe(0.3, "owner_ids", s.user)}
    if s.random.random() < 0.4:
        path, query = f"{path}/owner/{s.user() or 'x'}", {"limit": s.one(*_LIMITS)}
    s.rest("GET", path, query=query)


def _function(s: Session) -> None:
    body = s.one("", "null", '"x"', "5", "{}", '"x" y', json.dumps(s.one(*_TEXTS)), '"\\ud800"')
    s.rest("POST", f"/v2/rpc/{s.one('echo', 'ECHO', 'nothing')}", body, s.one({}, {}, {"unwrap": ""}))


def _identity(s: Session) -> None:
    kind, identifier = s.one(
        ("device", s.name_of("more-device")),
        ("custom", s.name_of("more-custom")),
        ("device", "short"),
        ("custom", ""),
        ("device", "a b" * 9),
        ("custom", "x" * 129),
    )
    s.rest("POST", f"/v2/account/{s.one('link', 'link', 'unlink')}/{kind}", {"id": identifier})


def _history(s: Session) -> None:
    channel = s.known("channel", "2...nowhere", f"3.{NOBODY}..") or "x"
    forward = s.maybe(0.5, "forward", lambda: s.one("true", "false"))
    limit = s.maybe(0.7, "limit", lambda: s.one(*_LIMITS))
    if channel.startswith("3."):
        # What a server says of a group's members in one second has no order.
        limit = {"limit": "100"}
    s.rest("GET", f"/v2/channel/{channel}", query={**forward, **limit}, unordered=("messages",))


def _join_channel(s: Session) -> None:
    kind, target = s.one(
        (1, s.name_of("room", 2)),
        (1, s.name_of("room", 2)),
        (2, s.user()),
        (3, s.known("group")),
        (0, "x" * 65),
        (4, "x"),
    )
    more = {**s.maybe(0.2, "hidden", lambda: True), **s.maybe(0.3, "persistence", lambda: s.one(*_FLAGS))}
    s.keep(
        "channel",
        s.send({"channel_join": {"type": kind, "target": target, **more}}).get("channel", {}).get("id"),
    )


def _chat(s: Session) -> None:
    channel = {"channel_id": s.known("channel", "2...nowhere")}
    act = s.one("send", "send", "send", "update", "remove", "leave")
    if act == "leave":
        s.send({"channel_leave": channel})
        return
    content = {} if act == "remove" else {"content": s.one(*_DOCUMENTS[:4], *_DOCUMENTS)}
    message = {} if act == "send" else {"message_id": s.known("message")}
    got = s.send({f"channel_message_{act}": {**channel, **message, **content}})
    if act == "send":
        s.keep("message", got.get("channel_message_ack", {}).get("message_id"))


def _match(s: Session) -> None:
    act = s.one("create", "join", "join", "leave", "data", "data")
    if act == "data":
        body = {
            "match_id": s.known("match", f"{NOBODY}."),
            "op_code": s.one("0", "7", "-1"),
            "data": base64.b64encode(s.one("", "hello").encode()).decode(),
            **s.maybe(0.3, "presences", lambda: [{"user_id": s.user(), "session_id": s.known("session")}]),
        }
        s.send({"match_data_send": body}, acked=False)
        return
    message = (
        {"name": s.one("", s.name_of("match", 2))}
        if act == "create"
        else {"match_id": s.known("match", f"{NOBODY}.")}
    )
    got = s.send({f"match_{act}": message}).get("match", {})
    s.keep("match", got.get("match_id"))
    s.keep("session", got.get("self", {}).get("session_id"))


def _status(s: Session) -> None:
    act = s.one("update", "update", "follow", "unfollow")
    if act == "update":
        s.send({"status_update": s.one({}, {"status": ""}, {"status": "busy"}, {"status": "x" * 2049})})
    else:
        users = {"user_ids": [s.user() for _ in range(s.random.randrange(3))]}
        s.send(
            {
                f"status_{act}": {
                    **users,
                    **(s.maybe(0.2, "usernames", lambda: [s.run.name(s.who())]) if act == "follow" else {}),
                }
            }
        )


def _party(s: Session) -> None:
    act = s.one(
        "create",
        "join",
        "join",
        "leave",
        "accept",
        "remove",
        "promote",
        "close",
        "update",
        "data_send",
        "join_request_list",
    )
    if act == "create":
        body = {
            "open": s.one(*_FLAGS),
            "max_size": s.one(1, 2, 3, 256, 257, -1),
            **s.maybe(0.2, "label", lambda: s.one(*_DOCUMENTS)),
        }
        s.keep("party", s.send({"party_create": body}).get("party", {}).get("party_id"))
        return
    message: dict[str, Any] = {"party_id": s.known("party", f"{NOBODY}.node")}
    if act in ("accept", "remove", "promote"):
        who = s.who()
        message["presence"] = {
            "user_id": s.run.actors[who].user_id,
            "session_id": s.known("session", NOBODY),
            "username": s.run.name(who),
        }
    elif act == "update":
        message |= {
            "open": s.one(*_FLAGS),
            **s.maybe(0.3, "label", lambda: s.one(*_DOCUMENTS)),
            **s.maybe(0.2, "hidden", lambda: True),
        }
    elif act == "data_send":
        message |= {"op_code": "1", "data": "YQ=="}
    s.send({f"party_{act}": message})


ACTS: Final[tuple[tuple[int, Act], ...]] = (
    (3, _account),
    (3, _read),
    (4, _friend),
    (2, _friends),
    (2, _make_group),
    (6, _group),
    (1, _change_group),
    (2, _group_users),
    (6, _write),
    (4, _objects),
    (3, _list_objects),
    (4, _score),
    (2, _scores),
    (1, _function),
    (2, _identity),
    (2, _history),
    (4, _join_channel),
    (6, _chat),
    (5, _match),
    (3, _status),
    (5, _party),
    (2, more.socket_function),
    (3, more.authoritative),
    (2, more.ticket),
    (2, more.notices),
    (5, more.seldom),
)


def play(url: str, seed: int, steps: int, *, pause: float = 0.0) -> list[Step]:
    """The transcript of one session: three users, their sockets, and so many random steps."""
    run = Run(url, pause=pause)
    try:
        run.family = f"seed {seed}"
        # The order of user ids breaks ties, so that of the names is made the same.
        path, devices = "/v2/account/authenticate/device", {}
        for _ in run.actors:
            device, actor = {"id": str(uuid.uuid4())}, Actor("")
            actor.keep(run.quietly("POST", path, "key", device))
            devices[actor.user_id] = (device, actor)
        for (name, actor), (_, (device, made)) in zip(run.actors.items(), sorted(devices.items()), strict=True):
            run.quietly("PUT", "/v2/account", made.tokens["token"], {"username": run.name(name)})
            actor.keep(run.quietly("POST", path, "key", device))
            run.rest(name, name, "GET", "/v2/account", pick=lambda got: got["user"]["id"])
        board = json.dumps(json.dumps({"id": run.name("board")}))
        run.rest("boards", "ann", "POST", "/v2/rpc/contract_boards", board)
        for name in run.actors:
            run.connect(f"{name} connects", name, "&status=true")
        session = Session(run, seed)
        for number in range(steps):
            # One at a time: a shorter session is the beginning of a longer one.
            act = session.random.choices([act for _, act in ACTS], [weight for weight, _ in ACTS])[0]
            session.name = f"{seed}.{number}.{act.__name__.strip('_')}"
            act(session)
        return run.steps
    finally:
        run.close()


def main(arguments: list[str]) -> int:
    """Play seeds on two servers, say where they differ; returns the number of seeds that did."""
    parser = argparse.ArgumentParser(description="random sessions on two servers, compared")
    parser.add_argument("reference")
    parser.add_argument("other")
    parser.add_argument("--seeds", default="1-10", help="FIRST-LAST")
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args(arguments)
    first, _, last = given.seeds.partition("-")
    differing = 0
    for seed in range(int(first), int(last or first) + 1):
        found = compare(
            play(given.reference, seed, given.steps, pause=PAUSE),
            play(given.other, seed, given.steps, pause=PAUSE),
        )
        # What follows a difference differs by it: one step is enough to look at.
        for one in found[:3]:
            print(f"seed {seed}: {str(one)[:400]}", flush=True)
        differing += bool(found)
    print(f"{differing} seeds differ")
    return differing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
