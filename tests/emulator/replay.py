"""Replays a recorded scenario against a server and compares every answer with the recorded one.

A recording is JSON: entries in time order, HTTP exchanges and websocket frames. Its placeholders are bound
where they first appear in received data, and substituted in later requests. Within one connection the
order is exact, except for presence events and notifications: a real server itself lets them overtake an ack.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
from google.protobuf import json_format

from nakama_bots.types.protobuf import envelope_class

DATA = Path(__file__).parent / "data"
SERVER_KEY, HTTP_KEY = "defaultkey", "defaulthttpkey"
SESSION_KEY, REFRESH_KEY = "defaultencryptionkey", "defaultrefreshencryptionkey"
TIMEOUT = 15.0
# The recorder's fictitious id, which the recordings contain literally.
UNKNOWN_ID = "11111111-1111-4111-8111-111111111111"

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TOKEN = r"[\w-]+\.[\w-]+\.[\w-]+"
# The form of an unbound placeholder, by its first word; those with a number or a user are bound.
SHAPES = {
    "uuid": UUID,
    "token": TOKEN,
    "refresh_token": TOKEN,
    "match_token": TOKEN,
    "cursor": r"[\w=-]+",
    "username": r"[A-Za-z]{10}",
    "node": r"[\w-]+",
    "addr": r"[0-9.]+:\d+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "time:frac": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}){0,1}(?:\.\d{6})?(?:\.\d{9})?Z",
    "unix": r"\d{10}",
    "network error": r".+",
}
PLACEHOLDER = re.compile(
    r"<((?:uuid|token|refresh_token|match_token|cursor|username|node|addr|time|unix|network error)[^<>]*)>"
)
UNORDERED = {"users", "presences", "devices"}
RACY = {
    "channel_presence_event",
    "match_presence_event",
    "status_presence_event",
    "notifications",
    "party",
    "party_presence_event",
    "stream_presence_event",
}

Bindings = dict[str, str]


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(claims: dict[str, Any], key: str) -> str:
    """A JSON Web Token, created without the emulator's code."""
    head = b64url(b'{"alg":"HS256","typ":"JWT"}')
    signed = f"{head}.{b64url(json.dumps(claims).encode())}"
    return f"{signed}.{b64url(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def load(scenario: str) -> dict[str, Any]:
    return json.loads((DATA / f"{scenario}.json").read_text(encoding="utf-8"))


def unify(expected: Any, actual: Any, bound: Bindings, key: str = "") -> Bindings | None:
    """``bound`` with what ``expected`` binds, or None if ``actual`` does not match it."""
    if expected == "<num:unix>":
        return bound if type(actual) is int else None
    if type(expected) is not type(actual):
        return None
    if isinstance(expected, dict):
        same = expected.keys() == actual.keys()
        return _unify_all([(expected[n], actual[n], n) for n in expected], bound) if same else None
    if isinstance(expected, list):
        return _unify_lists(expected, actual, bound, unordered=key in UNORDERED)
    if isinstance(expected, str):
        return _unify_text(expected, actual, bound)
    return bound if expected == actual else None


def _unify_lists(
    expected: list[Any], actual: list[Any], bound: Bindings, *, unordered: bool
) -> Bindings | None:
    if len(expected) != len(actual):
        return None
    orders = itertools.permutations(actual) if unordered else [tuple(actual)]
    found = (_unify_all([(e, a, "") for e, a in zip(expected, order, strict=True)], bound) for order in orders)
    return next((one for one in found if one is not None), None)


def _unify_all(pairs: list[tuple[Any, Any, str]], bound: Bindings) -> Bindings | None:
    found: Bindings | None = bound
    for expected, actual, key in pairs:
        if found is not None:
            found = unify(expected, actual, found, key)
    return found


def _unify_text(expected: str, actual: str, bound: Bindings) -> Bindings | None:
    if expected.startswith("proto:"):  # Go's parser words, unstable on purpose
        return bound if actual.startswith("proto:") else None
    pattern, names, position = "", [], 0
    for match in PLACEHOLDER.finditer(expected):
        name = match[1]
        pattern += re.escape(expected[position : match.start()])
        position = match.end()
        if name in bound:
            pattern += re.escape(bound[name])
        elif name in names and ":" in name:
            pattern += f"(?P=p{names.index(name)})"
        else:
            pattern += f"(?P<p{len(names)}>{SHAPES.get(name) or SHAPES[name.split(':')[0]]})"
            names.append(name)
    match_all = re.fullmatch(pattern + re.escape(expected[position:]), actual, re.DOTALL)
    if match_all is None:
        return None
    kept = [name == "node" or (":" in name and name != "time:frac") for name in names]
    return bound | {name: match_all[f"p{i}"] for i, name in enumerate(names) if kept[i]}


class Mismatch(AssertionError):
    """The server did not do what was recorded."""


class Replay:
    """One scenario against one server."""

    def __init__(self, scenario: dict[str, Any], url: str, http: aiohttp.ClientSession) -> None:
        self.scenario = scenario
        self.url = url
        self.http = http
        self.bound: Bindings = {}
        self.sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.early: dict[str, list[dict[str, Any]]] = {}
        self.users = {
            match[1]: name
            for name, text in scenario["placeholders"].items()
            if (match := re.fullmatch(r"user id of (\w+)", text))
        }

    async def run(self) -> None:
        for number, entry in enumerate(self.scenario["entries"]):
            kind = entry.get("type", "frame")
            step = getattr(self, f"{entry.get('dir', 'do')}_{kind}")
            try:
                await self.until(entry)
                await asyncio.wait_for(step(entry), TIMEOUT)
            except (Mismatch, TimeoutError, aiohttp.ClientError, ConnectionError) as error:
                text = json.dumps({k: v for k, v in entry.items() if k != "note"})[:1500]
                msg = f"{self.scenario['id']}, entry {number}: {error!r}\nrecorded: {text}"
                raise Mismatch(msg) from error
        deleted = any(e.get("request", {}).get("method") == "DELETE" for e in self.scenario["entries"])
        if not deleted:  # deleting an account closes the user's sockets too
            for name in list(self.sockets):
                await self._nothing_more(name)

    async def until(self, entry: dict[str, Any]) -> None:
        """Wait until the time of an entry; here there is no wait."""

    async def clean_up(self) -> None:
        """Close the sockets and delete the users, so that the next scenario can create them again."""
        for websocket in self.sockets.values():
            await websocket.close()
        for name, token in self.bound.items():
            if name.startswith("token:"):
                headers = {"Authorization": f"Bearer {token}"}
                async with self.http.delete(f"{self.url}/v2/account", headers=headers):
                    pass

    def bind(self, expected: Any, actual: Any) -> None:
        found = unify(expected, actual, self.bound)
        if found is None:
            msg = f"got {json.dumps(actual)[:1500]}"
            raise Mismatch(msg)
        self._take(found)

    def _take(self, found: Bindings) -> None:
        for name in found.keys() - self.bound.keys():
            # User ids are only in tokens.
            match = re.fullmatch(r"token:(\w+)(:\d+)?", name)
            if match and match[1] in self.users:
                found = {**found, self.users[match[1]].strip("<>"): claims_of(found[name])["uid"]}
        self.bound = found

    def fill(self, value: Any) -> Any:
        """What the recorder sent, with this server's values filled in."""
        if isinstance(value, dict):
            return {name: self.fill(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        value = re.sub(r"Basic base64\((.*?)\)", lambda m: "Basic " + _b64(self._key(m[1])), value)
        value = re.sub(r"Basic (<[^>]*key>)", lambda m: "Basic " + _b64(self._key(m[1]) + ":"), value)
        value = self._key(value)
        return re.sub(r"<([a-z_ ]+(?::[\w:]+)?)>", lambda m: self._value(m[1], m[0]), value)

    @staticmethod
    def _key(text: str) -> str:
        for name, key in (
            ("<server key>", SERVER_KEY),
            ("<wrong server key>", "wrong-key"),
            ("<runtime http key>", HTTP_KEY),
        ):
            text = text.replace(name, key)
        return text

    def _value(self, name: str, written: str) -> str:
        if name in self.bound:
            return self.bound[name]
        if name == "node":
            return "somenode"
        minted = self._mint(name)
        return written if minted is None else minted

    def _mint(self, name: str) -> str | None:
        """Tokens that the recorder created itself."""
        far, past = 4102444800, 1000000000
        stranger = "22222222-2222-4222-8222-222222222222"
        kind, _, user = name.partition(":")
        own = claims_of(self.bound[f"token:{user}"]) if f"token:{user}" in self.bound else {}
        minted = {
            "expired token": lambda: sign({**own, "exp": past}, SESSION_KEY),
            "expired refresh_token": lambda: sign({**own, "exp": past}, REFRESH_KEY),
            "wrongly signed token": lambda: sign(own, "some other key"),
            "token without exp": lambda: sign({k: v for k, v in own.items() if k != "exp"}, SESSION_KEY),
            "token of a user that does not exist": lambda: sign(
                {"tid": stranger, "uid": stranger, "usn": "x", "exp": far, "iat": past}, SESSION_KEY
            ),
            "expired match token": lambda: sign({"mid": f"{stranger}.", "exp": past}, SESSION_KEY),
            "match_token": lambda: sign({"mid": f"{UNKNOWN_ID}.", "exp": far}, SESSION_KEY),
        }.get(kind)
        return minted() if minted else None

    async def do_http(self, entry: dict[str, Any]) -> None:
        request, expected = entry["request"], entry["response"]
        data: bytes | None = None
        if "body" in request:
            data = json.dumps(self.fill(request["body"])).encode()
        elif "raw_body_base64" in request:
            data = base64.b64decode(request["raw_body_base64"])
        elif "raw_body" in request:
            data = self.fill(request["raw_body"]).encode()
        # aiohttp would add headers that the recorder did not send, and decompress bodies.
        headers = {"Accept-Encoding": "identity", **self.fill(request["headers"])}
        async with self.http.request(
            request["method"],
            self.url + self.fill(request["path"]),
            params=self.fill(request["query"]),
            headers=headers,
            data=data,
            skip_auto_headers=("Content-Type",),
        ) as response:
            text = await response.text()
            got = {name: response.headers.get(name) for name in expected["headers"]}
        if response.status != expected["status"]:
            msg = f"got {response.status} {text}"
            raise Mismatch(msg)
        self.bind(expected["headers"], got)
        if "body" in expected:
            self.bind(expected["body"], json.loads(text))
        else:
            self.bind(expected.get("body_text", ""), text)

    async def send_open(self, entry: dict[str, Any]) -> None:
        request, name = entry["request"], entry["conn"]
        url = self.url + request["path"]
        query, headers = self.fill(request["query"]), self.fill(request["headers"])
        if name == "not_an_upgrade":
            async with self.http.get(url, params=query, headers=headers) as response:
                self.refusals[name] = (response.status, await response.text())
            return
        try:
            self.sockets[name] = await self.connect(url, query, headers)
        except aiohttp.WSServerHandshakeError as refused:
            async with self.http.get(
                url, params=query, headers={**headers, "Connection": "upgrade", "Upgrade": "websocket"}
            ) as response:
                self.refusals[name] = (refused.status, await response.text())

    async def connect(self, url: str, query: Any, headers: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(url, params=query, headers=headers, autoping=True, max_msg_size=0)

    async def recv_open(self, entry: dict[str, Any]) -> None:
        if entry["conn"] not in self.sockets:
            msg = f"refused: {self.refusals[entry['conn']]}"
            raise Mismatch(msg)

    async def recv_refused(self, entry: dict[str, Any]) -> None:
        status, text = self.refusals.get(entry["conn"], (101, ""))
        if status != entry["status"]:
            msg = f"got {status} {text}"
            raise Mismatch(msg)
        if entry["body_text"].startswith("{"):
            self.bind(json.loads(entry["body_text"]), json.loads(text))
        else:
            self.bind(entry["body_text"], text)

    async def send_frame(self, entry: dict[str, Any]) -> None:
        text = entry["raw"] if "raw" in entry else json.dumps(self.fill(entry["frame"]))
        await self.sockets[entry["conn"]].send_str(text)

    async def send_binary(self, entry: dict[str, Any]) -> None:
        # The recorded bytes; where they contained ids of the run, only the decoded message is recorded.
        data = bytes.fromhex(entry["hex"]) if "hex" in entry else to_binary(self.fill(entry["decoded"]))
        await self.sockets[entry["conn"]].send_bytes(data)

    async def recv_binary(self, entry: dict[str, Any]) -> None:
        await self.recv_frame({**entry, "frame": entry["decoded"]})
        if "hex" in entry:
            assert from_binary(bytes.fromhex(entry["hex"])) == entry["decoded"]

    async def recv_frame(self, entry: dict[str, Any]) -> None:
        name, expected = entry["conn"], entry["frame"]
        early = self.early.setdefault(name, [])
        for frame in early:
            found = unify(expected, frame, self.bound)
            if found is not None:
                early.remove(frame)
                self._take(found)
                return
        while True:
            frame = await self._next_frame(name)
            found = unify(expected, frame, self.bound)
            if found is not None:
                self._take(found)
                return
            if not RACY & (frame.keys() | expected.keys()):
                msg = f"got {json.dumps(frame)[:1500]}"
                raise Mismatch(msg)
            early.append(frame)

    async def _next_frame(self, name: str) -> dict[str, Any]:
        message = await self.sockets[name].receive()
        if message.type is not (aiohttp.WSMsgType.BINARY if self._is_binary(name) else aiohttp.WSMsgType.TEXT):
            msg = f"got {message}"
            raise Mismatch(msg)
        return from_binary(message.data) if self._is_binary(name) else json.loads(message.data)

    def _is_binary(self, name: str) -> bool:
        opened = [e for e in self.scenario["entries"] if (e.get("conn"), e.get("type")) == (name, "open")]
        return ["format", "protobuf"] in opened[0]["request"]["query"]

    async def recv_close(self, entry: dict[str, Any]) -> None:
        websocket = self.sockets[entry["conn"]]
        code = websocket.close_code
        if not websocket.closed:
            message = await websocket.receive()
            if message.type is not aiohttp.WSMsgType.CLOSE:
                msg = f"got {message}"
                raise Mismatch(msg)
            self.bind(entry["reason"], message.extra or "")
            code = message.data
        if (code or None) != entry["code"]:
            msg = f"got {code}"
            raise Mismatch(msg)

    async def send_close(self, entry: dict[str, Any]) -> None:
        websocket = self.sockets[entry["conn"]]
        if entry["code"] is None:
            # A close without a status, which aiohttp's own close cannot send.
            await websocket._writer.send_frame(b"", aiohttp.WSMsgType.CLOSE)
        else:
            await websocket.close(code=entry["code"])

    async def send_drop(self, entry: dict[str, Any]) -> None:
        raw = self.sockets.pop(entry["conn"]).get_extra_info("socket")
        assert raw is not None
        raw.shutdown(socket.SHUT_RDWR)

    async def _nothing_more(self, name: str) -> None:
        """Ask for a pong: nothing unrecorded may arrive before it."""
        websocket = self.sockets[name]
        if websocket.closed:
            return
        if self._is_binary(name):
            await websocket.send_bytes(to_binary({"cid": "the end", "ping": {}}))
        else:
            await websocket.send_str('{"cid":"the end","ping":{}}')
        frames = self.early.get(name, [])
        while not frames or frames[-1] != {"cid": "the end", "pong": {}}:
            frames.append(await asyncio.wait_for(self._next_frame(name), TIMEOUT))
        if len(frames) > 1:
            msg = f"{self.scenario['id']}: {name} also got {frames[:-1]}"
            raise Mismatch(msg)


def to_binary(envelope: dict[str, Any]) -> bytes:
    return json_format.ParseDict(envelope, envelope_class()()).SerializeToString()


def from_binary(payload: bytes) -> dict[str, Any]:
    return json_format.MessageToDict(
        envelope_class().FromString(payload), preserving_proto_field_name=True, use_integers_for_enums=True
    )


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def replay(scenario: dict[str, Any], url: str) -> None:
    """Replay a scenario against the server at ``url``; ``Mismatch`` says where it differs."""
    async with aiohttp.ClientSession() as http:
        one = Replay(scenario, url, http)
        try:
            await one.run()
        finally:
            await one.clean_up()
