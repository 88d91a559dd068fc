"""Writes the requests, answers and frames that a proxy or an HAR file has on a tape."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, urlsplit

from nakama_bots.errors import realtime_error, rest_error
from nakama_bots.realtime.adapters import TEXT_ADAPTER, Adapter
from nakama_bots.realtime.catalog import REPLIES, Reply
from nakama_bots.realtime.frames import BINARY, TEXT
from nakama_bots.record import routes
from nakama_bots.record.capture.tape import WS, RecordedPush, RecordedSocket, Tape, TapedCall, fields, whole
from nakama_bots.rest.caller import any_value

_PERSONAL: Final = frozenset({
    "id", "token", "password", "email", "refresh_token", "signed_player_info", "player_id", "signature", "salt",
    "public_key_url", "receipt", "purchase",
})  # fmt: skip
"""Fields of a login or a link that are secret or personal."""
_LINKS: Final = (routes.LOGIN, "/v2/account/link/", "/v2/account/unlink/", "/v2/account/session/")
_IN_PATHS: Final = "/%!$&'()*+,;=:@~"
"""Characters that a path has as they are, besides letters and digits; it is percent-encoded already."""
_SILENT: Final = frozenset(key for key, reply in REPLIES.items() if reply is Reply.NONE)


class Scribe:
    """Fills ``tape``. Times are seconds since the recording began."""

    def __init__(self) -> None:
        self.tape = Tape()

    def rest(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        answer: tuple[int, bytes] | None,
        at: float,
        ended: float,
    ) -> None:
        """One request; ``answer`` is the status and body, None if the connection ended without."""
        parts = _split(target)
        if method == "OPTIONS" or parts.path == "/favicon.ico":
            return  # a browser's own
        if not parts.path.startswith("/"):
            self.tape.note("a request whose path does not begin with a slash is left out")
            return
        template, path = routes.find(method, parts.path)
        user, by_key = self._who(headers.get("authorization", ""))
        call = TapedCall(
            user, method, template, at, ended, any_value(body), path=path, by_key=by_key,
            target=quote(parts.path, _IN_PATHS),
            query=parse_qs(parts.query, keep_blank_values=True),
        )  # fmt: skip
        for key in ("http_key", "token"):
            self.tape.secrets.update(call.query.pop(key, ()))
            call.by_key = call.by_key or (key == "http_key" and key in parse_qs(parts.query))
        if template.startswith(_LINKS):
            self._personal(call.request)
        if answer is None:
            call.answered, call.error = False, "no answer"
        else:
            status, content = answer
            call.answer = any_value(content)
            if not 200 <= status < 300:
                call.error = _refusal(status, call.answer)
        self._entered(call)
        self.tape.calls.append(call)

    def socket(self, target: str, headers: Mapping[str, str], at: float) -> SocketScribe:
        """A websocket that was opened with this request; the token is in the query, or in a header."""
        query = dict(parse_qsl(_split(target).query))
        user = self.tape.user_of(query.get("token", "")) or self._who(headers.get("authorization", ""))[0]
        opened = RecordedSocket(user, at, query.get("status") == "true", query.get("format", "json"))
        self.tape.sockets.append(opened)
        return SocketScribe(self.tape, opened)

    def _who(self, authorization: str) -> tuple[str, bool]:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            return self.tape.user_of(value), False
        if kind.lower() == "basic":
            try:
                decoded = base64.b64decode(value).decode("utf-8", "replace")
            except ValueError:
                decoded = ""
            self.tape.secrets.update(part for part in (value, *decoded.split(":", 1)) if part)
            return "", True
        return "", False

    def _personal(self, body: Any) -> None:
        if not isinstance(body, dict):
            return
        for key, value in body.items():
            if key in _PERSONAL and isinstance(value, str) and value:
                self.tape.secrets.add(value)
            elif isinstance(value, dict):
                self._personal(value)

    def _entered(self, call: TapedCall) -> None:
        """Learn the player of a login or a refresh from its answer."""
        if isinstance(call.answer, dict) and isinstance(call.answer.get("token"), str) and call.by_key:
            call.user = self.tape.user_of(call.answer["token"])
            self.tape.user_of(str(call.answer.get("refresh_token", "")))


class SocketScribe:
    """The messages of one websocket."""

    def __init__(self, tape: Tape, opened: RecordedSocket) -> None:
        self.tape = tape
        self._socket = opened
        self._pending: dict[str, TapedCall] = {}

    def outgoing(self, opcode: int, payload: bytes, at: float) -> None:
        envelope = self._decode(opcode, payload, "the client")
        if envelope is None:
            return
        cid = envelope.pop("cid", None)
        for key, body in envelope.items():
            call = TapedCall(self._socket.user, WS, key, at, at, _set_fields(body))
            if key in ("ping", "pong"):
                return  # the heartbeat, which every client of ours has
            self.tape.calls.append(call)
            if cid is not None and key not in _SILENT:
                call.answered, call.error = False, "no answer"
                self._pending[str(cid)] = call
            return

    def incoming(self, opcode: int, payload: bytes, at: float) -> None:
        envelope = self._decode(opcode, payload, "the server")
        if envelope is None:
            return
        cid = envelope.pop("cid", None)
        call = self._pending.pop(str(cid), None) if cid is not None else None
        key, body = next(iter(envelope.items()), ("", {}))
        if call is not None:
            call.answered, call.ended, call.answer, call.error = True, at, _set_fields(body), ""
            if key == "error":
                call.error = type(realtime_error(whole(fields(body).get("code")), "")).__name__
        elif cid is None and key and key not in ("ping", "pong"):
            self.tape.pushes.append(RecordedPush(self._socket.user, key, at, _set_fields(body)))

    def closed(self, at: float) -> None:
        if self._socket.closed is None:
            self._socket.closed = at

    @cached_property
    def _binary(self) -> Adapter:
        # Late: most recordings are of text, and protobuf takes its time.
        from nakama_bots.realtime.protobuf import ProtobufAdapter  # noqa: PLC0415

        return ProtobufAdapter()

    def _decode(self, opcode: int, payload: bytes, peer: str) -> dict[str, Any] | None:
        if opcode not in (TEXT, BINARY):
            return None
        try:
            envelope = (TEXT_ADAPTER if opcode == TEXT else self._binary).decode(payload)
        except ValueError:
            envelope = None
        if not isinstance(envelope, dict):
            self.tape.note(f"{peer} sent messages that are not Nakama's: left out")
            return None
        return envelope


def _split(target: str) -> SplitResult:
    try:
        return urlsplit(target)
    except ValueError:  # an odd host: the server has answered it, whatever it is
        path, _, query = target.partition("?")
        return SplitResult("", "", path, query, "")


def _set_fields(body: Any) -> dict[str, Any]:
    """Return the fields of a message without those that are null, which the server reads as not set."""
    return {key: one for key, one in fields(body).items() if one is not None}


def _refusal(status: int, answer: Any) -> str:
    return type(rest_error(status, whole(fields(answer).get("code"), -1), "")).__name__
