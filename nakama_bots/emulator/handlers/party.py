"""Parties on the socket, and the list of them over REST."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from nakama_bots.emulator.dispatch.realtime import BAD_INPUT, Call, MessageRow, RealtimeFault
from nakama_bots.emulator.dispatch.rest import BOOL, INT, INTERNAL, TEXT, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.protojson import JsonObject, Parser, Schema, data, flag, int32, int64, text
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers.match import USER_PRESENCE
from nakama_bots.emulator.handlers.matches import check_limit
from nakama_bots.emulator.handlers.matchmaker import SEARCH, counts
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.matchmaker import Entry, QueuedTicket, TooManyTickets
from nakama_bots.emulator.store.parties import LARGEST, OpenParty, PartyError, party_id
from nakama_bots.emulator.store.tracker import Mode, OnlineSession, Presence, PresenceStream, user_presence

_DEFAULT_LIMIT: Final = 10
# The stream modes that ``session.single_party`` limits to one per session.
_MODES: Final = (Mode.PARTY,)


def presence_event(stream: PresenceStream, changes: JsonObject) -> JsonObject:
    """Return the event of joins and leaves for the members."""
    return {"party_presence_event": {"party_id": party_id(stream), **changes}}


def changed(core: Core, stream: PresenceStream, joins: Presence | None, leaves: Presence | None) -> None:
    """Update a party before its members receive the event of a join or leave."""
    party = core.parties.get(stream)
    if party is not None and joins is not None:
        _joined(core, party, joins.session)
    if party is not None and leaves is not None:
        _left(core, party, leaves.session)


def _joined(core: Core, party: OpenParty, session: OnlineSession) -> None:
    party.leader = party.leader or session
    if party.add(session):
        core.tracker.send_to([session], {"party": _info(party, session)})


def _left(core: Core, party: OpenParty, session: OnlineSession) -> None:
    party.requests.pop(session.id, None)
    if party.members.pop(session.id, None) is None:
        return  # a party without room for members, which ``close_idle`` ends
    if party.leader is not None and party.leader.id == session.id:
        party.leader = next(iter(party.members.values()), None)
        if party.leader is None:
            _stop(core, party)
            return
        core.tracker.send(party.stream, _leader(party, party.leader))
    core.matchmaker.remove_party_all(party.id)


def close_idle(core: Core) -> None:
    """End parties that are empty now and were empty at the last call."""
    for party in core.parties.all():
        idle = not party.members and not core.tracker.count(party.stream)
        if idle and party.idle:
            _stop(core, party)
        party.idle = idle


def _stop(core: Core, party: OpenParty) -> None:
    core.parties.remove(party)
    core.tracker.drop(party.stream)
    core.matchmaker.remove_party_all(party.id)


def _leader(party: OpenParty, leader: OnlineSession) -> JsonObject:
    return {"party_leader": {"party_id": party.id, "presence": user_presence(leader)}}


def _info(party: OpenParty, to: OnlineSession, **more: object) -> JsonObject:
    """Return Nakama's ``OpenParty`` without the fields that its later events omit."""
    assert party.leader is not None
    presences = [user_presence(member) for member in party.members.values()] or more.pop("presences", None)
    fields: JsonObject = {
        "party_id": party.id,
        "open": party.open,
        "max_size": party.max_size,
        "self": user_presence(to),
        "leader": user_presence(party.leader),
        "presences": presences,
        **more,
    }
    return {name: value for name, value in fields.items() if value}


def _stream(identifier: str) -> PresenceStream:
    start, dot, node = identifier.partition(".")
    subject = parse_uuid(start)
    if not dot or subject is None:
        raise RealtimeFault(BAD_INPUT, "Invalid party ID")
    return PresenceStream(Mode.PARTY, subject, label=node)


Act = Callable[[Call, OpenParty], None]


def _acting(
    act: Act, failing: str, *, presence: bool = False, check: Act | None = None
) -> Callable[[Call], None]:
    """Wrap a handler of a message to a party: finds the party, and prefixes every refusal with ``failing``."""

    def handler(call: Call) -> None:
        if check is not None:
            check(call, _NOBODY)
        # Before the party: every field of a presence must be there.
        if presence and not all(map(call.fields.message("presence").text, _NAMED)):
            raise RealtimeFault(BAD_INPUT, "Invalid presence")
        party = call.core.parties.get(_stream(call.fields.text("party_id")))
        try:
            if party is None:
                raise PartyError("party not found")
            act(call, party)
        except PartyError as refusal:
            raise RealtimeFault(BAD_INPUT, f"{failing}: {refusal}") from None

    return handler


_NAMED: Final = ("user_id", "session_id", "username")
_NOBODY: Final = OpenParty(PresenceStream(Mode.PARTY), open=False, max_size=0, create_time=0, leader=None)


def _create(call: Call) -> None:
    fields, core, session = call.fields, call.core, call.session
    size, label, hidden = fields.integer("max_size"), fields.text("label"), fields.flag("hidden")
    if not 0 <= size <= LARGEST:
        raise RealtimeFault(BAD_INPUT, "Invalid party max size, must be 1-256")
    try:
        party = core.parties.create(
            core.new_id(), session, open_=fields.flag("open"), hidden=hidden, max_size=size, label=label
        )
    except PartyError as refusal:
        raise RealtimeFault(BAD_INPUT, f"Error creating party: {refusal}") from None
    # The answer names the creator even if there is no room for it.
    call.reply("party", _info(party, session, label=label, hidden=hidden, presences=[user_presence(session)]))
    _enter(core, party, session)


def _enter(core: Core, party: OpenParty, session: OnlineSession) -> None:
    core.tracker.track(party.stream, Presence(session))
    if core.options.single_party:
        core.tracker.leave_others(session, _MODES, party.stream)


def _join(call: Call, party: OpenParty) -> None:
    core, session = call.core, call.session
    leader = party.leader
    if party.ask(session):
        core.matchmaker.remove_party_all(party.id)
        call.reply()  # recorded: always before the events
        _enter(core, party, session)
        return
    if leader is not None:
        request: JsonObject = {"party_id": party.id, "presences": [user_presence(session)]}
        core.tracker.send_to([leader], {"party_join_request": request})
    call.reply()


def _leave(call: Call) -> None:
    stream = _stream(call.fields.text("party_id"))
    call.reply()
    call.core.tracker.untrack(stream, call.session)


def _presence(call: Call) -> tuple[str, str, str]:
    given = call.fields.message("presence")
    return given.text("user_id"), given.text("session_id"), given.text("username")


def _promote(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    member = party.find(party.members, _presence(call))
    if member is None:
        msg = "party member not found"
        raise PartyError(msg)
    party.leader = member
    call.core.tracker.send(party.stream, _leader(party, member))
    call.reply()


def _accept(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    if len(party.members) >= party.max_size:
        msg = "party full"
        raise PartyError(msg)
    asking = party.find(party.requests, _presence(call))
    if asking is None:
        msg = "party join request not found"
        raise PartyError(msg)
    del party.requests[asking.id]
    if asking.id not in call.core.sessions:
        msg = "party could not accept request"
        raise PartyError(msg)
    call.reply()
    _enter(call.core, party, asking)
    call.core.matchmaker.remove_party_all(party.id)


def _remove(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    presence = _presence(call)
    if party.leader is not None and party.find({party.leader.id: party.leader}, presence):
        msg = "party cannot remove self"
        raise PartyError(msg)
    member = party.find(party.members, presence)
    asking = party.find(party.requests, presence)
    if member is not None:
        core = call.core
        core.matchmaker.remove_party_all(party.id)
        del party.members[member.id]
        core.tracker.untrack(party.stream, member)
        core.tracker.send_to([member], {"party_close": {"party_id": party.id}})
    elif asking is not None:
        del party.requests[asking.id]
    else:
        msg = "party member not found"
        raise PartyError(msg)
    call.reply()


def _close(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    call.core.tracker.send(party.stream, {"party_close": {"party_id": party.id}})
    _stop(call.core, party)
    call.reply()


def _requests(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    body: JsonObject = {"party_id": call.fields.text("party_id")}
    if party.requests:
        body["presences"] = [user_presence(asking) for asking in party.requests.values()]
    call.reply("party_join_request", body)


def _send_data(call: Call, party: OpenParty) -> None:
    sender = party.members.get(call.session.id)
    if sender is None:
        msg = "party member not found"
        raise PartyError(msg)
    body: JsonObject = {"party_id": party.id, "presence": user_presence(sender)}
    if call.fields.integer("op_code"):
        body["op_code"] = str(call.fields.integer("op_code"))
    if call.fields.text("data"):
        body["data"] = call.fields.text("data")
    others = [member for member in party.members.values() if member is not sender]
    call.core.tracker.send_to(others, {"party_data": body})
    call.reply()


def _update_hidden(call: Call, _: OpenParty) -> None:
    _stream(call.fields.text("party_id"))
    if call.fields.text("label") not in ("", "{}") and call.fields.flag("hidden"):
        message = "Error updating party: party is hidden and label is not empty, invalid operation"
        raise RealtimeFault(BAD_INPUT, message)


def _update(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    fields = call.fields
    label, open_, hidden = fields.text("label"), fields.flag("open"), fields.flag("hidden")
    call.core.parties.list(party, open_=open_, hidden=hidden, label=label)
    party.open = open_
    body: JsonObject = {"party_id": party.id, "label": label, "open": open_, "hidden": hidden}
    event: JsonObject = {"party_update": {name: value for name, value in body.items() if value}}
    call.core.tracker.send(party.stream, event)
    call.reply()


def _search_counts(call: Call, _: OpenParty) -> None:
    counts(call.fields)


def _matchmake(call: Call, party: OpenParty) -> None:
    fields, core = call.fields, call.core
    party.check_leader(call.session)
    texts, numbers = fields.text_map("string_properties"), fields.number_map("numeric_properties")
    entries = tuple(Entry(member, texts, numbers, party.id) for member in party.members.values())
    try:
        wanted = query.parse(fields.text("query") or "*")
    except query.QuerySyntaxError:
        msg = "matchmaker query invalid"
        raise PartyError(msg) from None
    ticket = QueuedTicket(core.new_id(), entries, wanted, *counts(fields), core.now(), party.id)
    try:
        core.matchmaker.add(ticket)
    except TooManyTickets:
        msg = "matchmaker too many tickets"
        raise PartyError(msg) from None
    body: JsonObject = {"party_id": fields.text("party_id"), "ticket": ticket.id}
    call.reply("party_matchmaker_ticket", body)
    others = [member for member in party.members.values() if member.id != call.session.id]
    core.tracker.send_to(others, {"party_matchmaker_ticket": body})


def _check_ticket(call: Call, _: OpenParty) -> None:
    if not call.fields.text("ticket"):
        raise RealtimeFault(BAD_INPUT, "Invalid matchmaker ticket")


def _stop_matchmaking(call: Call, party: OpenParty) -> None:
    party.check_leader(call.session)
    if not call.core.matchmaker.remove_party(call.fields.text("ticket"), party.id):
        msg = "matchmaker ticket not found"
        raise PartyError(msg)
    call.reply()


def _list(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit = asked.integer("limit", _DEFAULT_LIMIT)
    check_limit(limit)
    only_open = asked.flag("open") if "open" in asked else None
    try:
        page, cursor = listed(core, limit, only_open, asked.text("query"), asked.text("cursor"))
    except (query.QuerySyntaxError, query.QuerySearchError, ValueError):
        raise RestFault(INTERNAL, "Error listing matches.") from None  # the server's own words
    parties = [{name: value for name, value in fields.items() if value} for fields in page]
    answer: JsonObject = {"parties": parties, "cursor": cursor}
    return {name: value for name, value in answer.items() if value}


def listed(
    core: Core, limit: int, only_open: bool | None, wanted: str, cursor: str, *, hidden: bool = False
) -> tuple[list[JsonObject], str]:
    """Return a page of parties with all fields of a listed ``OpenParty``, and the cursor of the next page.

    ``QuerySyntaxError``, ``QuerySearchError``; ``ValueError`` for a cursor of another query.
    """
    wanted = wanted or "*"
    offset = _offset(cursor, [wanted, only_open, limit])
    shown = [
        (identifier, party)
        for identifier, party in core.parties.index.search(query.parse(wanted))
        if (hidden or party.document["hidden"] == ["F"]) and only_open in (None, party.open)
    ]
    following = ""
    if len(shown) > offset + limit:
        place = orjson.dumps([wanted, only_open, limit, offset + limit])
        following = base64.urlsafe_b64encode(place).rstrip(b"=").decode()
    page: list[JsonObject] = [
        {"party_id": identifier, "open": party.open, "max_size": party.max_size, "label": party.label}
        for identifier, party in shown[offset : offset + limit]
    ]
    return page, following


def _offset(cursor: str, asked: list[object]) -> int:
    """Return the start of a page; ``ValueError`` for a cursor of another query."""
    if not cursor:
        return 0
    try:
        *given, offset = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (binascii.Error, TypeError):
        raise ValueError(cursor) from None
    if given != asked or type(offset) is not int or offset < 0:
        raise ValueError(cursor)
    return offset


ROUTES: Final = (
    Endpoint("GET", "/v2/party", session, _list, {"limit": INT, "open": BOOL, "query": TEXT, "cursor": TEXT}),
)

_PARTY: Final[Mapping[str, Parser]] = {"party_id": text}
_PERSON: Final[Mapping[str, Parser]] = {"party_id": text, "presence": USER_PRESENCE}


def _row(key: str, fields: Mapping[str, Parser], handler: Callable[[Call], None]) -> MessageRow:
    return MessageRow(key, Schema(fields, strict=True), handler)


MESSAGES: Final = (
    _row("party_create", {"open": flag, "max_size": int32, "label": text, "hidden": flag}, _create),
    _row("party_join", _PARTY, _acting(_join, "Error joining party")),
    _row("party_leave", _PARTY, _leave),
    _row("party_promote", _PERSON, _acting(_promote, "Error promoting new party leader", presence=True)),
    _row("party_accept", _PERSON, _acting(_accept, "Error accepting party join request", presence=True)),
    _row(
        "party_remove", _PERSON, _acting(_remove, "Error removing party member or join request", presence=True)
    ),
    _row("party_close", _PARTY, _acting(_close, "Error closing party")),
    _row("party_join_request_list", _PARTY, _acting(_requests, "Error listing party join requests")),
    _row(
        "party_data_send",
        {"party_id": text, "op_code": int64, "data": data},
        _acting(_send_data, "Error sending party data"),
    ),
    _row(
        "party_update",
        {"party_id": text, "label": text, "open": flag, "hidden": flag},
        _acting(_update, "Error updating party", check=_update_hidden),
    ),
    _row(
        "party_matchmaker_add",
        {"party_id": text, **SEARCH},
        _acting(_matchmake, "Error adding party to matchmaker", check=_search_counts),
    ),
    _row(
        "party_matchmaker_remove",
        {"party_id": text, "ticket": text},
        _acting(_stop_matchmaking, "Error closing party", check=_check_ticket),
    ),
)
