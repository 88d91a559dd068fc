"""How a recorded call is written: the method of the player, and its arguments as they were recorded."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nakama_bots.realtime.api import RealtimeApi
from nakama_bots.realtime.catalog import REPLIES, Reply
from nakama_bots.record import routes
from nakama_bots.record.acts import Act, bot_query
from nakama_bots.record.capture.tape import TapedCall, fields, objects, whole
from nakama_bots.record.correlate import Document, parsed
from nakama_bots.record.writing.code import Raw, word_of

# Message -> method of the socket, and the fields that are its first arguments; further ones go by name.
_SOCKET: Final[Mapping[str, tuple[str, ...]]] = {
    "channel_join": ("join_chat", "target", "type", "persistence", "hidden"),
    "channel_leave": ("leave_chat", "channel_id"),
    "channel_message_send": ("write_chat_message", "channel_id", "content"),
    "channel_message_update": ("update_chat_message", "channel_id", "message_id", "content"),
    "channel_message_remove": ("remove_chat_message", "channel_id", "message_id"),
    "match_create": ("create_match", "name"),
    "match_join": ("join_match", "match_id", "token", "metadata"),
    "match_leave": ("leave_match", "match_id"),
    "match_data_send": ("send_match_state", "match_id", "op_code", "data", "presences", "reliable"),
    "matchmaker_add": ("add_matchmaker", "query", "min_count", "max_count"),
    "matchmaker_remove": ("remove_matchmaker", "ticket"),
    "party_create": ("create_party", "open", "max_size", "label"),
    "party_update": ("update_party", "party_id", "label"),
    "party_join": ("join_party", "party_id"),
    "party_leave": ("leave_party", "party_id"),
    "party_accept": ("accept_party_member", "party_id", "presence"),
    "party_remove": ("remove_party_member", "party_id", "presence"),
    "party_promote": ("promote_party_member", "party_id", "presence"),
    "party_close": ("close_party", "party_id"),
    "party_join_request_list": ("list_party_join_requests", "party_id"),
    "party_data_send": ("send_party_data", "party_id", "op_code", "data"),
    "party_matchmaker_add": ("add_matchmaker_party", "party_id", "query", "min_count", "max_count"),
    "party_matchmaker_remove": ("remove_matchmaker_party", "party_id", "ticket"),
    "rpc": ("rpc", "id", "payload"),
    "status_follow": ("follow_users", "user_ids"),
    "status_unfollow": ("unfollow_users", "user_ids"),
}
# What the wire leaves out because it is the default, where the method wants it.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "open": False, "max_size": 0, "op_code": 0, "data": "", "type": 1, "content": {}, "match_id": "",
    "presence": {},
}  # fmt: skip
_KINDS: Final = {"ROOM": 1, "DIRECT_MESSAGE": 2, "GROUP": 3, "1": 1, "2": 2, "3": 3}
_NUMBERS: Final = ("op_code", "min_count", "max_count", "count_multiple", "max_size")
_HISTORY: Final = 20
_OBJECT: Final = frozenset({"collection", "key", "value", "version", "permission_read", "permission_write"})
# How a short form's result is found in the answer.
UNWRAPPED: Final[Mapping[str, tuple[str | int, ...]]] = {
    "self.player.save_object": ("acks", 0),
    "self.player.load_object": ("objects", 0),
}
NOUNS: Final = {
    "join_chat": "channel", "write_chat_message": "ack", "say": "ack", "create_match": "match",
    "join_match": "match", "add_ticket": "ticket", "add_matchmaker": "ticket", "add_matchmaker_party": "ticket",
    "create_party": "party", "save_object": "saved", "load_object": "loaded", "follow_users": "status",
    "update_chat_message": "ack",
}  # fmt: skip


@dataclass(slots=True)
class Written:
    """A call of a method. ``personal``: its texts are what a person said."""

    method: str
    positional: list[Any]
    named: dict[str, Any]
    personal: bool = False
    call: TapedCall | None = None
    """The recorded call."""
    special: str = ""
    """A statement that follows it."""

    @property
    def noun(self) -> str:
        """A name for its result."""
        name = self.method.rpartition(".")[2]
        if name in ("rpc", "rpc_func2", "call") and self.positional and isinstance(self.positional[0], str):
            name = self.positional[0] if name != "call" else "answer"
        for verb in ("list_", "get_", "create_", "write_", "read_", "join_"):
            name = name.removeprefix(verb)
        word = NOUNS.get(self.method.rpartition(".")[2], name)
        word = word_of(word, "answer")
        return word if word[0].isalpha() else f"answer_{word}"


def payload_of(text: Any) -> bytes:
    """The bytes of base64 text, however it is padded."""
    try:
        return base64.b64decode(
            str(text or "") + "==", altchars=b"-_" if "-" in str(text) or "_" in str(text) else None
        )
    except (binascii.Error, ValueError):
        return b""


def over_rest(call: TapedCall) -> Written:
    """A REST call by ``player.api``."""
    if call.name.startswith(routes.LOGIN):
        return Written("self.player.authenticate", [], {})
    if call.name == routes.REFRESH:
        return Written("self.player.refresh", [], {})
    if call.by_key and call.name == routes.RPC:
        return _by_key(call)
    if call.name == routes.LOGOUT:
        again = "self.player.session.stale = True  # the next call logs in again"
        return Written("self.player.api.session_logout", [], {}, special=again)
    body = _document(call)
    made = routes.invocation(call.kind, call.name, call.path, call.query, body)
    if made is None:
        extra: dict[str, Any] = {
            "query": {key: one[-1] if len(one) == 1 else one for key, one in call.query.items()}
        }
        rest = [] if body is None else [body]
        return Written("self.player.api.call", [call.kind, call.target, *rest], extra if call.query else {})
    method, positional, named = made
    special = ""
    if method == "delete_account":
        special = "self.player.disconnect()\nself.player.session.stale = True  # the next call makes it again"
    plain = Written(f"self.player.api.{method}", positional, named, special=special)
    return _one_object(method, body) or plain


def _one_object(method: str, body: Any) -> Written | None:
    """A write or a read of a single object, which has a shorter form."""
    if not isinstance(body, Mapping):
        return None
    written, read = objects(body.get("objects")), objects(body.get("object_ids"))
    if method == "write_storage_objects" and len(written) == 1:
        one = dict(written[0])
        if {"collection", "key", "value"} <= one.keys() <= _OBJECT:
            positional = [one.pop(name) for name in ("collection", "key", "value")]
            return Written("self.player.save_object", positional, {k: v for k, v in one.items() if v != ""})
    if method == "read_storage_objects" and len(read) == 1:
        one = dict(read[0])
        if {"collection", "key", "user_id"} == one.keys():
            return Written(
                "self.player.load_object", [one["collection"], one["key"]], {"user_id": one["user_id"]}
            )
    return None


def _by_key(call: TapedCall) -> Written:
    """A function called with the server's http key."""
    key = Raw("self.settings.credentials.http_key")
    if "payload" in call.query:
        return Written(
            "self.player.api.rpc_func2", [call.path[0], call.query["payload"][-1]], {"http_key": key}
        )
    named: dict[str, Any] = {"unwrap": True} if "unwrap" in call.query else {}
    body = _document(call)
    return Written("self.player.api.rpc_http_key", [key, *call.path, *([] if body is None else [body])], named)


def _document(call: TapedCall) -> Any:
    """The body, with the JSON texts in it read."""
    body = call.request
    if call.name == routes.RPC:
        return parsed(body)
    if isinstance(body, Mapping):
        return {
            key: [_read(one) for one in value] if isinstance(value, list) else value
            for key, value in _read(body).items()
        }
    return body


def _read(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: parsed(one) if key in ("value", "metadata") else one for key, one in value.items()}


def over_socket(call: TapedCall, inside: Act | None) -> Written:
    """A message by the act that it belongs to, or by ``player.socket``."""
    body = dict(fields(call.request))
    for name in _NUMBERS:
        if isinstance(body.get(name), str):
            body[name] = whole(body[name], body[name])
    if "data" in body or call.name.endswith("_data_send"):
        body["data"] = payload_of(body.get("data"))
    if "content" in body:
        body["content"] = parsed(body["content"])
    if call.name == "rpc" and isinstance(parsed(body.get("payload")), Mapping):
        body["payload"] = Document(parsed(body["payload"]))
    if inside is not None and inside.kind == "chat":
        said = _said(call.name, body)
        if said is not None:
            return said
    if call.name == "status_update":
        return Written("self.player.show", [body.get("status")], {}, personal=True)
    return _method(call, body) or _message(call)


def _message(call: TapedCall) -> Written:
    """A message as it was sent, for what no method of the socket sends."""
    how = "send" if REPLIES.get(call.name) is Reply.NONE else "request"
    return Written(f"self.player.socket.{how}", [call.name, dict(fields(call.request))], {})


def _method(call: TapedCall, body: dict[str, Any]) -> Written | None:
    if call.name not in _SOCKET:
        return None
    if call.name == "channel_join":
        body["type"] = _channel_kind(body)
    method, *order = _SOCKET[call.name]
    wanted = [name for name in order if name in body]
    last = order.index(wanted[-1]) + 1 if wanted else 0
    positional = [body.pop(name, _DEFAULTS.get(name, "")) for name in order[:last]]
    if not routes.binds(getattr(RealtimeApi, method), positional, body):
        return None
    personal = call.name.startswith("channel_message")
    return Written(f"self.player.socket.{method}", positional, body, personal=personal)


def _channel_kind(body: Mapping[str, Any]) -> Any:
    """The type of a channel as a number, which JSON may have as a name."""
    kind = body.get("type", 1)
    return _KINDS.get(str(kind), kind)


def _said(name: str, body: dict[str, Any]) -> Written | None:
    content = body.get("content")
    if isinstance(content, dict) and set(content) == {"text"} and isinstance(content["text"], str):
        content = content["text"]
    if name == "channel_message_send":
        return Written("say", [content], {}, personal=True)
    if name == "channel_message_update":
        return Written("correct", [body.get("message_id"), content], {}, personal=True)
    if name == "channel_message_remove":
        return Written("take_back", [body.get("message_id")], {})
    return None


def history(call: TapedCall, inside: Act | None) -> Written | None:
    """A look at the newest messages of a room that the player is in."""
    query = {key: one[-1] for key, one in call.query.items()}
    if inside is None or query.pop("forward", "") != "false" or query.keys() - {"limit"}:
        return None
    limit = whole(query.get("limit"), 1)
    return Written("history", [] if limit == _HISTORY else [limit], {})


def opening(act: Act, mode: Any) -> Written:
    """The call that begins an act; ``mode`` keeps the tickets of a scenario apart."""
    request = fields(act.call.request)
    if act.how in ("find_match", "party.find_match"):
        return _finding(act, mode)
    made = Written(f"self.player.{act.how}", [], {})
    if act.how == "join_listed_match":
        assert act.function is not None
        payload = parsed(act.function.request.get("payload"))
        made.positional = [act.function.request["id"], *([payload] if payload else [])]
    elif act.how == "join_match":
        made.positional = [request["match_id"]] if request.get("match_id") else []
        made.named = {key: request[key] for key in ("name", "token", "metadata") if request.get(key)}
    elif act.how == "lead_party":
        made.positional = [whole(request.get("max_size"))]
        made.named = {"label": request["label"]} if request.get("label") else {}
    elif act.how == "join_party":
        made.positional = [request["party_id"]]
    elif act.how == "chat":
        kind = _channel_kind(request)
        target = request.get("target", "")
        made.positional = [target] if kind == 1 else []
        made.named = {} if kind == 1 else {"user" if kind == 2 else "group": target}
        if not request.get("persistence", True):
            made.named["persistence"] = False
    return made


def _finding(act: Act, mode: Any) -> Written:
    named = _criteria(act.ticket.request if act.ticket is not None else {}, len(act.users) or 2)
    method = "find_match" if act.party is not None else "self.player.find_match"
    return Written(method, [mode], named)


def ticket(call: TapedCall, mode: Any) -> Written:
    """A ticket that is added without waiting for its match; ``mode`` as in ``opening``."""
    request = fields(call.request)
    named = _criteria(request, 2)
    if call.name == "party_matchmaker_add":
        named["party_id"] = request.get("party_id", "")
    return Written("self.player.add_ticket", [mode], named)


def _criteria(request: Mapping[str, Any], size: int) -> dict[str, Any]:
    named: dict[str, Any] = {}
    least, most = whole(request.get("min_count"), size), whole(request.get("max_count"), size)
    if least == most:
        named["players"] = least
    else:
        named.update(min_count=least, max_count=most)
    if whole(request.get("count_multiple")):
        named["count_multiple"] = whole(request["count_multiple"])
    query, properties = bot_query(request)
    if query:
        named["query"] = query
    if properties:
        named["properties"] = properties
    return named
