"""One scripted session against one server, with plain HTTP and plain websockets instead of our own client.

Every step becomes an entry of a transcript (``transcript.py``).
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import websocket

from .transcript import Names, Step

PUSH_TIMEOUT = 10.0
# More than two intervals of a real server's matchmaker.
MATCHED_TIMEOUT = 45.0
# A real server that has just sent something loses its close frame in 6 of 1500 cases: the request is repeated.
_CLOSES = 5

# Only for these does a real server keep one order of ack and events (200 of 200, or 100 of 100 measured). A
# status_update is acknowledged first nearly always, but not in every run.
_ORDERED = {
    "channel_message_send", "channel_message_update", "channel_message_remove", "party_update", "party_close",
    "party_promote", "party_join",
}  # fmt: skip

# The number of characters of a verbatim body in the transcript.
_SHOWN = 200
# The headers of an answer that are compared.
_COMPARED_HEADERS = {
    "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin", "allow",
    "location", "vary",
}  # fmt: skip

Frame = dict[str, Any]


class Wire:
    """A websocket; a thread collects its frames and answers the server's pings."""

    def __init__(self, url: str) -> None:
        self._ws = websocket.create_connection(url, timeout=PUSH_TIMEOUT)
        self._ws.settimeout(None)
        self._news = threading.Condition()
        self._frames: list[Frame] = []
        self.closed: dict[str, Any] | None = None
        self._cids = self._pongs = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        closed: dict[str, Any] = {"code": None, "reason": ""}
        try:
            while True:
                opcode, data = self._ws.recv_data(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    closed = {"code": int.from_bytes(data[:2], "big") or None, "reason": data[2:].decode()}
                    break
                with self._news:
                    self._pongs += opcode == websocket.ABNF.OPCODE_PONG
                    if opcode == websocket.ABNF.OPCODE_TEXT:
                        self._frames.append(json.loads(data))
                    self._news.notify_all()
        except (OSError, websocket.WebSocketException) as error:
            closed["reason"] = type(error).__name__
        with self._news:
            self.closed = closed
            self._news.notify_all()

    def send_text(self, *parts: str) -> None:
        """Send a message with one fragment per part; each is read before the next is sent."""
        abnf = websocket.ABNF
        for number, part in enumerate(parts, 1):
            opcode = abnf.OPCODE_CONT if number > 1 else abnf.OPCODE_TEXT
            self._ws.send_frame(abnf.create_frame(part, opcode, int(number == len(parts))))
            if number < len(parts):
                with self._news:
                    before = self._pongs
                    self._ws.ping()
                    self._news.wait_for(lambda before=before: self._pongs > before, PUSH_TIMEOUT)

    def request(self, message: Frame) -> str:
        """Send a message with the next cid; return the cid."""
        self._cids += 1
        self.send_text(json.dumps({"cid": str(self._cids), **message}))
        return str(self._cids)

    def wait(self, done: Callable[[list[Frame]], bool], seconds: float = PUSH_TIMEOUT) -> bool:
        """Wait until ``done(frames)``; return False after a timeout or when the socket is closed."""
        with self._news:
            self._news.wait_for(lambda: self.closed is not None or done(self._frames), seconds)
            return done(self._frames)

    def wait_closed(self) -> dict[str, Any]:
        with self._news:
            self._news.wait_for(lambda: self.closed is not None, PUSH_TIMEOUT)
            return self.closed or {"code": "still open", "reason": ""}

    def barrier(self) -> None:
        """Wait for a pong: frames that the server queued before the ping have then arrived."""
        cid = f"barrier-{self._cids}"
        self.send_text(json.dumps({"cid": cid, "ping": {}}))
        self.wait(lambda frames: any(frame.get("cid") == cid for frame in frames))
        with self._news:
            self._frames[:] = [frame for frame in self._frames if frame.get("cid") != cid]

    def take(self) -> list[Frame]:
        """Remove and return the collected frames, in order."""
        with self._news:
            taken, self._frames[:] = self._frames[:], []
        return taken

    def close(self) -> None:
        """Send a close frame, unless the server has, and wait for the answer."""
        if self.closed is None:
            self._ws.send_close()
        self._reader.join(PUSH_TIMEOUT)
        self._ws.shutdown()


def key_of(frame: Frame) -> str:
    """The message key of an envelope; "ack" for an empty one."""
    return next((key for key in frame if key != "cid"), "ack")


@dataclass
class Actor:
    """A user of the session."""

    name: str
    tokens: dict[str, str] = field(default_factory=dict)
    user_id: str = ""
    session_id: str = ""

    def keep(self, answer: Mapping[str, Any]) -> None:
        self.tokens = {"token": answer["token"], "refresh_token": answer["refresh_token"]}
        body = answer["token"].split(".")[1]
        self.user_id = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["uid"]


class Run:
    """The session against one server: runs steps and records them."""

    def __init__(
        self, url: str, server_key: str = "defaultkey", http_key: str = "defaulthttpkey", *, pause: float = 0.0
    ) -> None:
        # Seconds after a step in which the server may still send something that no step waits for.
        self._pause = pause
        self.tag = secrets.token_hex(5)
        self.http_key = http_key
        self.steps: list[Step] = []
        self.family = ""
        # Pushes that no step expected: a script with any of them has a race.
        self.unexpected: list[str] = []
        self.actors = {name: Actor(name) for name in ("ann", "ben", "cal")}
        self.wires: dict[str, Wire] = {}
        self._url = url.rstrip("/")
        self._basic = base64.b64encode(f"{server_key}:".encode()).decode()
        self._http = requests.Session()
        self._http.trust_env = False
        self._names = Names(self.tag)
        self.scratch: dict[str, Any] = {}

    def close(self) -> None:
        for wire in self.wires.values():
            wire.close()
        self._http.close()

    def name(self, word: str) -> str:
        """A name that no earlier run used on the server."""
        return f"{word}-{self.tag}"

    def _authorization(self, by: str | None) -> dict[str, str]:
        if by is None:
            return {}
        if by == "key":
            return {"Authorization": f"Basic {self._basic}"}
        token = self.actors[by].tokens["token"] if by in self.actors else by
        return {"Authorization": f"Bearer {token}"}

    def quietly(
        self, method: str, path: str, by: str, body: Any, query: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request that is not a step; ``by`` is a token, or "key"."""
        answer = self._http.request(
            method, self._url + path, headers=self._authorization(by), json=body, timeout=30
        )
        answer.raise_for_status()
        return answer.json()

    def rest(
        self,
        name: str,
        by: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        expect: Mapping[str, str] | None = None,
        unordered: Iterable[str] = (),
        until: Callable[[Any], bool] | None = None,
        pick: Callable[[Any], Any] = lambda got: got,
        closes: str = "",
    ) -> Any:
        """Send a request. ``body`` is sent as JSON, a string verbatim; ``expect``: pushes to wait for, by user.

        ``until`` repeats it where the server publishes a change with a delay; ``pick`` selects the part of the
        answer that belongs to this run; ``closes`` names the user whose socket the request ends.
        """
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        end = time.monotonic() + PUSH_TIMEOUT
        while True:
            answer = self._http.request(
                method, self._url + path, params=list(query), headers=self._authorization(by), timeout=30,
                data=None if data is None else data.encode(),
            )  # fmt: skip
            try:
                got = answer.json()
            except ValueError:
                got = answer.text
            got = pick(got)
            if until is None or until(got) or time.monotonic() > end:
                break
        sent = {"by": by if by in (None, "key", *self.actors) else "token", "http": f"{method} {path}"}
        if query:
            sent["query"] = [list(pair) for pair in query]
        if body is not None:
            sent["body"] = body
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        reply = {"status": answer.status_code, "type": kind, "body": got}
        if closes:
            reply["closed"] = self._closed(closes)
        self._note(name, sent, reply, expect or {}, unordered)
        return got

    def bare(
        self,
        name: str,
        by: str | None,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a request exactly as given, without a client library's corrections; do not follow redirects."""
        content = body.encode() if isinstance(body, str) else body
        port = http.client.HTTPConnection(self._url.partition("://")[2], timeout=30)
        try:
            port.request(method, path, content, {**self._authorization(by), **(headers or {})})
            answer = port.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            port.close()
        try:
            got = json.loads(text)
        except ValueError:
            got = text
        sent: dict[str, Any] = {"by": by if by in (None, "key", *self.actors) else "token"}
        sent["http"] = f"{method} {path}"
        if headers:
            sent["headers"] = dict(headers)
        if content is not None:
            shown = content.decode(errors="backslashreplace")
            sent["body"] = shown if len(shown) <= _SHOWN else f"{shown[:20]} and so on, {len(content)} bytes"
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        reply = {"status": answer.status, "type": kind, "body": got}
        compared = {key: value for key, value in answer.headers.items() if key.lower() in _COMPARED_HEADERS}
        if compared:
            reply["headers"] = compared
        self._note(name, sent, reply, {})

    def connect(self, name: str, who: str, query: str = "", expect: Mapping[str, str] | None = None) -> None:
        """Open the user's socket; a refusal is the answer."""
        reply: dict[str, Any] = {"status": 101}
        try:
            self.wires[who] = Wire(self._socket_url(who, query))
        except websocket.WebSocketBadStatusException as error:
            reply = {"status": error.status_code, "body": (error.resp_body or b"").decode()}
        self._note(name, {"connect": who, "query": query}, reply, expect or {})

    def send(
        self,
        name: str,
        who: str,
        message: Frame,
        expect: Mapping[str, str] | None = None,
        *,
        acked: bool = True,
    ) -> Frame:
        """Send a message and return its answer. ``acked=False`` for messages that are never answered."""
        wire = self.wires[who]
        cid = wire.request(message)
        if acked:
            wire.wait(lambda frames: any(frame.get("cid") == cid for frame in frames))
        return self._note(name, {"by": who, "message": message}, None, expect or {}, cid=(who, cid))

    def raw(self, name: str, who: str, *parts: str) -> None:
        """Send a text, in fragments, that makes the server close the socket."""
        closed: dict[str, Any] = {}
        for _ in range(_CLOSES):
            self.wires[who].send_text(*parts)
            closed = self._closed(who)
            if closed["code"] is not None:
                break
            self.wires[who] = Wire(self._socket_url(who))
        if who in self.wires:
            self.wires.pop(who).close()
        self._note(name, {"by": who, "raw": list(parts)}, closed, {})

    def _socket_url(self, who: str, query: str = "") -> str:
        token = self.actors[who].tokens["token"] if who in self.actors else "garbage"
        return f"ws{self._url.removeprefix('http')}/ws?token={token}{query}"

    def _closed(self, who: str) -> dict[str, Any]:
        wire = self.wires.pop(who)
        closed = wire.wait_closed()
        wire.close()
        return closed

    def hang_up(self, name: str, who: str, expect: Mapping[str, str] | None = None) -> None:
        """Close the user's socket from the client."""
        self.wires.pop(who).close()
        self._note(name, {"close": who}, None, expect or {})

    def _note(
        self,
        name: str,
        sent: Any,
        reply: Any,
        expect: Mapping[str, str],
        unordered: Iterable[str] = (),
        cid: tuple[str, str] | None = None,
    ) -> Frame:
        if self._pause:
            time.sleep(self._pause)
        received = {who: self._settle(who, expect.get(who, "").split()) for who in self.wires}
        ack: Frame = {}
        order: list[str] = []
        if cid is not None:
            frames = received[cid[0]]
            ack = next((frame for frame in frames if frame.get("cid") == cid[1]), {})
            order = ["ack" if frame is ack else key_of(frame) for frame in frames]
            received[cid[0]] = [frame for frame in frames if frame is not ack]
            reply = ack or "no answer"
        pushes = {who: sorted(frames, key=key_of) for who, frames in received.items() if frames}
        for who, frames in pushes.items():
            extra = Counter(map(key_of, frames)) - Counter(expect.get(who, "").split())
            self.unexpected += [f"{name}: {who} received {key}" for key in extra]
        step = {"step": name, "family": self.family, "sent": sent, "got": reply}
        if pushes:
            step["pushes"] = pushes
        if cid is not None and key_of(sent["message"]) in _ORDERED:
            step["order"] = order
        if any(entry["step"] == name for entry in self.steps):
            msg = f"two steps are called {name!r}"
            raise ValueError(msg)
        self.steps.append(self._names.normalise(step, name, unordered))
        return ack

    def _settle(self, who: str, keys: list[str]) -> list[Frame]:
        wanted = Counter(keys)
        timeout = MATCHED_TIMEOUT if "matchmaker_matched" in wanted else PUSH_TIMEOUT
        wire = self.wires[who]
        if wanted:
            wire.wait(
                lambda frames: not wanted - Counter(key_of(one) for one in frames if "cid" not in one), timeout
            )
        wire.barrier()
        return wire.take()
