"""The queues and limits of matches and of presence events, without our own client.

CI uses an emulator with small queues, set by the server's own option names. A real server is expected to have
Nakama's defaults, or with ``NAKAMA_SMALL_QUEUES=1`` to run with the options ``SMALL``.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import websocket

from nakama_bots.emulator.server.process import EmulatorProcess

from .support import Server, unique

MODULE: Final = Path(__file__).parent / "modules" / "queues.lua"
TIMEOUT: Final = 15.0
# Milliseconds for which a match is kept busy, and seconds until the next requests are sent.
BUSY, BEGUN = 700, 0.2
ROUNDS: Final = 6
SIZES: Final = {"signal": 10, "input": 128}
SMALL_SIZES: Final = {"join_attempt": 3, "signal": 2, "deferred": 4, "input": 5}
SMALL: Final = (
    *(text for name, size in SMALL_SIZES.items() for text in (f"--match.{name}_queue_size", str(size))),
    "--match.max_empty_sec", "2", "--match.join_marker_deadline_ms", "1000", "--tracker.event_queue_size", "1",
    "--matchmaker.rev_precision", "--matchmaker.interval_sec", "1", "--party.idle_check_interval_ms", "200",
)  # fmt: skip
# Server seconds per second of the emulator's second instance: a lost join is searched for every 30 s.
SPEED: Final = 30


@dataclass(frozen=True)
class Queued:
    """A server and the sizes of its queues."""

    server: Server
    url: str
    sizes: dict[str, int]
    small: bool

    def user(self) -> User:
        answer = self.server.client.authenticate_device(unique("queues")) if self.server.real else None
        token = answer.token if answer else self._login()
        claims = token.split(".")[1]
        return User(
            self.url, token, json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["uid"]
        )

    def _login(self) -> str:
        path = "/v2/account/authenticate/device"
        return str(post(self.url + path, {"id": unique("queues")}, auth=("defaultkey", ""))["token"])


def post(url: str, body: Any, **more: Any) -> dict[str, Any]:
    """Send a POST request and return the answer."""
    with requests.post(url, json=body, timeout=TIMEOUT, **more) as answer:
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@dataclass(frozen=True)
class User:
    """A player with bare HTTP and websockets."""

    url: str
    token: str
    id: str

    def rpc(self, name: str, payload: Any) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        return str(post(f"{self.url}/v2/rpc/{name}", json.dumps(payload), headers=headers).get("payload", ""))

    def signal(self, match_id: str, data: str = "") -> dict[str, Any]:
        return dict(json.loads(self.rpc("contract_queues_signal", {"match_id": match_id, "data": data})))

    def connect(self, query: str = "") -> Wire:
        return Wire(f"ws{self.url.removeprefix('http')}/ws?token={self.token}{query}")


class Wire:
    """A socket that stores no frames."""

    def __init__(self, url: str) -> None:
        self._ws = websocket.create_connection(url, timeout=TIMEOUT)

    def send(self, message: dict[str, Any]) -> None:
        self._ws.send(json.dumps(message))

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and return the answer; frames before it are dropped."""
        self.send({"cid": "1", **message})
        return self.answer()

    def answer(self) -> dict[str, Any]:
        return self.until(lambda frame: "cid" in frame)[-1]

    def until(self, done: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """All frames up to the first that is ``done``."""
        frames = []
        while not frames or not done(frames[-1]):
            opcode, data = self._ws.recv_data()
            frames.append(
                {"close": [int.from_bytes(data[:2], "big"), data[2:].decode()]}
                if opcode == websocket.ABNF.OPCODE_CLOSE
                else json.loads(data)
            )
        return frames

    def received(self) -> list[dict[str, Any]]:
        """All frames that the server had sent before it answers a ping."""
        self.send({"cid": "received", "ping": {}})
        return self.until(lambda frame: frame.get("cid") == "received")[:-1]

    def data(self, match_id: str, op_code: int, data: object = "") -> None:
        content = base64.b64encode(str(data).encode()).decode()
        self.send({"match_data_send": {"match_id": match_id, "op_code": op_code, "data": content}})

    def close(self) -> None:
        self._ws.shutdown()


@pytest.fixture(scope="module")
def queued(server: Server) -> Iterator[Queued]:
    """The server: with small queues if it is an emulator."""
    server.function("contract_queues")
    if server.real:
        small = bool(os.environ.get("NAKAMA_SMALL_QUEUES"))
        yield Queued(server, server.target.http_url, SMALL_SIZES if small else SIZES, small)
        return
    with EmulatorProcess.start(extra=("--module", str(MODULE), *SMALL)) as process:
        yield Queued(server, process.url, SMALL_SIZES, small=True)


def start(queued: Queued, rate: int = 10) -> tuple[User, str, Wire]:
    """A match with a member."""
    user = queued.user()
    match_id = user.rpc("contract_queues", {"rate": rate})
    wire = user.connect()
    assert "match" in wire.ask({"match_join": {"match_id": match_id}})
    return user, match_id, wire


def test_joins_wait_while_a_function_of_the_match_runs(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("so many joins flood the sockets: NAKAMA_SMALL_QUEUES")
    size = queued.sizes["join_attempt"]
    wires = [queued.user().connect() for _ in range(size + 3)]
    for _ in range(ROUNDS):
        _, match_id, member = start(queued)
        member.data(match_id, 1, BUSY)
        time.sleep(BEGUN)
        for wire in wires:
            wire.send({"cid": "1", "match_join": {"match_id": match_id}})
        answers = [wire.answer() for wire in wires]
        member.close()
        found = Counter(json.dumps(answer.get("error", "joined")) for answer in answers)
        # A round in which the match was not busy at their arrival proves nothing.
        if found['"joined"'] == size:
            break
    refusal = {"code": 5, "message": "Match is not currently accepting join requests"}
    assert found == {'"joined"': size, json.dumps(refusal): 3}
    for wire in wires:
        wire.close()


def test_signals_wait_while_a_function_of_the_match_runs(queued: Queued) -> None:
    size = queued.sizes["signal"]
    users = [queued.user() for _ in range(size + 3)]
    with ThreadPoolExecutor(len(users)) as pool:
        for _ in range(ROUNDS):
            _, match_id, member = start(queued)
            member.data(match_id, 1, BUSY)
            time.sleep(BEGUN)
            answers = list(pool.map(lambda user: user.signal(match_id), users))  # noqa: B023 - run at once
            member.close()
            found = Counter(answer.get("failed", "answered") for answer in answers)
            if found["answered"] == size:
                break
    assert found == {"answered": size, "failed to signal match: match busy": 3}


@pytest.mark.parametrize("data", ["end", "fail"])
def test_signal_that_ends_the_match(queued: Queued, data: str) -> None:
    user, match_id, member = start(queued)
    assert user.signal(match_id, data) == {"failed": "failed to signal match: match busy"}
    assert user.signal(match_id) == {"failed": "failed to signal match: match not found"}
    member.close()


def test_deferred_broadcasts_are_limited(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("so many messages of one tick flood the socket: NAKAMA_SMALL_QUEUES")
    size = queued.sizes["deferred"]
    _, match_id, member = start(queued)
    member.data(match_id, 2, size)
    number = base64.b64encode(str(size).encode()).decode()
    member.until(lambda frame: frame.get("match_data", {}).get("data") == number)
    member.data(match_id, 2, size + 1)
    closed = member.until(lambda frame: "close" in frame)[-1]["close"]
    member.close()
    assert closed == [1000, "server-side session disconnect"]


def test_messages_beyond_the_queue_are_dropped(queued: Queued) -> None:
    size = queued.sizes["input"]
    for _ in range(ROUNDS):
        user, match_id, member = start(queued, rate=1)
        before = user.signal(match_id)
        while (now := user.signal(match_id)).get("tick") == before.get("tick") and "seen" in now:
            pass
        for _ in range(size + 5):
            member.data(match_id, 3)
        member.received()
        sent = after = user.signal(match_id)
        while after.get("tick") == sent.get("tick") and "seen" in after:
            after = user.signal(match_id)
        member.close()
        # All in one tick, and the match has not ended: on a busy machine a member may be too late for it.
        if sent.get("seen") == 0 and "seen" in after:
            break
    assert after["seen"] == size


def test_player_whose_join_was_lost_leaves(server: Server, queued: Queued) -> None:
    """A match checks for lost joins every 30 seconds, whatever the deadline."""
    extra = ("--module", str(MODULE), "--speed", str(SPEED), "--token-expiry", "7200")
    if queued.server.real:
        _lost(queued)
        return
    with EmulatorProcess.start(extra=extra) as process:
        _lost(Queued(server, process.url, SIZES, small=False))


def _lost(queued: Queued) -> None:
    user, match_id, member = start(queued)
    other = queued.user().connect()
    other.send({"match_join": {"match_id": match_id, "metadata": {"kick": "1"}}})
    assert other.until(lambda frame: "close" in frame)[-1]["close"] == [1000, "server-side session disconnect"]
    assert not any("match_presence_event" in frame for frame in member.received()[1:])
    while "leave" not in (log := user.signal(match_id)["log"])[-1]:
        time.sleep(1 if queued.server.real else 0.05)
        assert len(log) <= 2
        member.received()
    assert log == ["join of 1", "join of 1", "leave 301"]
    assert member.received() == []
    for wire in (member, other):
        wire.close()


def test_empty_match_ends(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("the server keeps empty matches: NAKAMA_SMALL_QUEUES")
    user = queued.user()
    match_id = user.rpc("contract_queues", {"rate": 10})
    states = []
    while "failed" not in (state := user.signal(match_id)):
        states.append(state)
    assert state == {"failed": "failed to signal match: match not found"}
    assert 18 <= states[-1]["tick"] <= 19


def test_presence_events_beyond_the_queue_are_lost(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("the server's queue is long: NAKAMA_SMALL_QUEUES")
    users = [queued.user() for _ in range(30)]
    wires = [user.connect("&status=true") for user in users]
    ids = []
    for user, wire in zip(users, wires, strict=True):
        event = wire.until(lambda frame: "status_presence_event" in frame)[-1]
        ids.append((user.id, event["status_presence_event"]["joins"][0]["session_id"]))
    label = unique("stream")
    users[0].rpc("contract_queues_stream", {"label": label, "presences": ids[:1]})
    wires[0].until(lambda frame: "stream_presence_event" in frame)
    users[0].rpc("contract_queues_stream", {"label": label, "presences": ids[1:]})
    events = [frame for frame in wires[0].received() if "stream_presence_event" in frame]
    assert 0 < len(events) < len(ids) - 1
    for wire in wires:
        wire.close()


def test_precise_match_is_mutual(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("the server's matchmaker is not precise: NAKAMA_SMALL_QUEUES")
    tag = unique("precise").replace("-", "")
    wires = [queued.user().connect() for _ in range(4)]
    # The first accepts the second, which accepts none; the other two accept each other.
    for wire, own, wanted in zip(wires, "abcc", "bxcc", strict=True):
        ticket = {"query": f"+properties.k:{tag}{wanted}", "string_properties": {"k": f"{tag}{own}"}}
        assert "matchmaker_ticket" in wire.ask({"matchmaker_add": {"min_count": 2, "max_count": 2, **ticket}})
    for wire in wires[2:]:
        wire.until(lambda frame: "matchmaker_matched" in frame)
    assert [wire.received() for wire in wires[:2]] == [[], []]
    for wire in wires:
        wire.close()


def test_empty_party_ends_after_two_idle_checks(queued: Queued) -> None:
    if not queued.small:
        pytest.skip("the server looks every 30 seconds: NAKAMA_SMALL_QUEUES")
    leader, other = (queued.user().connect() for _ in range(2))
    # A party of size 0 has a leader but no member, and outlives the leader's leave.
    party = leader.ask({"party_create": {"open": True, "max_size": 0}})["party"]["party_id"]
    leader.ask({"party_leave": {"party_id": party}})
    errors = []
    while not errors or "member" in errors[-1]:
        answer = other.ask({"party_data_send": {"party_id": party, "op_code": 1}})
        errors.append(answer["error"]["message"])
    assert set(errors[:-1]) == {"Error sending party data: party member not found"}
    assert errors[-1] == "Error sending party data: party not found"
    for wire in (leader, other):
        wire.close()
