"""Matches on the socket, relayed and authoritative."""

from __future__ import annotations

import base64
import uuid
from typing import Final

from nakama_bots.emulator.dispatch.realtime import (
    BAD_INPUT,
    MATCH_JOIN_REJECTED,
    MATCH_NOT_FOUND,
    Call,
    MessageRow,
    RealtimeFault,
)
from nakama_bots.emulator.formats.protojson import (
    JsonObject,
    Schema,
    data,
    flag,
    int64,
    mapping,
    repeated,
    text,
)
from nakama_bots.emulator.formats.tokens import verify
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.tracker import Mode, Presence, PresenceStream, user_presence


def match_id(stream: PresenceStream) -> str:
    """Return ``<uuid>.`` for a relayed match, ``<uuid>.<node>`` for an authoritative one."""
    return f"{stream.subject}.{stream.label}"


def match_stream(identifier: str) -> PresenceStream:
    """Return the stream of a match id."""
    start, dot, node = identifier.partition(".")
    subject = parse_uuid(start)
    if not dot or subject is None:
        raise RealtimeFault(BAD_INPUT, "Invalid match ID")
    return PresenceStream(Mode.MATCH_AUTHORITATIVE if node else Mode.MATCH_RELAYED, subject, label=node)


def presence_event(stream: PresenceStream, changes: JsonObject) -> JsonObject:
    """Return the event of joins and leaves for the members."""
    return {"match_presence_event": {"match_id": match_id(stream), **changes}}


# The stream modes that ``session.single_match`` limits to one per session.
_MODES: Final = (Mode.MATCH_RELAYED, Mode.MATCH_AUTHORITATIVE)


def _leave_others(call: Call, stream: PresenceStream) -> None:
    if call.core.options.single_match:
        call.core.tracker.leave_others(call.session, _MODES, stream)


def _enter(call: Call, stream: PresenceStream, identifier: str, *, count_self: bool) -> None:
    """Join and answer; the presences include the joiner only if it was already present."""
    tracker = call.core.tracker
    before = tracker.presences(stream)
    presence = tracker.get(stream, call.session)
    joining = presence is None
    presence = presence or Presence(call.session)
    body: JsonObject = {"match_id": identifier}
    size = len(before) + (joining and count_self)
    if size:
        body["size"] = size
    if before:
        body["presences"] = [member.wire() for member in before]
    body["self"] = presence.wire()
    call.reply("match", body)
    if joining:
        tracker.track(stream, presence)


def _create(call: Call) -> None:
    name = call.fields.text("name")
    subject = str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) if name else call.core.new_id()
    stream = PresenceStream(Mode.MATCH_RELAYED, subject)
    _enter(call, stream, match_id(stream), count_self=True)


def _token_match(core: Core, token: str) -> str:
    claims = verify(token, core.options.encryption_key, core.now() / 1e9)
    identifier = claims.get("mid") if claims is not None else None
    if not isinstance(identifier, str):
        raise RealtimeFault(BAD_INPUT, "Invalid match token")
    return identifier


def _join(call: Call) -> None:
    fields = call.fields
    token = fields.optional_text("token")
    if token is not None:
        identifier = _token_match(call.core, token)
    elif "match_id" in fields:
        identifier = fields.text("match_id")
    else:
        raise RealtimeFault(BAD_INPUT, "No match ID or token found")
    stream = match_stream(identifier)
    if stream.mode == Mode.MATCH_AUTHORITATIVE:
        _enter_authoritative(call, stream, identifier)
        return
    # A token may open the match; by id a relayed match exists only while it has presences.
    known = token is not None or call.core.tracker.count(stream)
    if not known:
        raise RealtimeFault(MATCH_NOT_FOUND, "Match not found")
    _enter(call, stream, identifier, count_self=False)
    _leave_others(call, stream)


def _enter_authoritative(call: Call, stream: PresenceStream, identifier: str) -> None:
    """Run the match's join attempt, join and answer; a present session skips the attempt.

    Recorded, 295 of 300: the match's broadcast on the join comes first, then the answer, then the event.
    """
    tracker, session = call.core.tracker, call.session
    match = call.core.matches.get(stream)
    if match is None:
        raise RealtimeFault(MATCH_NOT_FOUND, "Match not found")
    joining = session.id not in match.members
    before = [user_presence(member) for member in match.members.values()]
    if joining:
        allowed, reason = match.join_attempt(session, call.fields.text_map("metadata"))
        if not allowed:
            raise RealtimeFault(MATCH_JOIN_REJECTED, reason or "Match join rejected")
    body: JsonObject = {"match_id": identifier, "authoritative": True, "label": match.label}
    if before:
        body.update(size=len(before), presences=before)
    body["self"] = user_presence(session)
    if joining:
        match.joined(session)
    call.reply("match", body)
    # A session that has ended meanwhile, by the match itself, never shows up: its join is not confirmed.
    if joining and not match.stopped and not session.ended:
        match.confirmed(session)
        tracker.track(stream, Presence(session))
        _leave_others(call, stream)


def _leave(call: Call) -> None:
    stream = match_stream(call.fields.text("match_id"))
    call.core.tracker.untrack(stream, call.session)
    call.reply()


def _send_data(call: Call) -> None:
    fields, tracker = call.fields, call.core.tracker
    identifier = fields.text("match_id")
    stream = match_stream(identifier)
    sender = tracker.get(stream, call.session)
    if sender is None:
        return
    if stream.mode == Mode.MATCH_AUTHORITATIVE:
        match = call.core.matches.get(stream)
        if match is not None:
            content = base64.b64decode(fields.text("data"))
            match.queue(call.session, fields.integer("op_code"), content, reliable=fields.flag("reliable"))
        return
    body: JsonObject = {"match_id": identifier, "presence": sender.wire()}
    if fields.integer("op_code"):
        body["op_code"] = str(fields.integer("op_code"))
    if fields.text("data"):
        body["data"] = fields.text("data")
    if fields.flag("reliable"):
        body["reliable"] = True
    envelope: JsonObject = {"match_data": body}
    chosen = fields.messages("presences")
    if not chosen:
        tracker.send(stream, envelope, without=call.session)
        return
    if not all(parse_uuid(presence.text("user_id")) for presence in chosen):
        return
    # Only the session id decides; the sender gets the data too if it is listed.
    wanted = {parse_uuid(presence.text("session_id")) for presence in chosen}
    if None in wanted:
        return
    tracker.send_to([p.session for p in tracker.presences(stream) if p.session.id in wanted], envelope)


USER_PRESENCE: Final = Schema(
    {"user_id": text, "session_id": text, "username": text, "persistence": flag, "status": text}, strict=True
)
_PRESENCES: Final = repeated(USER_PRESENCE)

MESSAGES: Final = (
    MessageRow("match_create", Schema({"name": text}, strict=True), _create),
    MessageRow(
        "match_join",
        Schema(
            {"match_id": text, "token": text, "metadata": mapping(text)},
            strict=True,
            oneofs=[("match_id", "token")],
        ),
        _join,
    ),
    MessageRow("match_leave", Schema({"match_id": text}, strict=True), _leave),
    MessageRow(
        "match_data_send",
        Schema(
            {"match_id": text, "op_code": int64, "data": data, "presences": _PRESENCES, "reliable": flag},
            strict=True,
        ),
        _send_data,
        silent=True,
    ),
)
