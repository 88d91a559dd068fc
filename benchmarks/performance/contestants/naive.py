"""What users of Locust write today: FastHttpUser, websocket-client, a reading greenlet, an event per call."""

from __future__ import annotations

import base64
import itertools
import json
import time
from typing import Any, Final

import gevent
import websocket
from gevent.event import AsyncResult, Event
from locust import FastHttpUser, constant, constant_pacing, task

from benchmarks.performance.contestants.shape import shape_of
from benchmarks.performance.contestants.stage import Stage

STAGE: Final = Stage()
if STAGE.base:
    Further = shape_of(STAGE)
NUMBERS: Final = itertools.count()
KEY: Final = "Basic " + base64.b64encode(f"{STAGE.server_key}:".encode()).decode()
LOGIN: Final = "/v2/account/authenticate/device?create=true"


class Naive(FastHttpUser):
    """One player."""

    wait_time = constant_pacing(1 / STAGE.rate) if STAGE.rate else constant(0)

    def on_start(self) -> None:
        """Log in and connect, and wait for the others."""
        self.number = next(NUMBERS)
        self.tick = 0
        self.match_id = ""
        if STAGE.work != "E":
            self.connect()
        if STAGE.work == "D":
            self.join()
        STAGE.enter()
        if STAGE.work == "C":
            gevent.sleep(3600)
        if STAGE.rate:
            gevent.sleep(STAGE.phase(self.number))

    @task
    def work(self) -> None:
        """Do one unit."""
        STAGE.sent += 1
        if STAGE.work == "E":
            self.log_in(STAGE.new_device_id())
            STAGE.received += 1
        elif STAGE.work == "D":
            self.send_state()
        else:
            self.request("ping", {})
            STAGE.received += 1

    def log_in(self, device_id: str) -> str:
        """Return the token of an account."""
        headers = {"Authorization": KEY}
        answer = self.client.post(LOGIN, json={"id": device_id}, headers=headers, name="login").json()
        assert answer is not None
        return str(answer["token"])

    def connect(self) -> None:
        """Open the websocket."""
        token = self.log_in(STAGE.device_id(self.number))
        started = time.perf_counter()
        self.socket = websocket.create_connection(f"{STAGE.url.replace('http', 'ws', 1)}/ws?token={token}")
        self.fire("connect", started, 0)
        self.waiting: dict[str, AsyncResult[Any]] = {}
        self.cid = 0
        self.inside: set[str] = set()
        self.full = Event()
        gevent.spawn(self.read).link_exception(lambda failed: STAGE.give_up(failed.exception))

    def read(self) -> None:
        """Read the socket as long as it is open."""
        while True:
            message = json.loads(self.socket.recv())
            result = self.waiting.pop(message.get("cid"), None)
            if result is not None:
                result.set(message)
            elif "match_data" in message:
                STAGE.received += 1
            elif "match_presence_event" in message:
                self.joined(message["match_presence_event"].get("joins", []))

    def request(self, key: str, body: dict[str, Any]) -> Any:
        """Send a message, wait for its answer, and report the time to Locust."""
        self.cid += 1
        result: AsyncResult[Any] = AsyncResult()
        self.waiting[str(self.cid)] = result
        started = time.perf_counter()
        self.socket.send(json.dumps({"cid": str(self.cid), key: body}))
        message: Any = result.get()
        self.fire(key, started, 0)
        return message

    def join(self) -> None:
        """Join a match and wait until it has all its players."""
        match = self.request("match_create", {"name": STAGE.match_name(self.number)})["match"]
        self.match_id = match["match_id"]
        self.joined([*match.get("presences", ()), match["self"]])
        self.full.wait()

    def joined(self, presences: list[dict[str, str]]) -> None:
        """Add players to those in the match."""
        self.inside.update(one["session_id"] for one in presences)
        if len(self.inside) == STAGE.group:
            self.full.set()

    def send_state(self) -> None:
        """Send a match state."""
        data = base64.b64encode(STAGE.state(self.number, self.tick)).decode()
        self.tick += 1
        started = time.perf_counter()
        self.socket.send(
            json.dumps({"match_data_send": {"match_id": self.match_id, "op_code": "1", "data": data}})
        )
        self.fire("match_data_send", started, 0)

    def fire(self, name: str, started: float, size: int) -> None:
        """Report a call to Locust."""
        self.environment.events.request.fire(
            request_type="WS", name=name, response_time=(time.perf_counter() - started) * 1000,
            response_length=size, exception=None, context={},
        )  # fmt: skip
